//! The astro CLI's login: the context, token and workspace in its `config.yaml`.
//! Reads the user's file only, never a project's: a cloned repository could redirect the token.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::apc::installation::{ApiUrl, Domain, UrlRefused};
use crate::guards::secret::Secret;

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// The CLI truncates and rewrites its file; a half-written one is whole again after this.
const REWRITING: Duration = Duration::from_millis(60);

/// One login: what the CLI knows of one installation.
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
}

/// Why there is no login.
#[derive(Debug, thiserror::Error)]
pub enum LoginProblem {
    /// There is no home directory to look in.
    #[error("there is no home directory to find an astro login in")]
    NoHome,
    /// Nobody has logged in on this machine.
    #[error("there is no astro login ({} does not exist)", path.display())]
    NoFile {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("the astro login in {} cannot be read ({source})", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what the CLI writes.
    #[error("the astro login in {} is not the YAML that the astro CLI writes", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The CLI has no current context.
    #[error("the astro login has no current context")]
    NoContext,
    /// The CLI has no context of that domain.
    #[error("the astro login has no context for {domain}")]
    UnknownContext {
        /// The domain looked for.
        domain: String,
    },
    /// The context's URL is not one a token may be sent to.
    #[error("the astro login's context {domain} cannot be used: {refused}")]
    Refused {
        /// The context's domain.
        domain: String,
        /// Why.
        refused: UrlRefused,
    },
    /// The CLI reaches a local API by a URL that its configuration does not hold.
    #[error(
        "the astro login's context {domain} needs local.houston in the astro CLI's configuration, which is empty"
    )]
    NoLocalUrl {
        /// The context's domain.
        domain: String,
    },
}

/// Reads the login for a domain, or for the CLI's current context where none is named.
///
/// # Errors
/// Why there is none.
pub async fn read(
    path: Option<&Path>,
    domain: Option<&Domain>,
) -> Result<AstroLogin, LoginProblem> {
    let path = path.ok_or(LoginProblem::NoHome)?;
    let found = load(path).and_then(|file| file.login(domain));
    match found {
        Err(
            LoginProblem::Malformed { .. }
            | LoginProblem::NoContext
            | LoginProblem::UnknownContext { .. },
        ) => {
            sleep(REWRITING).await;
            load(path)?.login(domain)
        }
        found => found,
    }
}

/// Reads the login as [`read`] does, for what it may add: none where anything is wrong with it.
pub fn glance(path: Option<&Path>, domain: Option<&Domain>) -> Option<AstroLogin> {
    load(path?).and_then(|file| file.login(domain)).ok()
}

/// Whether the CLI was told not to verify certificates. That is its own business; here it is only
/// looked at to tell why a connection works for the one and not for the other.
pub fn skips_verification(path: Option<&Path>) -> bool {
    let file = path.and_then(|path| load(path).ok());
    let setting = file
        .and_then(|file| file.houston)
        .and_then(|houston| houston.skip_verify_tls);
    match setting {
        Some(Value::Bool(on)) => on,
        Some(Value::String(text)) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn load(path: &Path) -> Result<File, LoginProblem> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoginProblem::NoFile {
            path: path.to_owned(),
        },
        _ => LoginProblem::Unreadable {
            path: path.to_owned(),
            source,
        },
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > FILE_MAX {
        return Err(LoginProblem::Malformed {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    serde_saphyr::from_slice(&text).map_err(|_| LoginProblem::Malformed {
        path: path.to_owned(),
    })
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    contexts: Option<HashMap<String, Option<Context>>>,
    #[serde(default)]
    cloud: Option<Cloud>,
    #[serde(default)]
    local: Option<Local>,
    #[serde(default)]
    houston: Option<Houston>,
}

#[derive(Deserialize)]
struct Houston {
    // Text or a switch, and whatever else it may be must not cost the login.
    #[serde(default)]
    skip_verify_tls: Option<Value>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    token: Option<Secret>,
    #[serde(default)]
    workspace: Option<String>,
}

#[derive(Deserialize)]
struct Cloud {
    #[serde(default)]
    api: Option<CloudApi>,
}

#[derive(Deserialize)]
struct CloudApi {
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    port: Option<String>,
}

#[derive(Deserialize)]
struct Local {
    #[serde(default)]
    houston: Option<String>,
}

impl File {
    fn login(mut self, domain: Option<&Domain>) -> Result<AstroLogin, LoginProblem> {
        let name = match domain {
            Some(domain) => domain.name().to_owned(),
            None => filled(self.context.take()).ok_or(LoginProblem::NoContext)?,
        };
        let contexts = self.contexts.as_mut();
        let found = contexts
            .and_then(|contexts| contexts.remove(&name.replace('.', "_")))
            .flatten();
        let Some(context) = found else {
            return Err(LoginProblem::UnknownContext { domain: name });
        };
        let domain = filled(context.domain).unwrap_or(name);
        Ok(AstroLogin {
            url: self.url(&domain)?,
            token: context.token.unwrap_or_else(|| Secret::new("")),
            workspace: filled(context.workspace),
            domain,
        })
    }

    /// The URL by the CLI's own rule.
    fn url(&self, domain: &str) -> Result<ApiUrl, LoginProblem> {
        let text = if matches!(domain, "localhost" | "houston") {
            let local = self
                .local
                .as_ref()
                .and_then(|local| filled(local.houston.clone()));
            local.ok_or_else(|| LoginProblem::NoLocalUrl {
                domain: domain.to_owned(),
            })?
        } else {
            let api = self.cloud.as_ref().and_then(|cloud| cloud.api.as_ref());
            let protocol = api
                .and_then(|api| filled(api.protocol.clone()))
                .unwrap_or("https".to_owned());
            let port = api
                .and_then(|api| filled(api.port.clone()))
                .unwrap_or("443".to_owned());
            format!("{protocol}://houston.{domain}:{port}/v1")
        };
        ApiUrl::parse(&text).map_err(|refused| LoginProblem::Refused {
            domain: domain.to_owned(),
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
            .login(domain.as_ref())
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
