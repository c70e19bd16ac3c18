//! Flags, environment and astro login become one configuration; the only reader of the environment.
//! A broken setting never falls back to its default: it is kept, and every call names it.

pub mod astro_login;
mod credential;
mod report;
mod settings;
mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use etcetera::BaseStrategy;

use crate::apc::WorkspaceId;
use crate::apc::http::Connecting;
use crate::apc::installation::{ApiUrl, Installation, TokenSource};
use crate::cli::Flags;
use crate::guards::audit::AuditLog;
use crate::guards::logging::Level;
use crate::guards::policy::Policy;
use crate::guards::secret::Secret;

use credential::{Missing, Place};
use settings::Settings;
use values::{api_url, domain, level, path, seconds, workspace_id};

pub use credential::NotConfigured;
pub use report::{Origin, Setting, token_in_words};
pub use settings::{Broken, Environment};

/// The time for one API request, unless set.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Everything that was set, parsed once at start. Credentials are looked up afresh at every call.
#[derive(Debug)]
pub struct Config {
    /// How connections are made.
    pub connecting: Connecting,
    /// The time for one API request, all included.
    pub timeout: Duration,
    /// What is logged.
    pub log: Level,
    /// Where the log goes; standard error if absent.
    pub log_file: Option<PathBuf>,
    /// What this server may do.
    pub policy: Policy,
    /// Where key files go; none where there is no home directory.
    pub key_dir: Option<PathBuf>,
    /// Where lines about changes go.
    pub audit: AuditLog,
    /// Whether the embedded sandbox stands for the installation.
    pub sandbox: bool,
    workspace_id: Option<WorkspaceId>,
    place: Place,
    in_sandbox: Option<Installation>,
    origins: BTreeMap<&'static str, Origin>,
    broken: Vec<Broken>,
}

impl Config {
    /// Reads flags and environment. Broken variables are kept for the calls to report, since a
    /// client that starts this server hides what it prints.
    ///
    /// # Errors
    /// A broken flag, which is a usage error.
    pub fn new(flags: Flags, environment: &Environment) -> Result<Self, Broken> {
        let mut settings = Settings {
            environment,
            origins: BTreeMap::new(),
            broken: Vec::new(),
        };
        let sandbox = settings.switch("--sandbox", flags.sandbox, "APC_SANDBOX");
        let policy = settings.policy(&flags);
        let config = Self {
            sandbox,
            connecting: Connecting {
                ca_cert: settings.parsed("--ca-cert", flags.ca_cert, &["APC_CA_CERT"], path),
                insecure: settings.switch("--insecure", flags.insecure, "APC_INSECURE"),
            },
            timeout: settings
                .parsed("--timeout", flags.timeout, &["APC_TIMEOUT"], seconds)
                .unwrap_or(TIMEOUT),
            log: settings
                .parsed("--log", flags.log, &["APC_LOG"], level)
                .unwrap_or_default(),
            log_file: settings.parsed("--log-file", flags.log_file, &["APC_LOG_FILE"], path),
            workspace_id: settings.parsed(
                "--workspace-id",
                flags.workspace_id,
                &["APC_WORKSPACE_ID"],
                workspace_id,
            ),
            place: if sandbox {
                Place::default()
            } else {
                Place {
                    api_url: settings.parsed("--api-url", flags.api_url, &["APC_API_URL"], api_url),
                    domain: settings.parsed(
                        "--domain",
                        flags.domain,
                        &["APC_DOMAIN", "ASTRO_DOMAIN"],
                        domain,
                    ),
                    token: settings.token(flags.api_token_file),
                    login_file: environment.astro_login_file(),
                }
            },
            in_sandbox: None,
            policy,
            key_dir: settings
                .parsed("--key-dir", flags.key_dir, &["APC_KEY_DIR"], path)
                .or_else(default_key_dir),
            audit: AuditLog::new(settings.parsed(
                "--audit-log",
                flags.audit_log,
                &["APC_AUDIT_LOG"],
                path,
            )),
            origins: settings.origins,
            broken: settings.broken,
        };
        match config.broken.iter().find(|broken| broken.from_flag) {
            Some(usage) => Err(usage.clone()),
            None => Ok(config),
        }
    }

    /// The log cannot be written where the settings want it, and every call shall say so.
    pub fn log_file_is_broken(&mut self, error: &io::Error) {
        let problem = format!("names a file that cannot be opened: {error}");
        self.broken.push(Broken {
            setting: "--log-file (APC_LOG_FILE)",
            problem,
            from_flag: false,
        });
    }

    /// From now on the installation is this one, the embedded sandbox, and keys go to this
    /// directory, which goes with it.
    pub fn set_sandbox(&mut self, url: ApiUrl, token: Secret, key_dir: PathBuf) {
        self.key_dir = Some(key_dir);
        self.in_sandbox = Some(Installation {
            url,
            token,
            token_source: TokenSource::Sandbox,
            login_workspace: None,
        });
    }

    /// The installation and the credential for it, as they are now.
    ///
    /// # Errors
    /// What is not set up, and the ways out.
    pub async fn installation(&self) -> Result<Installation, NotConfigured> {
        if !self.broken.is_empty() {
            return Err(Missing::Broken(self.broken.clone()).into());
        }
        if let Some(sandbox) = &self.in_sandbox {
            return Ok(sandbox.clone());
        }
        Ok(match &self.place.token {
            Some(token) => self.place.with_token(token)?,
            None => self.place.with_login().await?,
        })
    }

    /// The workspace meant where a call to this installation names none. Beside a token from the
    /// settings the astro login is looked at for it here, and by no call that names one.
    pub fn default_workspace(&self, found: &Installation) -> Option<WorkspaceId> {
        let of_login = || match found.token_source {
            TokenSource::AstroLogin => found.login_workspace.clone(),
            TokenSource::Setting(_) => self.place.login_workspace(&found.url),
            TokenSource::Sandbox => None,
        };
        let meant = self.workspace_id.clone().or_else(of_login);
        meant.filter(|id| self.policy.allows(id))
    }

    /// Whether there is such a workspace now.
    pub async fn has_default_workspace(&self) -> bool {
        match &self.workspace_id {
            Some(id) => self.policy.allows(id),
            None => self
                .installation()
                .await
                .is_ok_and(|found| self.default_workspace(&found).is_some()),
        }
    }
}

/// The user's own directory for what programs keep between runs.
fn default_key_dir() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(state.join("apc-mcp").join("keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment(
            variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    async fn problem(variables: &[(&str, &str)]) -> String {
        let mut variables = variables.to_vec();
        variables.push(("ASTRO_HOME", "/nonexistent"));
        let config = Config::new(Flags::default(), &environment(&variables)).unwrap();
        config.installation().await.unwrap_err().to_string()
    }

    async fn installation(variables: &[(&str, &str)]) -> Installation {
        let config = Config::new(Flags::default(), &environment(variables)).unwrap();
        config.installation().await.unwrap()
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[tokio::test]
    async fn a_placeholder_is_refused_by_the_name_of_its_variable() {
        for placeholder in ["${TOKEN}", "${env:TOKEN}", "${input:token}", " ${TOKEN} "] {
            let text = problem(&[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", placeholder)]).await;
            assert!(text.starts_with("APC_API_TOKEN is "), "{text}");
            assert!(text.contains("placeholder"), "{text}");
        }
    }

    #[tokio::test]
    async fn what_looks_like_a_placeholder_in_part_is_a_value() {
        let found = installation(&[
            ("APC_DOMAIN", "acme.dev"),
            ("APC_API_TOKEN", "${a}${b}0123456789"),
        ])
        .await;
        assert_eq!(found.token.expose(), "${a}${b}0123456789");
    }

    #[tokio::test]
    async fn an_empty_variable_is_unset() {
        let found = installation(&[
            ("APC_DOMAIN", ""),
            ("ASTRO_DOMAIN", "acme.dev"),
            ("APC_API_URL", ""),
            ("APC_API_TOKEN", KEY),
            ("APC_API_TOKEN_FILE", ""),
            ("APC_TIMEOUT", ""),
        ])
        .await;
        assert_eq!(found.url.as_str(), "https://houston.acme.dev/v1");
    }

    #[tokio::test]
    async fn bearer_and_blanks_around_a_token_are_stripped() {
        for pasted in [
            format!("Bearer {KEY}"),
            format!("  bearer  {KEY}\n"),
            format!("\t{KEY} "),
        ] {
            let found =
                installation(&[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", &pasted)]).await;
            assert_eq!(found.token.expose(), KEY);
        }
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_one_is_refused_and_not_shown() {
        for token in [
            "tooshort",
            "a-token-with-a b-in-it",
            "a-token-mit-ümlaut-darin",
        ] {
            let text = problem(&[("APC_DOMAIN", "acme.dev"), ("APC_API_TOKEN", token)]).await;
            assert!(text.contains("APC_API_TOKEN"), "{text}");
            assert!(!text.contains(token), "{text}");
        }
    }

    #[tokio::test]
    async fn a_long_value_in_the_wrong_setting_is_not_shown() {
        let text = problem(&[("APC_TIMEOUT", KEY)]).await;
        assert!(
            text.contains("APC_TIMEOUT is a value of 32 characters"),
            "{text}"
        );
        let text = problem(&[("APC_API_URL", "https://me:geheim@acme.dev/?token=geheim")]).await;
        assert!(
            text.contains("https://acme.dev/") && !text.contains("geheim"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_token_without_a_url_goes_nowhere() {
        let text = problem(&[("APC_API_TOKEN", KEY)]).await;
        assert!(
            text.starts_with("APC_API_TOKEN is set, but no installation"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_broken_switch_is_neither_on_nor_off() {
        let text = problem(&[("APC_INSECURE", "maybe")]).await;
        assert!(
            text.starts_with("APC_INSECURE is 'maybe'; accepted: true, false, 1, 0"),
            "{text}"
        );
    }

    #[test]
    fn a_timeout_is_in_seconds() {
        assert_eq!(seconds("20"), Ok(Duration::from_secs(20)));
        assert_eq!(seconds("2.5 s"), Ok(Duration::from_millis(2500)));
        for bad in ["0", "-1", "301", "soon", "NaN", "inf", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
