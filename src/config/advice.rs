//! Advice on settings, in the words that both the tools and the doctor use.

use super::setting::{AUDIT_LOG, KEY_DIR};

/// The way out if the directory for key files cannot be used.
pub fn on_key_dir() -> String {
    format!("Set {KEY_DIR} to a directory of your own that nobody else can write to")
}

/// The way out if the audit log cannot be opened.
pub fn on_audit_log() -> String {
    format!("No change is made until {AUDIT_LOG} is corrected or unset; reading works without it")
}
