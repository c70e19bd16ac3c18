//! A report of every setting as it counts now, and of its origin, for people to read. Shows no secret.

use super::astro_login;
use super::fields::{Broken, Config, Origin};
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
    pub value: Result<String, Broken>,
}

impl Config {
    /// Every setting, completed by the astro login where the installation comes from it.
    pub fn settings(&self, installation: Option<&Installation>) -> Vec<CurrentSetting> {
        let mut all: Vec<_> = ALL.iter().map(|setting| self.current(setting)).collect();
        if let Some(found) = installation {
            self.add_login(&mut all, found);
        }
        all
    }

    /// Tells if a setting has a value that cannot be used. Then no call can be made.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The setting, if its value cannot be used.
    pub fn broken(&self, setting: &Setting) -> Option<&Broken> {
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

    fn current(&self, setting: &'static Setting) -> CurrentSetting {
        CurrentSetting {
            setting,
            origin: self.origin(setting),
            value: self
                .broken(setting)
                .cloned()
                .map_or(Ok(setting.shown(self)), Err),
        }
    }

    fn add_login(&self, settings: &mut [CurrentSetting], found: &Installation) {
        let workspace = self.default_workspace(found).filter(|_| !self.sandbox);
        let workspace = workspace.map(WorkspaceId::into_string);
        add(settings, &WORKSPACE_ID, workspace);
        if found.token_source == TokenSource::AstroLogin {
            add(settings, &DOMAIN, Some(found.url.base_domain().to_owned()));
            add(settings, &API_TOKEN, Some(token_in_words(&found.token)));
        }
    }
}

/// Adds what the astro login says to a setting that nobody has set.
fn add(settings: &mut [CurrentSetting], setting: &Setting, value: Option<String>) {
    let mut unset = settings
        .iter_mut()
        .filter(|one| one.origin == Origin::Default);
    if let (Some(one), Some(value)) = (unset.find(|one| one.setting == setting), value) {
        one.value = Ok(value);
        one.origin = Origin::AstroLogin;
    }
}
