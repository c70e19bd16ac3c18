//! The installation and the credential for it, looked up afresh at every call.
//!
//! A token goes only to the URL that was set or logged in together with it.

use std::io;
use std::path::Path;

use super::astro_login::{self, AstroLogin, LoginProblem};
use super::fields::{AllBrokenSettings, Config};
use super::not_configured::{InstallationProblem, NotConfigured};
use super::setting::{API_TOKEN, API_TOKEN_FILE, API_URL, DOMAIN, Setting};
use super::token;
use crate::apc::WorkspaceId;
use crate::apc::installation::{ApiUrl, Domain, Installation, TokenSource};
use crate::guards::regular_file;
use crate::guards::secret::Secret;

/// The largest token file, in bytes.
const TOKEN_FILE_MAX: u64 = 64 * 1024;

impl Config {
    /// The installation and the credential for it, as they are now. An error names what is missing and the ways out.
    pub async fn installation(&self) -> Result<Installation, NotConfigured> {
        let found = self.find_installation().await;
        found.map_err(|problem| NotConfigured {
            problem,
            reader: self.reader,
        })
    }

    async fn find_installation(&self) -> Result<Installation, InstallationProblem> {
        if !self.broken.is_empty() {
            return Err(InstallationProblem::Broken(AllBrokenSettings(
                self.broken.clone(),
            )));
        }
        if let Some(sandbox) = &self.running_sandbox {
            return Ok(sandbox.clone());
        }
        match (&self.token, &self.token_file) {
            (Some(token), _) => self.with_token(&API_TOKEN, Ok(token.clone())),
            (None, Some(path)) => self.with_token(&API_TOKEN_FILE, self.read_token(path)),
            (None, None) => self.with_login().await,
        }
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
        if let Some(id) = &self.workspace_id {
            return self.policy.allows(id);
        }
        let found = self.find_installation().await;
        found.is_ok_and(|found| self.default_workspace(&found).is_some())
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
        astro_login::find(&self.login_place, self.domain.as_ref()).await
    }

    /// Pairs a token from the settings with the URL from the settings, never with a login's.
    fn with_token(
        &self,
        setting: &Setting,
        token: Result<Secret, InstallationProblem>,
    ) -> Result<Installation, InstallationProblem> {
        let name = self.written_as(setting);
        let url = self.url_from_settings();
        let url = url.ok_or_else(|| match self.domain.clone() {
            Some(domain) => InstallationProblem::LocalDomain { domain },
            None => InstallationProblem::NoUrl { token: name },
        })?;
        let origin = TokenSource::Setting(name);
        Ok(Installation {
            token: bare(&token?, &origin, url.base_domain())?,
            url,
            token_source: origin,
            login_workspace: None,
        })
    }

    /// Pairs a login's token with the login's URL, both from one read of the file.
    async fn with_login(&self) -> Result<Installation, InstallationProblem> {
        let found = self.astro_login().await;
        let login = found.map_err(|problem| self.without_login(problem))?;
        if let Some((url, set_by)) = self.whole_url().filter(|(url, _)| *url != login.url) {
            return Err(InstallationProblem::LoginElsewhere {
                lacks_version: url.lacks_version() && url.host() == login.url.host(),
                url: url.to_string(),
                set_by,
                login: login.url.to_string(),
            });
        }
        if let Some(place) = login.token_elsewhere() {
            let domain = login.domain;
            return Err(InstallationProblem::LoggedOut { domain, place });
        }
        Ok(Installation {
            login_workspace: workspace_of(&login),
            token: bare(&login.token, &TokenSource::AstroLogin, &login.domain)?,
            token_source: TokenSource::AstroLogin,
            url: login.url,
        })
    }

    /// The URL that the settings name as a whole, with its port, and the setting that does. A domain without a port
    /// leaves the port to the astro CLI's configuration.
    fn whole_url(&self) -> Option<(ApiUrl, &'static str)> {
        if let Some(url) = &self.api_url {
            return Some((url.clone(), self.written_as(&API_URL)));
        }
        let domain = self.domain.as_ref().filter(|domain| domain.has_port())?;
        let url = domain.api_url()?.ok()?;
        Some((url, self.written_as(&DOMAIN)))
    }

    fn without_login(&self, problem: LoginProblem) -> InstallationProblem {
        let of_url = |url: &ApiUrl| (url.to_string(), url.base_domain().to_owned());
        let of_domain = |domain: &Domain| (domain.to_string(), domain.name().to_owned());
        let set = self.api_url.as_ref().map(of_url);
        match set.or_else(|| self.domain.as_ref().map(of_domain)) {
            Some((place, domain)) => InstallationProblem::NoToken {
                place,
                domain,
                problem,
            },
            None => InstallationProblem::NoInstallation(problem),
        }
    }

    /// The workspace that the astro CLI is switched to, if its login is for this URL.
    fn login_workspace(&self, url: &ApiUrl) -> Option<WorkspaceId> {
        let login = astro_login::find_at_once(&self.login_place, self.domain.as_ref()).ok();
        let login = login.filter(|login| login.url == *url)?;
        workspace_of(&login)
    }

    /// Tells if a token file is set and holds no token that can be used.
    pub fn token_file_is_unusable(&self) -> bool {
        let is_usable = |token: Secret| token::bare_token(&token).is_ok();
        let file = self.token_file.as_deref();
        file.is_some_and(|path| !read_token(path).is_ok_and(is_usable))
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

fn bare(token: &Secret, origin: &TokenSource, domain: &str) -> Result<Secret, InstallationProblem> {
    token::bare_token(token).map_err(|problem| InstallationProblem::Token {
        origin: origin.clone(),
        domain: domain.to_owned(),
        problem,
    })
}

fn read_token(path: &Path) -> io::Result<Secret> {
    let bytes = regular_file::read_text(path, TOKEN_FILE_MAX)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))?;
    Ok(Secret::new(text))
}
