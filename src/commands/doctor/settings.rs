//! The settings, and where each came from.
//! Knows no value by itself: all of it is the configuration's own report.

use std::io::{self, Write};

use super::{Doctor, TITLE};
use crate::apc::installation::Installation;
use crate::config::token_in_words;
use crate::guards::policy::KeyOutput;

impl Doctor<'_> {
    /// A line for each, and for the astro login.
    pub(super) async fn settings(&mut self, installation: Option<&Installation>) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            anstream::stdout(),
            "{TITLE}apc-mcp {version}: the settings, and where each came from{TITLE:#}"
        )?;
        for setting in self.config.settings(installation) {
            let name = setting.name;
            match (&setting.value, self.reservation(name)) {
                (Err(problem), _) => {
                    let text =
                        format!("{problem}. Every call is refused until it is mended or unset");
                    self.fail(name, &text)?;
                }
                (Ok(value), Some(why)) => {
                    self.warn(name, &format!("{value} ({}); {why}", setting.origin))?;
                }
                (Ok(value), None) => self.ok(name, &format!("{value} ({})", setting.origin))?,
            }
        }
        if !self.config.sandbox {
            self.astro_login().await?;
        }
        Ok(())
    }

    /// What speaks against a value that can be used.
    fn reservation(&self, name: &str) -> Option<&'static str> {
        match name {
            "--insecure" if self.config.connecting.insecure => {
                Some("anybody on the way can read the token. Use --ca-cert (APC_CA_CERT) instead")
            }
            "--key-output" if self.config.policy.key_output == KeyOutput::Show => {
                Some("new keys pass through the model and its logs")
            }
            "--workspace-id" if !self.config.default_workspace_is_allowed() => Some(
                "it is not among --allow-workspace (APC_ALLOWED_WORKSPACES), so calls have no default workspace",
            ),
            "--sandbox" if self.config.sandbox => Some(
                "this is a sandbox with invented accounts; domain, URL, token and login are not used",
            ),
            _ => None,
        }
    }

    async fn astro_login(&self) -> io::Result<()> {
        match self.config.astro_login().await {
            Ok(login) if login.token.expose().trim().is_empty() => {
                self.ok("astro login", &format!("{}, logged out", login.domain))?;
            }
            Ok(login) => {
                let text = format!("{}, token {}", login.domain, token_in_words(&login.token));
                self.ok("astro login", &text)?;
            }
            Err(problem) => self.ok("astro login", &format!("none: {problem}"))?,
        }
        if self.config.astro_skips_verification() {
            let text = "is true in the astro CLI's configuration and is not honoured here. For a private authority set \
                        --ca-cert (APC_CA_CERT)";
            self.warn("skip_verify_tls", text)?;
        }
        Ok(())
    }
}
