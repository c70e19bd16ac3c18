//! An MCP server that administers the service accounts of an Astro Private Cloud installation.
pub mod apc;
pub mod ask;
pub mod astro_login;
pub mod audit;
pub mod cli;
pub mod config;
pub mod demo;
pub mod keys;
pub mod logging;
pub mod policy;
pub mod sandbox;
pub mod secret;
pub mod server;
pub mod stdio;
pub mod text;
pub mod tools;
