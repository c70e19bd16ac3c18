//! The installation and the credential for it, looked up afresh at every call.
//!
//! A token goes only to the URL that was set or logged in together with it.

use std::io;
use std::path::{Path, PathBuf};

use super::astro_login::{self, AstroLogin, LoginProblem};
use super::fields::{Broken, Config};
use super::setting::{API_TOKEN, API_TOKEN_FILE, API_URL, DOMAIN, Setting};
use super::values::{self, TokenProblem};
use crate::apc::WorkspaceId;
use crate::apc::installation::{ApiUrl, Domain, Installation, TokenSource};
use crate::guards::regular_file;
use crate::guards::secret::Secret;

/// The largest token file, in bytes.
const TOKEN_FILE_MAX: u64 = 64 * 1024;

/// A reason why no call can be made: something is not set up. The text says what, and the ways out.
#[derive(Debug, thiserror::Error)]
#[error("{problem}. {}", ways_out())]
pub struct NotConfigured {
    #[from]
    problem: InstallationProblem,
}

fn ways_out() -> String {
    format!(
        "Run 'astro login <domain>' in a terminal, which takes effect at the next call, or set {} and {} (or {}) in \
         this server's entry of the MCP client's configuration and restart it",
        DOMAIN.variable(),
        API_TOKEN.variable(),
        API_TOKEN_FILE.variable()
    )
}

#[derive(Debug, thiserror::Error)]
enum InstallationProblem {
    #[error("{}", listed(.0))]
    Broken(Vec<Broken>),
    #[error("No installation is set: there is no {}, and {}", DOMAIN.variable(), .0)]
    NoInstallation(LoginProblem),
    #[error(
        "{token} is set, but no installation it belongs to: set {} or {} beside it",
        DOMAIN.variable(),
        API_URL.variable()
    )]
    NoUrl { token: &'static str },
    #[error("There is no token for {url}: {} is not set, and {problem}", API_TOKEN.variable())]
    NoToken { url: String, problem: LoginProblem },
    #[error(
        "There is no token for {url}: {} is not set, and the astro login is for {login}, another URL",
        API_TOKEN.variable()
    )]
    LoginElsewhere { url: String, login: String },
    #[error(
        "The domain {domain} needs the API's URL: set {}, for instance to http://localhost:8871/v1, beside the token",
        API_URL.variable()
    )]
    LocalDomain { domain: Domain },
    #[error("The astro login for {domain} holds no token: it has logged out")]
    LoggedOut { domain: String },
    #[error("The token file {} ({setting}) cannot be used: {problem}", path.display())]
    TokenFile {
        path: PathBuf,
        setting: &'static str,
        problem: io::Error,
    },
    #[error("The token from {origin} cannot be used: {problem}")]
    Token {
        origin: TokenSource,
        problem: TokenProblem,
    },
}

fn listed(broken: &[Broken]) -> String {
    let sentences: Vec<_> = broken.iter().map(Broken::to_string).collect();
    sentences.join(". ")
}

impl Config {
    /// The installation and the credential for it, as they are now.
    ///
    /// # Errors
    /// Something is not set up; the text names it and the ways out.
    pub async fn installation(&self) -> Result<Installation, NotConfigured> {
        if !self.broken.is_empty() {
            return Err(InstallationProblem::Broken(self.broken.clone()).into());
        }
        if let Some(sandbox) = &self.running_sandbox {
            return Ok(sandbox.clone());
        }
        Ok(match (&self.token, &self.token_file) {
            (Some(token), _) => self.with_token(&API_TOKEN, Ok(token.clone()))?,
            (None, Some(path)) => self.with_token(&API_TOKEN_FILE, self.read_token(path))?,
            (None, None) => self.with_login().await?,
        })
    }

    /// The workspace meant where a call to this installation names none. Next to a token from the settings, this is
    /// the only reader of the astro login.
    pub fn default_workspace(&self, found: &Installation) -> Option<WorkspaceId> {
        let of_login = || match found.token_source {
            TokenSource::AstroLogin => found.login_workspace.clone(),
            TokenSource::Setting(_) => self.login_workspace(&found.url),
            TokenSource::Sandbox => None,
        };
        let meant = self.workspace_id.clone().or_else(of_login);
        meant.filter(|id| self.policy.allows(id))
    }

    /// Tells if there is such a workspace now.
    pub async fn has_default_workspace(&self) -> bool {
        match &self.workspace_id {
            Some(id) => self.policy.allows(id),
            None => self
                .installation()
                .await
                .is_ok_and(|found| self.default_workspace(&found).is_some()),
        }
    }

    /// The URL that the settings name by themselves, without a login.
    pub fn url_from_settings(&self) -> Option<ApiUrl> {
        let of_domain = || self.domain.as_ref()?.api_url()?.ok();
        self.api_url.clone().or_else(of_domain)
    }

    /// The astro CLI's login for the domain set, or for its current context.
    ///
    /// # Errors
    /// There is no login that can be used.
    pub async fn astro_login(&self) -> Result<AstroLogin, LoginProblem> {
        astro_login::find(self.login_file.as_deref(), self.domain.as_ref()).await
    }

    /// Pairs a token from the settings with the URL from the settings, never with a login's.
    fn with_token(
        &self,
        setting: &Setting,
        token: Result<Secret, InstallationProblem>,
    ) -> Result<Installation, InstallationProblem> {
        let origin = TokenSource::Setting(self.written_as(setting));
        Ok(Installation {
            url: self.url_for(setting)?,
            token: bare(&token?, &origin)?,
            token_source: origin,
            login_workspace: None,
        })
    }

    fn url_for(&self, setting: &Setting) -> Result<ApiUrl, InstallationProblem> {
        let token = self.written_as(setting);
        let url = self.url_from_settings();
        url.ok_or_else(|| match self.domain.clone() {
            Some(domain) => InstallationProblem::LocalDomain { domain },
            None => InstallationProblem::NoUrl { token },
        })
    }

    /// Pairs a login's token with the login's URL, both from one read of the file.
    async fn with_login(&self) -> Result<Installation, InstallationProblem> {
        let found = self.astro_login().await;
        let login = found.map_err(|problem| self.without_login(problem))?;
        if let Some(url) = self.api_url.as_ref().filter(|url| **url != login.url) {
            return Err(InstallationProblem::LoginElsewhere {
                url: url.to_string(),
                login: login.url.to_string(),
            });
        }
        if login.token.expose().trim().is_empty() {
            let domain = login.domain;
            return Err(InstallationProblem::LoggedOut { domain });
        }
        Ok(Installation {
            login_workspace: workspace_of(&login),
            token: bare(&login.token, &TokenSource::AstroLogin)?,
            token_source: TokenSource::AstroLogin,
            url: login.url,
        })
    }

    fn without_login(&self, problem: LoginProblem) -> InstallationProblem {
        let url = self.api_url.as_ref().map(ApiUrl::to_string);
        match url.or_else(|| self.domain.as_ref().map(Domain::to_string)) {
            Some(url) => InstallationProblem::NoToken { url, problem },
            None => InstallationProblem::NoInstallation(problem),
        }
    }

    /// The workspace that the astro CLI is switched to, if its login is for this URL.
    fn login_workspace(&self, url: &ApiUrl) -> Option<WorkspaceId> {
        let file = self.login_file.as_deref();
        let login = astro_login::find_at_once(file, self.domain.as_ref()).ok();
        let login = login.filter(|login| login.url == *url)?;
        workspace_of(&login)
    }

    fn read_token(&self, path: &Path) -> Result<Secret, InstallationProblem> {
        read_token(path).map_err(|problem| InstallationProblem::TokenFile {
            path: path.to_owned(),
            setting: self.written_as(&API_TOKEN_FILE),
            problem,
        })
    }
}

fn workspace_of(login: &AstroLogin) -> Option<WorkspaceId> {
    WorkspaceId::parse(login.workspace.as_deref()?).ok()
}

fn bare(token: &Secret, origin: &TokenSource) -> Result<Secret, InstallationProblem> {
    values::bare_token(token).map_err(|problem| InstallationProblem::Token {
        origin: origin.clone(),
        problem,
    })
}

fn read_token(path: &Path) -> io::Result<Secret> {
    let bytes = regular_file::read(path, TOKEN_FILE_MAX)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))?;
    Ok(Secret::new(text))
}
