//! One integration binary, one module per topic.

// Clippy takes helpers outside #[test] functions for product code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod advice;
mod arguments;
mod asking;
#[cfg(unix)]
mod audit;
mod budget;
mod bundle;
mod call;
mod certainty;
#[cfg(unix)]
mod changes;
mod client_config;
mod client_write;
mod connection;
#[cfg(unix)]
mod crashes;
mod create;
mod delete;
mod demo;
mod deployments;
mod disks;
mod doctor;
mod errors;
mod fuzz;
mod get;
mod hostile;
mod house;
#[cfg(unix)]
mod keys;
mod large;
mod lifecycle;
mod load;
mod log;
mod login;
mod matrix;
mod mcp_json;
mod policy;
mod prompts;
mod property;
mod protocol;
mod recovery;
mod rmcp;
mod secrets;
mod settings;
mod snapshots;
mod support;
mod tasks;
mod terminal;
mod tls;
mod today;
mod tokens;
mod wire;
