//! The guards: the policy, the files of keys and audit lines, the log, and the scrubbing of secrets.
//! Each guard decides by itself. None knows a tool or a session.

pub(crate) mod audit;
pub(crate) mod encoding;
pub(crate) mod key_files;
pub(crate) mod logging;
pub(crate) mod policy;
pub(crate) mod regular_file;
pub mod secret;
pub mod secret_set;
pub mod text;
