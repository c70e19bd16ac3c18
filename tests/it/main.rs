//! One integration binary, one module per topic.

// Clippy takes helpers outside #[test] functions for product code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod arguments;
mod budget;
mod clients;
mod connection;
mod contract;
mod create;
mod delete;
mod demo;
mod errors;
mod get;
mod harness;
mod installation;
mod login;
mod protocol;
mod recordings;
mod sandbox;
mod settings;
mod snapshots;
mod tokens;
