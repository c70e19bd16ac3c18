//! The doctor's lines about the settings, as the configuration reports them.

use std::io::{self, Write};

use super::{Doctor, TITLE};
use crate::apc::installation::Installation;
use crate::config::setting::{
    ALLOW_WORKSPACE, CA_CERT, INSECURE, KEY_OUTPUT, SANDBOX, Setting, WORKSPACE_ID,
};
use crate::config::token_in_words;
use crate::guards::policy::KeyOutput;

impl Doctor<'_> {
    /// Writes a line for each setting and one for the astro login.
    pub(super) async fn settings(&mut self, installation: Option<&Installation>) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            anstream::stdout(),
            "{TITLE}apc-mcp {version}: the settings and their origins{TITLE:#}"
        )?;
        for current in self.config.settings(installation) {
            let (name, origin) = (current.setting.name(), current.origin);
            match (&current.value, self.warning(current.setting)) {
                (Err(broken), _) => {
                    let text =
                        format!("{broken}. Every call is refused until this is corrected or unset");
                    self.fail(name, &text)?;
                }
                (Ok(value), Some(warning)) => {
                    self.warn(name, &format!("{value} ({origin}); {warning}"))?;
                }
                (Ok(value), None) => self.ok(name, &format!("{value} ({origin})"))?,
            }
        }
        match self.config.sandbox {
            true => Ok(()),
            false => self.astro_login().await,
        }
    }

    /// A warning about a value that can be used.
    fn warning(&self, setting: &Setting) -> Option<String> {
        let config = self.config;
        if *setting == INSECURE && config.connecting.insecure {
            return Some(format!(
                "anybody on the way can read the token. Use {CA_CERT} instead"
            ));
        }
        if *setting == KEY_OUTPUT && config.policy.key_output == KeyOutput::Show {
            return Some("new keys pass through the model and its logs".to_owned());
        }
        if *setting == WORKSPACE_ID && !config.default_workspace_is_allowed() {
            return Some(format!(
                "{ALLOW_WORKSPACE} does not allow it, so calls have no default workspace"
            ));
        }
        let text =
            "this is a sandbox with invented accounts; domain, URL, token and login are not used";
        (*setting == SANDBOX && config.sandbox).then(|| text.to_owned())
    }

    async fn astro_login(&self) -> io::Result<()> {
        let text = match self.config.astro_login().await {
            Ok(login) if login.token.expose().trim().is_empty() => {
                format!("{} {}", login.domain, login.token_place())
            }
            Ok(login) => format!("{}, token {}", login.domain, token_in_words(&login.token)),
            Err(problem) => format!("none: {problem}"),
        };
        self.ok("astro login", &text)?;
        if self.config.astro_skips_verification() {
            let text = format!(
                "is true in the astro CLI's configuration and is ignored here. For a private authority set {CA_CERT}"
            );
            self.warn("skip_verify_tls", &text)?;
        }
        Ok(())
    }
}
