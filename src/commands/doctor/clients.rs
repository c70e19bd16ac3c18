//! The doctor's check of the variables that reach this process and may not reach a server that a client starts.

use std::io;

use super::Doctor;
use crate::config::Environment;
use crate::config::setting::{API_TOKEN, API_TOKEN_FILE};

impl Doctor<'_> {
    /// Names the variables that count here. A client starts its server with few of them, or with none.
    pub(super) fn clients(&mut self, environment: &Environment) -> io::Result<()> {
        let counting = environment.counting();
        if counting.is_empty() {
            let text = "none counts here, so a server that a client starts has the same settings; \
                        flags belong into its args";
            return self.ok("variables", text);
        }
        let text = format!(
            "this shell sets {}. A server that a client starts may not have them: Codex, the Inspector and the SDKs \
             pass none of them on",
            counting.join(", ")
        );
        let mut advice = "Run 'apc-mcp client NAME' in this shell: its entry holds them".to_owned();
        if counting.contains(&API_TOKEN.variable()) {
            advice.push_str(&format!(
                ", except {}. For the token run 'astro login', or put it into a file and name that with {}",
                API_TOKEN.variable(),
                API_TOKEN_FILE.name()
            ));
        }
        self.warn("variables", (text, advice))
    }
}
