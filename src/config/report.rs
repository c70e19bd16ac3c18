//! A report of every setting as it counts now, and of its origin, for people to read. Shows no secret.

use super::astro_login;
use super::fields::{BrokenSetting, Config, Origin};
use super::setting::{ALL, API_TOKEN, DOMAIN, Setting, WORKSPACE_ID};
use super::token::token_in_words;
use crate::apc::WorkspaceId;
use crate::apc::installation::{Installation, TokenSource};

/// A setting as it counts now.
#[derive(Debug)]
pub struct CurrentSetting {
    /// The setting.
    pub setting: &'static Setting,
    /// The origin of its value.
    pub origin: Origin,
    /// The shown form of its value.
    pub value: Result<String, BrokenSetting>,
}

impl Config {
    /// Every setting, completed by the astro login where the installation comes from it.
    pub fn settings(&self, installation: Option<&Installation>) -> Vec<CurrentSetting> {
        let current = |setting: &&'static Setting| self.current(setting, installation);
        ALL.iter().map(current).collect()
    }

    /// Tells if a setting has a value that cannot be used. Then no call can be made.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The setting, if its value cannot be used.
    pub fn broken(&self, setting: &Setting) -> Option<&BrokenSetting> {
        let mut broken = self.broken.iter();
        broken.find(|broken| broken.setting == setting.name())
    }

    /// Tells if calls may be about the default workspace that is set.
    pub fn default_workspace_is_allowed(&self) -> bool {
        let set = self.workspace_id.as_ref();
        set.is_none_or(|id| self.policy.allows(id))
    }

    /// Tells if the astro CLI does not verify certificates. This server ignores that.
    pub fn astro_skips_verification(&self) -> bool {
        astro_login::skips_verification(&self.login_place)
    }

    fn current(
        &self,
        setting: &'static Setting,
        installation: Option<&Installation>,
    ) -> CurrentSetting {
        let mut origin = self.origin(setting);
        let found = installation.filter(|_| origin == Origin::Default);
        let of_login = found.and_then(|found| self.of_login(setting, found));
        let value = match (of_login, self.broken(setting)) {
            (Some(value), _) => {
                origin = Origin::AstroLogin;
                Ok(value)
            }
            (None, Some(broken)) => Err(broken.clone()),
            (None, None) => Ok(setting.shown(self)),
        };
        CurrentSetting {
            setting,
            origin,
            value,
        }
    }

    /// The value that the astro login has for a setting that nobody has set.
    fn of_login(&self, setting: &Setting, found: &Installation) -> Option<String> {
        let is_login = found.token_source == TokenSource::AstroLogin;
        if *setting == WORKSPACE_ID && !self.sandbox {
            self.default_workspace(found).map(WorkspaceId::into_string)
        } else if *setting == DOMAIN && is_login {
            Some(found.url.base_domain().to_owned())
        } else if *setting == API_TOKEN && is_login {
            Some(token_in_words(&found.token))
        } else {
            None
        }
    }
}
