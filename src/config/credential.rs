//! Which installation is meant, and the credential for it: looked up afresh at every call.
//! Lets no token out of the pair of URL and token that was set or logged in together.

use std::path::{Path, PathBuf};

use super::settings::Broken;
use crate::apc::WorkspaceId;
use crate::apc::installation::{ApiUrl, Domain, Installation, TokenSource};
use crate::config::astro_login::{self, AstroLogin, LoginProblem};
use crate::guards::secret::Secret;

/// The largest token file, in bytes.
const TOKEN_FILE_MAX: u64 = 64 * 1024;

/// The shortest token, in characters.
const TOKEN_MIN: usize = 16;

pub(super) const TOKEN: &str = "APC_API_TOKEN";
pub(super) const TOKEN_FILE: &str = "APC_API_TOKEN_FILE";
pub(super) const TOKEN_FILE_FLAG: &str = "--api-token-file";

#[derive(Debug)]
pub(super) enum TokenSetting {
    Value(Secret),
    File {
        path: PathBuf,
        setting: &'static str,
    },
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
pub(super) enum Missing {
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

/// What says which installation is meant, and where its credential is.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) api_url: Option<ApiUrl>,
    pub(super) domain: Option<Domain>,
    pub(super) token: Option<TokenSetting>,
    pub(super) login_file: Option<PathBuf>,
}

impl Place {
    /// A token from the settings goes to the URL from the settings, never to a login's.
    pub(super) fn with_token(&self, setting: &TokenSetting) -> Result<Installation, Missing> {
        let url = self.url_for(setting)?;
        let source = TokenSource::Setting(setting.name());
        Ok(Installation {
            token: usable(&setting.read()?, &source)?,
            token_source: source,
            url,
            login_workspace: None,
        })
    }

    /// The workspace that the astro CLI is switched to, where its login is for this very URL.
    pub(super) fn login_workspace(&self, url: &ApiUrl) -> Option<WorkspaceId> {
        let login = astro_login::glance(self.login_file.as_deref(), self.domain.as_ref());
        login
            .filter(|login| login.url == *url)
            .and_then(|login| workspace_of(&login))
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
    pub(super) async fn with_login(&self) -> Result<Installation, Missing> {
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
        let login_workspace = workspace_of(&login);
        let token = usable(&login.token, &TokenSource::AstroLogin)?;
        Ok(Installation {
            url: login.url,
            token,
            token_source: TokenSource::AstroLogin,
            login_workspace,
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
pub(super) fn usable(token: &Secret, source: &TokenSource) -> Result<Secret, Missing> {
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
