//! Flags, environment and astro login become one configuration; the only reader of the environment.
//! A broken setting never falls back to its default: it is kept, and every call names it.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;
use url::Url;

use crate::apc::client::Connecting;
use crate::apc::installation::{ApiUrl, Domain, Installation, TokenSource, UrlRefused};
use crate::apc::{Role, WorkspaceId};
use crate::astro_login::{self, AstroLogin, LoginProblem};
use crate::audit::AuditLog;
use crate::cli::Flags;
use crate::logging::Level;
use crate::policy::{Confirm, KeyOutput, Policy};
use crate::secret::Secret;

pub use report::{Origin, Setting, token_in_words};

/// The largest token file, in bytes.
const TOKEN_FILE_MAX: u64 = 64 * 1024;

/// The shortest token, in characters.
const TOKEN_MIN: usize = 16;

/// The longest refused value that is shown.
const SHOWN_MAX: usize = 20;

/// The time for one API request, unless set.
const TIMEOUT: Duration = Duration::from_secs(20);

const TOKEN: &str = "APC_API_TOKEN";
const TOKEN_FILE: &str = "APC_API_TOKEN_FILE";
const TOKEN_FILE_FLAG: &str = "--api-token-file";

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

#[derive(Debug)]
enum TokenSetting {
    Value(Secret),
    File {
        path: PathBuf,
        setting: &'static str,
    },
}

/// A setting whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct Broken {
    /// The flag or variable.
    pub setting: &'static str,
    /// What is wrong with it and what is accepted.
    pub problem: String,
    from_flag: bool,
}

/// Why a call cannot be made: something is not set up. `Display` says what, and the ways out.
#[derive(Debug, thiserror::Error)]
#[error("{problem}. {WAYS_OUT}")]
pub struct NotConfigured {
    #[from]
    problem: Missing,
}

const WAYS_OUT: &str = "Run 'astro login <domain>' in a terminal, which takes effect at the next call, or set \
     APC_DOMAIN and APC_API_TOKEN (or APC_API_TOKEN_FILE) in this server's entry of the MCP client's configuration \
     and restart it";

#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("{}", listed(.0))]
    Broken(Vec<Broken>),
    #[error("No installation is set: there is no APC_DOMAIN, and {0}")]
    NoInstallation(LoginProblem),
    #[error(
        "{token} is set, but no installation it belongs to: set APC_DOMAIN or APC_API_URL beside it"
    )]
    NoUrl { token: &'static str },
    #[error("There is no token for {url}: APC_API_TOKEN is not set, and {problem}")]
    NoToken { url: String, problem: LoginProblem },
    #[error(
        "There is no token for {url}: APC_API_TOKEN is not set, and the astro login is for {login}, another URL"
    )]
    LoginElsewhere { url: String, login: String },
    #[error(
        "The domain {domain} needs the API's URL: set APC_API_URL, for instance to http://localhost:8871/v1, beside the token"
    )]
    LocalDomain { domain: Domain },
    #[error("The astro login for {domain} holds no token: it has logged out")]
    LoggedOut { domain: String },
    #[error("The token file {} ({setting}) cannot be used: {problem}", path.display())]
    TokenFile {
        path: PathBuf,
        setting: &'static str,
        problem: String,
    },
    #[error("The token from {source_name} cannot be used: {problem}")]
    BadToken {
        source_name: TokenSource,
        problem: &'static str,
    },
}

fn listed(broken: &[Broken]) -> String {
    broken
        .iter()
        .map(Broken::to_string)
        .collect::<Vec<_>>()
        .join(". ")
}

/// The variables of a process.
#[derive(Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable; an empty one is unset.
    fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Where the astro CLI keeps its login.
    fn astro_login_file(&self) -> Option<PathBuf> {
        let home = self
            .get("ASTRO_HOME")
            .map(PathBuf::from)
            .or_else(std::env::home_dir)?;
        Some(home.join(".astro").join("config.yaml"))
    }
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
        let default_workspace = self
            .workspace_id
            .clone()
            .filter(|id| self.policy.allows(id));
        self.in_sandbox = Some(Installation {
            url,
            token,
            token_source: TokenSource::Sandbox,
            default_workspace,
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
        let mut installation = match &self.place.token {
            Some(token) => self.place.with_token(token)?,
            None => self.place.with_login().await?,
        };
        let default_workspace = self.workspace_id.clone().or(installation.default_workspace);
        installation.default_workspace = default_workspace.filter(|id| self.policy.allows(id));
        Ok(installation)
    }

    /// The workspace meant where a call names none, as far as it is known now.
    pub async fn default_workspace(&self) -> Option<WorkspaceId> {
        match &self.workspace_id {
            Some(id) => Some(id.clone()).filter(|id| self.policy.allows(id)),
            None => self.installation().await.ok()?.default_workspace,
        }
    }
}

/// What says which installation is meant, and where its credential is.
#[derive(Debug, Default)]
struct Place {
    api_url: Option<ApiUrl>,
    domain: Option<Domain>,
    token: Option<TokenSetting>,
    login_file: Option<PathBuf>,
}

impl Place {
    /// A token from the settings goes to the URL from the settings, never to a login's.
    fn with_token(&self, setting: &TokenSetting) -> Result<Installation, Missing> {
        let url = self.url_for(setting)?;
        let login = astro_login::glance(self.login_file.as_deref(), self.domain.as_ref());
        let default_workspace = login
            .filter(|login| login.url == url)
            .and_then(|login| workspace_of(&login));
        let source = TokenSource::Setting(setting.name());
        Ok(Installation {
            token: usable(&setting.read()?, &source)?,
            token_source: source,
            url,
            default_workspace,
        })
    }

    fn url_for(&self, setting: &TokenSetting) -> Result<ApiUrl, Missing> {
        if let Some(url) = &self.api_url {
            return Ok(url.clone());
        }
        let domain = self.domain.as_ref().ok_or(Missing::NoUrl {
            token: setting.name(),
        })?;
        match domain.api_url() {
            Some(Ok(url)) => Ok(url),
            _ => Err(Missing::LocalDomain {
                domain: domain.clone(),
            }),
        }
    }

    /// A login's token goes to the login's URL, of the same read of the file.
    async fn with_login(&self) -> Result<Installation, Missing> {
        let found = astro_login::read(self.login_file.as_deref(), self.domain.as_ref()).await;
        let login = found.map_err(|problem| self.without_login(problem))?;
        if let Some(url) = self.api_url.as_ref().filter(|url| **url != login.url) {
            return Err(Missing::LoginElsewhere {
                url: url.to_string(),
                login: login.url.to_string(),
            });
        }
        if login.token.expose().trim().is_empty() {
            return Err(Missing::LoggedOut {
                domain: login.domain,
            });
        }
        let default_workspace = workspace_of(&login);
        let token = usable(&login.token, &TokenSource::AstroLogin)?;
        Ok(Installation {
            url: login.url,
            token,
            token_source: TokenSource::AstroLogin,
            default_workspace,
        })
    }

    fn without_login(&self, problem: LoginProblem) -> Missing {
        let url = self.api_url.as_ref().map(ApiUrl::to_string);
        match url.or_else(|| self.domain.as_ref().map(Domain::to_string)) {
            Some(url) => Missing::NoToken { url, problem },
            None => Missing::NoInstallation(problem),
        }
    }
}

fn workspace_of(login: &AstroLogin) -> Option<WorkspaceId> {
    login
        .workspace
        .as_deref()
        .and_then(|id| WorkspaceId::parse(id).ok())
}

impl TokenSetting {
    fn name(&self) -> &'static str {
        match self {
            Self::Value(_) => TOKEN,
            Self::File { setting, .. } => setting,
        }
    }

    fn read(&self) -> Result<Secret, Missing> {
        match self {
            Self::Value(token) => Ok(token.clone()),
            Self::File { path, setting } => {
                token_file(path)
                    .map(Secret::new)
                    .map_err(|problem| Missing::TokenFile {
                        path: path.clone(),
                        setting,
                        problem,
                    })
            }
        }
    }
}

fn token_file(path: &Path) -> Result<String, String> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if metadata.len() > TOKEN_FILE_MAX {
        return Err("it is larger than 64 KiB".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
}

/// The token without what people paste around it.
fn usable(token: &Secret, source: &TokenSource) -> Result<Secret, Missing> {
    let bad = |problem| Missing::BadToken {
        source_name: source.clone(),
        problem,
    };
    let text = token.expose().trim();
    let text = match text.split_once(char::is_whitespace) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        _ => text,
    };
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad(
            "it holds blanks, line breaks or characters that are not ASCII",
        ));
    }
    if text.len() < TOKEN_MIN {
        return Err(bad("it is shorter than 16 characters"));
    }
    Ok(Secret::new(text))
}

/// Reads settings one by one and keeps what is wrong with them.
struct Settings<'a> {
    environment: &'a Environment,
    origins: BTreeMap<&'static str, Origin>,
    broken: Vec<Broken>,
}

impl Settings<'_> {
    fn parsed<T>(
        &mut self,
        flag: &'static str,
        typed: Option<String>,
        variables: &[&'static str],
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (setting, from_flag, text) = match typed.filter(|text| !text.is_empty()) {
            Some(text) => (flag, true, text),
            None => self
                .variable(variables)
                .map(|(name, text)| (name, false, text))?,
        };
        let origin = match from_flag {
            true => Origin::Flag,
            false => Origin::Variable(setting),
        };
        self.origins.insert(flag, origin);
        let value = not_a_placeholder(&text).and_then(parse);
        value
            .map_err(|problem| {
                self.broken.push(Broken {
                    setting,
                    problem,
                    from_flag,
                })
            })
            .ok()
    }

    fn variable(&mut self, names: &[&'static str]) -> Option<(&'static str, String)> {
        let environment = self.environment;
        let (name, value) = names
            .iter()
            .find_map(|name| Some((*name, environment.get(name)?)))?;
        match value.to_str() {
            Some(text) => Some((name, text.to_owned())),
            None => {
                let problem = "is not UTF-8 text".to_owned();
                self.broken.push(Broken {
                    setting: name,
                    problem,
                    from_flag: false,
                });
                None
            }
        }
    }

    fn switch(&mut self, flag: &'static str, typed: bool, variable: &'static str) -> bool {
        if typed {
            self.origins.insert(flag, Origin::Flag);
        }
        typed
            || self
                .parsed(flag, None, &[variable], switch)
                .unwrap_or_default()
    }

    fn policy(&mut self, flags: &Flags) -> Policy {
        let role = self.parsed(
            "--max-role",
            flags.max_role.clone(),
            &["APC_MAX_ROLE"],
            role,
        );
        let confirm = self.parsed(
            "--confirm",
            flags.confirm.clone(),
            &["APC_CONFIRM"],
            confirm,
        );
        let output = self.parsed(
            "--key-output",
            flags.key_output.clone(),
            &["APC_KEY_OUTPUT"],
            key_output,
        );
        let rate = flags.max_changes_per_minute.clone();
        let rate = self.parsed(
            "--max-changes-per-minute",
            rate,
            &["APC_MAX_CHANGES_PER_MINUTE"],
            changes,
        );
        let listed =
            Some(flags.allow_workspace.join(",")).filter(|_| !flags.allow_workspace.is_empty());
        let allowed = self.parsed(
            "--allow-workspace",
            listed,
            &["APC_ALLOWED_WORKSPACES"],
            workspace_ids,
        );
        let default = Policy::default();
        Policy {
            read_only: self.switch("--read-only", flags.read_only, "APC_READ_ONLY"),
            allowed_workspaces: allowed,
            max_role: role.unwrap_or(default.max_role),
            confirm: confirm.unwrap_or_default(),
            key_output: output.unwrap_or_default(),
            changes_per_minute: rate.unwrap_or(default.changes_per_minute),
        }
    }

    fn token(&mut self, file_flag: Option<String>) -> Option<TokenSetting> {
        if let Some(path) = self.parsed(
            TOKEN_FILE_FLAG,
            file_flag.filter(|typed| !typed.is_empty()),
            &[],
            path,
        ) {
            return Some(TokenSetting::File {
                path,
                setting: TOKEN_FILE_FLAG,
            });
        }
        let value = self.parsed(TOKEN, None, &[TOKEN], |text| Ok(Secret::new(text)));
        let file = self.parsed(TOKEN_FILE_FLAG, None, &[TOKEN_FILE], path);
        match (value, file) {
            (Some(_), Some(_)) => {
                let problem = format!(
                    "and {TOKEN_FILE} are both set; which token is meant is not certain, unset one"
                );
                self.broken.push(Broken {
                    setting: TOKEN,
                    problem,
                    from_flag: false,
                });
                None
            }
            (Some(value), None) => Some(TokenSetting::Value(value)),
            (None, file) => file.map(|path| TokenSetting::File {
                path,
                setting: TOKEN_FILE,
            }),
        }
    }
}

/// The user's own directory for what programs keep between runs.
fn default_key_dir() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(state.join("apc-mcp").join("keys"))
}

/// Several clients hand on `${NAME}` as it stands where the variable is unset.
fn not_a_placeholder(text: &str) -> Result<&str, String> {
    let trimmed = text.trim();
    if trimmed.starts_with("${") && trimmed.find('}') == Some(trimmed.len() - 1) {
        return Err(format!(
            "is {}, a placeholder that the client did not fill in",
            shown(trimmed)
        ));
    }
    Ok(text)
}

/// A refused value as it may be shown: a secret could have been put into the wrong setting.
fn shown(value: &str) -> String {
    if let Ok(mut url) = Url::parse(value)
        && url.has_host()
    {
        let hidden = url.set_username("").and_then(|()| url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        if hidden.is_ok() {
            return format!("'{url}'");
        }
    }
    match value.chars().count() {
        0..=SHOWN_MAX => format!("'{}'", value.escape_debug()),
        length => format!("a value of {length} characters"),
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

fn api_url(text: &str) -> Result<ApiUrl, String> {
    ApiUrl::parse(text.trim()).map_err(|refused| format!("is {}: {refused}", shown(text)))
}

fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).map_err(|refused| match refused {
        UrlRefused::Malformed => {
            format!("is {}; accepted is a domain such as acme.dev (for an address or a path use APC_API_URL)", shown(text))
        }
        refused => format!("is {}: {refused}", shown(text)),
    })
}

fn workspace_id(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::parse(text.trim())
        .map_err(|accepted| format!("is {}; accepted: {}", shown(text), accepted.0))
}

fn workspace_ids(text: &str) -> Result<BTreeSet<WorkspaceId>, String> {
    let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
    let ids: BTreeSet<_> = ids.map(workspace_id).collect::<Result<_, _>>()?;
    // An empty list would allow nothing or everything; neither was said.
    if ids.is_empty() {
        Err(format!(
            "is {}; accepted are ids of workspaces",
            shown(text)
        ))
    } else {
        Ok(ids)
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::named(text.trim()).ok_or_else(|| one_of(text, &Role::ALL.map(Role::name)))
}

fn confirm(text: &str) -> Result<Confirm, String> {
    match text.trim() {
        "auto" => Ok(Confirm::Auto),
        "always" => Ok(Confirm::Always),
        "never" => Ok(Confirm::Never),
        _ => Err(one_of(text, &["auto", "always", "never"])),
    }
}

fn key_output(text: &str) -> Result<KeyOutput, String> {
    match text.trim() {
        "file" => Ok(KeyOutput::File),
        "show" => Ok(KeyOutput::Show),
        _ => Err(one_of(text, &["file", "show"])),
    }
}

fn changes(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| *number <= 100_000);
    number.ok_or_else(|| {
        format!(
            "is {}; accepted are whole numbers from 0 (no limit) to 100000",
            shown(text)
        )
    })
}

fn one_of(text: &str, accepted: &[&str]) -> String {
    format!("is {}; accepted: {}", shown(text), accepted.join(", "))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text
        .trim()
        .trim_end_matches('s')
        .trim_end()
        .parse::<f64>()
        .ok();
    number
        .filter(|seconds| (0.1..=300.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("is {}; accepted are seconds from 0.1 to 300", shown(text)))
}

fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(one_of(text, &["true", "false", "1", "0"])),
    }
}

fn level(text: &str) -> Result<Level, String> {
    Level::named(text.trim()).ok_or_else(|| {
        format!(
            "is {}; accepted: off, error, warn, info, debug, trace",
            shown(text)
        )
    })
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
