//! One integration binary, one module per topic.

// Clippy takes helpers outside #[test] functions for product code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod arguments;
mod clients;
mod connection;
mod contract;
mod create;
mod delete;
mod demo;
mod errors;
mod get;
mod harness;
mod hostile;
mod idle;
mod installation;
mod lifecycle;
mod load;
mod login;
mod matrix;
mod protocol;
mod recordings;
mod sandbox;
mod settings;
mod snapshots;
mod standin;
mod tls;
mod tokens;
mod wire;
