//! The doctor's checks of the settings, as the configuration reports them.

use std::io;

use super::{Doctor, Finding};
use crate::apc::installation::Installation;
use crate::cli::DoctorOptions;
use crate::config::setting::{
    ALLOW_WORKSPACE, API_TOKEN_FILE, CA_CERT, INSECURE, KEY_OUTPUT, SANDBOX, Setting, WORKSPACE_ID,
};
use crate::config::{CurrentSetting, Origin, token_in_words};
use crate::guards::policy::KeyOutput;

impl Doctor<'_> {
    /// Checks each setting that is shown, and the astro login.
    pub(super) async fn settings(
        &mut self,
        installation: Option<&Installation>,
        options: &DoctorOptions,
    ) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let hint = match options.all {
            true => "",
            false => "; --all shows those left at their default",
        };
        let remark = format!(" of apc-mcp {version}{hint}");
        self.report.begin("settings", "Settings", &remark)?;
        for current in self.config.settings(installation) {
            let is_default = current.origin == Origin::Default && current.value.is_ok();
            if options.all || !is_default {
                self.setting(&current, installation)?;
            }
        }
        if !self.config.sandbox {
            self.astro_login(installation).await?;
        }
        Ok(())
    }

    fn setting(
        &mut self,
        current: &CurrentSetting,
        installation: Option<&Installation>,
    ) -> io::Result<()> {
        let (name, origin) = (current.setting.name(), current.origin);
        let value = match &current.value {
            Ok(value) => format!("{value} ({origin})"),
            Err(broken) => {
                let advice = "Every call is refused until this is corrected or unset";
                return self.fail(name, (broken.to_string(), advice));
            }
        };
        if let Some(warning) = self.warning(current.setting, &value) {
            return self.warn(name, warning);
        }
        let is_unset = origin == Origin::Default && current.setting.names_the_installation();
        match is_unset && self.is_missing(installation) {
            true => self.warn(name, value),
            false => self.ok(name, value),
        }
    }

    /// Tells if the installation or the token is missing, and not just kept back by a setting that is broken.
    fn is_missing(&self, installation: Option<&Installation>) -> bool {
        installation.is_none() && !self.config.is_broken()
    }

    /// A warning about a value that can be used.
    fn warning(&self, setting: &Setting, value: &str) -> Option<Finding> {
        let config = self.config;
        let text = if *setting == INSECURE && config.connecting.insecure {
            let text = format!("{value}; anybody on the way can read the token");
            return Some((text, format!("Use {CA_CERT} instead")).into());
        } else if *setting == KEY_OUTPUT && config.policy.key_output == KeyOutput::Show {
            format!("{value}; new keys pass through the model and its logs")
        } else if *setting == WORKSPACE_ID && !config.default_workspace_is_allowed() {
            format!(
                "{value}; {ALLOW_WORKSPACE} does not allow it, so calls have no default workspace"
            )
        } else if *setting == API_TOKEN_FILE && config.token_file_is_unusable() {
            format!("{value}; no token can be read from this file")
        } else if *setting == SANDBOX && config.sandbox {
            format!(
                "{value}; this is a sandbox with invented accounts; domain, URL, token and login are not used"
            )
        } else {
            return None;
        };
        Some(text.into())
    }

    async fn astro_login(&mut self, installation: Option<&Installation>) -> io::Result<()> {
        let text = match self.config.astro_login().await {
            Ok(login) => match login.token_elsewhere() {
                Some(place) => format!("{} {place}", login.domain),
                None => format!("{}, token {}", login.domain, token_in_words(&login.token)),
            },
            Err(problem) => format!("none: {problem}"),
        };
        // Where nothing else is set up, a login that gives nothing is part of the fault.
        match self.is_missing(installation) {
            true => self.warn("astro login", text)?,
            false => self.ok("astro login", text)?,
        }
        if self.config.astro_skips_verification() {
            let text = "is true in the astro CLI's configuration and is ignored here";
            let advice = format!("For a private authority set {CA_CERT}");
            self.warn("skip_verify_tls", (text, advice))?;
        }
        Ok(())
    }
}
