//! Every setting as it counts now, and where it came from, for people to read.
//! Parses nothing, and shows no secret.

use std::fmt::{self, Display};
use std::path::Path;

use super::Config;
use super::credential::{TOKEN, TokenSetting, usable};
use crate::apc::WorkspaceId;
use crate::apc::installation::{ApiUrl, Installation, TokenSource};
use crate::config::astro_login::{self, AstroLogin, LoginProblem};
use crate::guards::policy::{Confirm, KeyOutput};
use crate::guards::secret::Secret;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The flag, or the variable where there is none.
    pub name: &'static str,
    /// Where its value came from.
    pub origin: Origin,
    /// The value, or what is wrong with it.
    pub value: Result<String, String>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This variable.
    Variable(&'static str),
    /// The astro CLI's login.
    AstroLogin,
    /// Nobody has set it.
    Default,
}

impl Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => formatter.write_str("flag"),
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::AstroLogin => formatter.write_str("astro login"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

const NOT_SET: &str = "not set";

impl Config {
    /// Every setting, with what the astro login adds where it is what the installation comes from.
    pub fn settings(&self, installation: Option<&Installation>) -> Vec<Setting> {
        let mut all: Vec<_> = self
            .values()
            .into_iter()
            .map(|(name, value)| self.setting(name, value))
            .collect();
        if let Some(found) = installation {
            self.add_login(&mut all, found);
        }
        let named = |name: &str| {
            all.iter()
                .any(|setting| setting.is_called(name) && setting.value.is_err())
        };
        let elsewhere = self.broken.iter().filter(|broken| !named(broken.setting));
        let elsewhere: Vec<_> = elsewhere
            .map(|broken| Setting {
                name: broken.setting,
                origin: Origin::Variable(broken.setting),
                value: Err(broken.to_string()),
            })
            .collect();
        all.extend(elsewhere);
        all
    }

    /// Whether a setting has a value that cannot be used, so that no call can be made.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Whether the default workspace that is set is one that calls may be about.
    pub fn default_workspace_is_allowed(&self) -> bool {
        let set = self.workspace_id.as_ref();
        set.is_none_or(|id| self.policy.allows(id))
    }

    /// The URL that the settings name by themselves, without the login that a token may come from.
    pub fn url_alone(&self) -> Option<ApiUrl> {
        let named = self.place.domain.as_ref();
        let of_domain = || named?.api_url()?.ok();
        self.place.api_url.clone().or_else(of_domain)
    }

    /// The astro CLI's login for the domain set, or for its current context.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn astro_login(&self) -> Result<AstroLogin, LoginProblem> {
        let file = self.place.login_file.as_deref();
        astro_login::read(file, self.place.domain.as_ref()).await
    }

    /// Whether the astro CLI was told not to verify certificates, which counts for it alone.
    pub fn astro_skips_verification(&self) -> bool {
        astro_login::skips_verification(self.place.login_file.as_deref())
    }

    fn setting(&self, name: &'static str, value: String) -> Setting {
        let origin = self.origins.get(name).copied();
        let mut setting = Setting {
            name,
            origin: origin.unwrap_or(Origin::Default),
            value: Ok(value),
        };
        let problem = self
            .broken
            .iter()
            .find(|broken| setting.is_called(broken.setting));
        if let Some(broken) = problem {
            setting.value = Err(broken.to_string());
        }
        setting
    }

    fn values(&self) -> [(&'static str, String); 19] {
        let policy = &self.policy;
        [
            ("--domain", or_not_set(self.place.domain.as_ref())),
            ("--api-url", or_not_set(self.place.api_url.as_ref())),
            ("APC_API_TOKEN", self.token()),
            ("--api-token-file", self.token_file()),
            ("--workspace-id", or_not_set(self.workspace_id.as_ref())),
            ("--allow-workspace", self.allowed()),
            ("--read-only", on_or_off(policy.read_only)),
            ("--max-role", policy.max_role.name().to_owned()),
            ("--key-output", key_output(policy.key_output)),
            ("--key-dir", or_path(self.key_dir.as_deref())),
            ("--confirm", confirm(policy.confirm)),
            ("--max-changes-per-minute", self.rate()),
            ("--timeout", format!("{} s", self.timeout.as_secs_f64())),
            ("--ca-cert", or_path(self.connecting.ca_cert.as_deref())),
            ("--insecure", on_or_off(self.connecting.insecure)),
            ("--log", self.log.to_string()),
            ("--log-file", or_path(self.log_file.as_deref())),
            ("--audit-log", or_path(self.audit.path())),
            ("--sandbox", on_or_off(self.sandbox)),
        ]
    }

    fn add_login(&self, settings: &mut [Setting], found: &Installation) {
        let of_login = found.token_source == TokenSource::AstroLogin;
        let workspace = self.default_workspace(found).filter(|_| !self.sandbox);
        let added = [
            (
                "--domain",
                of_login.then(|| found.login_domain().to_owned()),
            ),
            (
                "APC_API_TOKEN",
                of_login.then(|| token_in_words(&found.token)),
            ),
            ("--workspace-id", workspace.map(WorkspaceId::into_string)),
        ];
        for (name, value) in added {
            let unset = settings
                .iter_mut()
                .find(|setting| setting.name == name && setting.origin == Origin::Default);
            if let (Some(setting), Some(value)) = (unset, value) {
                setting.value = Ok(value);
                setting.origin = Origin::AstroLogin;
            }
        }
    }

    fn token(&self) -> String {
        match &self.place.token {
            Some(TokenSetting::Value(token)) => token_in_words(token),
            _ => NOT_SET.to_owned(),
        }
    }

    fn token_file(&self) -> String {
        match &self.place.token {
            Some(TokenSetting::File { path, .. }) => or_path(Some(path)),
            _ => NOT_SET.to_owned(),
        }
    }

    fn allowed(&self) -> String {
        let Some(allowed) = &self.policy.allowed_workspaces else {
            return "all".to_owned();
        };
        let ids: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        ids.join(", ")
    }

    fn rate(&self) -> String {
        match self.policy.changes_per_minute {
            0 => "no limit".to_owned(),
            limit => limit.to_string(),
        }
    }
}

impl Setting {
    /// Whether a complaint about this name is about this setting.
    fn is_called(&self, name: &str) -> bool {
        let flag = name.split(' ').next();
        flag == Some(self.name)
            || matches!(self.origin, Origin::Variable(variable) if variable == name)
    }
}

/// A token as it may be shown: its length, without what people paste around it.
pub fn token_in_words(token: &Secret) -> String {
    let cut = usable(token, &TokenSource::Setting(TOKEN));
    let token = cut.as_ref().unwrap_or(token);
    let characters = token.expose().trim().chars().count();
    format!("set, {characters} characters")
}

fn or_not_set(value: Option<&impl Display>) -> String {
    value.map_or_else(|| NOT_SET.to_owned(), ToString::to_string)
}

fn or_path(path: Option<&Path>) -> String {
    or_not_set(path.map(Path::display).as_ref())
}

fn on_or_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn key_output(output: KeyOutput) -> String {
    match output {
        KeyOutput::File => "file",
        KeyOutput::Show => "show",
    }
    .to_owned()
}

fn confirm(confirm: Confirm) -> String {
    match confirm {
        Confirm::Auto => "auto",
        Confirm::Always => "always",
        Confirm::Never => "never",
    }
    .to_owned()
}
