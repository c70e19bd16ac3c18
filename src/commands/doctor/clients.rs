//! The doctor's check of the variables that reach this process and may not reach a server that a client starts.

use std::io;

use super::Doctor;
use crate::config::setting::{API_TOKEN, API_TOKEN_FILE};
use crate::config::{CarriedSettings, Environment, Flags};

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
        let carried = CarriedSettings::of(self.config, &Flags::default(), environment);
        let advice = match carried {
            Ok(carried) => advice(&counting, &carried),
            Err(_) => {
                "Correct the broken setting first: until then 'apc-mcp client NAME' prints no entry"
                    .to_owned()
            }
        };
        self.warn("variables", (text, advice))
    }
}

/// The use of an entry: it holds the variables, but for those that are left out.
fn advice(counting: &[&str], carried: &CarriedSettings) -> String {
    let left_out: Vec<_> = carried.left_out.iter().map(|(name, _)| *name).collect();
    let entry = "Run 'apc-mcp client NAME' in this shell: its entry holds";
    let mut advice = match left_out.len() {
        0 => format!("{entry} them"),
        all if all == counting.len() => format!("{entry} none of them, and it says why"),
        _ => {
            let left_out = left_out.join(", ");
            format!("{entry} them, except {left_out}, and it says why")
        }
    };
    if left_out.contains(&API_TOKEN.variable()) {
        let flag = API_TOKEN_FILE.name();
        advice.push_str(
            ". For the token run 'astro login', or put it into a file and name that with ",
        );
        advice.push_str(flag);
    }
    advice
}
