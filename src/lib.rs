//! An MCP server that administers the service accounts of an Astro Private Cloud installation.
pub mod apc;
pub mod astro_login;
pub mod cli;
pub mod config;
pub mod demo;
pub mod logging;
pub mod sandbox;
pub mod secret;
pub mod server;
pub mod stdio;
pub mod tools;
