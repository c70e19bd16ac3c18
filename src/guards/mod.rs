//! The guards: the policy, the files of keys and audit lines, the log, and the scrubbing of secrets.
//! Each guard decides by itself. None knows a tool or a session.

pub mod audit;
pub mod encoding;
pub mod key_files;
pub mod logging;
pub mod policy;
pub mod regular_file;
pub mod secret;
pub mod secret_set;
pub mod text;
