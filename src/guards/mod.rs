//! The guards: what this server may do, where keys and audit lines go, and what must not leave it.
//! Each guard decides by itself; none knows a tool or a session.

pub mod audit;
pub mod encoding;
pub mod key_files;
pub mod logging;
pub mod policy;
pub mod regular_file;
pub mod secret;
pub mod secret_set;
pub mod text;
