//! One integration binary, one module per topic.

// Clippy takes helpers outside #[test] functions for product code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod arguments;
mod asking;
#[cfg(unix)]
mod audit;
mod budget;
mod bundle;
mod call;
mod client_config;
mod connection;
mod contract;
mod create;
mod delete;
mod demo;
mod doctor;
mod errors;
mod get;
mod guards;
mod harness;
mod hostile;
mod house;
mod idle;
mod installation;
#[cfg(unix)]
mod keys;
#[cfg(unix)]
mod life;
mod lifecycle;
mod load;
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
mod standin;
mod tls;
mod today;
mod tokens;
mod wire;
