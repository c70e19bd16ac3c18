//! The astro CLI's login: the context, token and workspace in its `config.yaml`.
//!
//! Reads the user's file only, never a project's: a cloned repository could redirect the token.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::fields::BrokenSetting;
use crate::apc::installation::{ApiUrl, Domain, UrlRefused};
use crate::guards::regular_file;
use crate::guards::secret::Secret;

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// The CLI truncates and rewrites its file; a half-written one is whole again after this.
const REWRITING: Duration = Duration::from_millis(60);

/// The place of the CLI's file: none without a home directory, and broken if nobody meant the value of the variable that
/// names the CLI's directory.
pub(super) type ConfigPath = Option<Result<PathBuf, BrokenSetting>>;

fn file(place: &ConfigPath) -> Result<&Path, LoginProblem> {
    match place {
        None => Err(LoginProblem::NoHome),
        Some(Err(broken)) => Err(LoginProblem::Home(Box::new(broken.clone()))),
        Some(Ok(path)) => Ok(path),
    }
}

/// The login of the astro CLI to one installation.
#[derive(Debug, Clone)]
pub struct AstroLogin {
    /// The installation's domain, as the CLI has it.
    pub domain: String,
    /// The URL that the CLI derives for it, and the only one its token may go to.
    pub url: ApiUrl,
    /// The token as it stands in the file, unchecked; empty where the CLI has logged out.
    pub token: Secret,
    /// The workspace that the CLI is switched to.
    pub workspace: Option<String>,
    /// The file that all of this stands in.
    file: PathBuf,
}

/// The place of a token that a login does not hold itself, as far as known. Its text follows the name of the login.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenPlace {
    /// The file in which newer CLIs keep it apart.
    #[error("has its token in {}, which this server does not read", .0.display())]
    CredentialsFile(PathBuf),
    /// None in this file: the CLI has logged out, or keeps it in the system's keychain.
    #[error(
        "holds no token in {}: it has logged out, or the astro CLI keeps the token in the system's keychain, which this \
         server does not read",
        .0.display()
    )]
    /// Neither: the CLI has logged out, or keeps it in the system's keychain.
    Unknown(PathBuf),
}

impl AstroLogin {
    /// The place of the token, if this login does not hold it.
    pub fn token_elsewhere(&self) -> Option<TokenPlace> {
        if !self.token.expose().trim().is_empty() {
            return None;
        }
        let credentials = self.file.with_file_name("credentials.json");
        Some(match has_token(&credentials, &self.domain) {
            true => TokenPlace::CredentialsFile(credentials),
            false => TokenPlace::Unknown(self.file.clone()),
        })
    }
}

/// Tells if a file of newer CLIs holds a token for a domain.
fn has_token(credentials: &Path, domain: &str) -> bool {
    let text = regular_file::read_text(credentials, FILE_MAX).unwrap_or_default();
    let entries: HashMap<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    let mut entries = entries.iter();
    let entry = entries.find(|(name, _)| name.eq_ignore_ascii_case(domain));
    let token = entry.and_then(|(_, entry)| entry.get("token")?.as_str());
    token.is_some_and(|token| !token.trim().is_empty())
}

/// A reason why there is no login that can be used.
#[derive(Debug, thiserror::Error)]
pub enum LoginProblem {
    #[error("there is no home directory to find an astro login in")]
    NoHome,
    #[error(transparent)]
    Home(Box<BrokenSetting>),
    #[error("there is no astro login ({} does not exist)", path.display())]
    NoFile { path: PathBuf },
    #[error("the astro login in {} cannot be read ({source})", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the astro login in {} is not the YAML that the astro CLI writes", path.display())]
    Malformed { path: PathBuf },
    #[error("the astro login has no current context")]
    NoContext,
    #[error("the astro login has no context for {domain}")]
    UnknownContext { domain: String },
    #[error("the astro login's context {domain} cannot be used: {refused}")]
    Refused { domain: String, refused: UrlRefused },
    #[error(
        "the astro login's context {domain} needs local.houston in the astro CLI's configuration, which is empty"
    )]
    NoLocalUrl { domain: String },
}

/// Finds the login for a domain, or for the CLI's current context if no domain is named.
pub(super) async fn find(
    place: &ConfigPath,
    domain: Option<&Domain>,
) -> Result<AstroLogin, LoginProblem> {
    match find_at_once(place, domain) {
        Err(
            LoginProblem::Malformed { .. }
            | LoginProblem::NoContext
            | LoginProblem::UnknownContext { .. },
        ) => {
            sleep(REWRITING).await;
            find_at_once(place, domain)
        }
        found => found,
    }
}

/// Finds the login as [`find`] does, without waiting for a file that is being rewritten.
pub(super) fn find_at_once(
    place: &ConfigPath,
    domain: Option<&Domain>,
) -> Result<AstroLogin, LoginProblem> {
    let path = file(place)?;
    load(path)?.login(domain, path)
}

/// Tells if the CLI was told not to verify certificates. This server does not obey that; it explains a connection that
/// works only for the CLI.
pub(super) fn skips_verification(place: &ConfigPath) -> bool {
    let path = file(place).ok();
    match path.and_then(|path| load(path).ok()?.houston?.skip_verify_tls) {
        Some(Value::Bool(on)) => on,
        Some(Value::String(text)) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn load(path: &Path) -> Result<File, LoginProblem> {
    let path = path.to_owned();
    match regular_file::read_text(&path, FILE_MAX) {
        Ok(text) => serde_saphyr::from_slice(&text).map_err(|_| LoginProblem::Malformed { path }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            Err(LoginProblem::NoFile { path })
        }
        Err(source) => Err(LoginProblem::Unreadable { path, source }),
    }
}

#[derive(Deserialize)]
struct File {
    context: Option<String>,
    contexts: Option<HashMap<String, Option<Context>>>,
    cloud: Option<CloudSection>,
    local: Option<LocalSection>,
    houston: Option<HoustonSection>,
}

#[derive(Deserialize)]
struct HoustonSection {
    // Text or a switch. Any other form must not make the login unusable.
    skip_verify_tls: Option<Value>,
}

#[derive(Deserialize)]
struct Context {
    domain: Option<String>,
    token: Option<Secret>,
    workspace: Option<String>,
}

#[derive(Deserialize)]
struct CloudSection {
    api: Option<CloudApi>,
}

#[derive(Default, Deserialize)]
struct CloudApi {
    protocol: Option<String>,
    port: Option<String>,
}

#[derive(Deserialize)]
struct LocalSection {
    houston: Option<String>,
}

impl File {
    fn login(mut self, domain: Option<&Domain>, file: &Path) -> Result<AstroLogin, LoginProblem> {
        let name = match domain {
            Some(domain) => domain.name().to_owned(),
            None => filled(self.context.take()).ok_or(LoginProblem::NoContext)?,
        };
        // The CLI folds names to lower case, but not the domains in them.
        let wanted = name.replace('.', "_");
        let contexts = self.contexts.take().into_iter().flatten();
        let mut contexts = contexts.filter(|(entry, _)| entry.eq_ignore_ascii_case(&wanted));
        let Some(context) = contexts.find_map(|(_, context)| context) else {
            return Err(LoginProblem::UnknownContext { domain: name });
        };
        let domain = filled(context.domain).unwrap_or(name);
        Ok(AstroLogin {
            url: self.url(&domain)?,
            token: context.token.unwrap_or_else(|| Secret::new("")),
            workspace: filled(context.workspace),
            domain,
            file: file.to_owned(),
        })
    }

    /// The URL, by the rule of the CLI.
    fn url(self, domain: &str) -> Result<ApiUrl, LoginProblem> {
        let name = domain.to_owned();
        let text = if ["localhost", "houston"].contains(&name.to_ascii_lowercase().as_str()) {
            let local = self.local.and_then(|local| filled(local.houston));
            local.ok_or_else(|| LoginProblem::NoLocalUrl {
                domain: name.clone(),
            })?
        } else {
            let api = self.cloud.and_then(|cloud| cloud.api).unwrap_or_default();
            let protocol = filled(api.protocol).unwrap_or("https".to_owned());
            let port = filled(api.port).unwrap_or("443".to_owned());
            format!("{protocol}://houston.{domain}:{port}/v1")
        };
        ApiUrl::parse(&text).map_err(|refused| LoginProblem::Refused {
            domain: name,
            refused,
        })
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "\
context: acme.dev
contexts:
    acme_dev:
        domain: acme.dev
        token: Bearer some-token-of-a-user
        workspace: ck1
        team: null
    localhost:
        domain: localhost
        token: x
cloud: { api: { protocol: https, port: 8443 } }
houston: { dial_timeout: \"10\", skip_verify_tls: \"false\" }
local: { houston: \"http://localhost:8871/v1\" }
";

    fn login(text: &str, domain: Option<&str>) -> Result<AstroLogin, LoginProblem> {
        let domain = domain.map(|domain| Domain::parse(domain).unwrap());
        serde_saphyr::from_slice::<File>(text.as_bytes())
            .unwrap()
            .login(domain.as_ref(), Path::new("config.yaml"))
    }

    #[test]
    fn the_current_context_gives_url_token_and_workspace_of_one_read() {
        let login = login(WRITTEN, None).unwrap();
        assert_eq!(login.url.as_str(), "https://houston.acme.dev:8443/v1");
        assert_eq!(login.token.expose(), "Bearer some-token-of-a-user");
        assert_eq!(login.workspace.as_deref(), Some("ck1"));
    }

    #[test]
    fn a_domain_selects_its_own_context_or_none() {
        assert_eq!(
            login(WRITTEN, Some("localhost")).unwrap().url.as_str(),
            "http://localhost:8871/v1"
        );
        let problem = login(WRITTEN, Some("other.dev")).unwrap_err();
        assert!(
            matches!(problem, LoginProblem::UnknownContext { domain } if domain == "other.dev")
        );
    }

    #[test]
    fn the_entry_of_a_context_is_found_whatever_its_case() {
        for (context, entry) in [
            ("Acme.Dev", "acme_dev"),
            ("acme.dev", "Acme_Dev"),
            ("ACME.DEV", "acme_dev"),
        ] {
            let text = format!("context: {context}\ncontexts: {{{entry}: {{token: x}}}}");
            let login = login(&text, None).unwrap();
            assert_eq!(login.url.as_str(), "https://houston.acme.dev/v1");
        }
    }

    #[test]
    fn a_context_of_the_hosted_product_or_over_plain_http_is_refused() {
        for (text, expected) in [
            (
                "context: astronomer.io\ncontexts: {astronomer_io: {token: x}}",
                UrlRefused::Hosted,
            ),
            (
                "context: a.dev\ncontexts: {a_dev: {token: x}}\ncloud: {api: {protocol: http}}",
                UrlRefused::PlainHttp,
            ),
        ] {
            let problem = login(text, None).unwrap_err();
            assert!(
                matches!(problem, LoginProblem::Refused { refused, .. } if refused == expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_without_a_context_says_so() {
        for text in ["{}", "context: \"\"\ncontexts: {}", "context:\ncontexts:\n"] {
            assert!(
                matches!(login(text, None), Err(LoginProblem::NoContext)),
                "{text}"
            );
        }
    }
}
