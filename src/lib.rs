//! An MCP server that administers the service accounts of an Astro Private Cloud installation.
//!
//! A `tools/call` walks one corridor: standard input → [`session`] → [`tools`] → [`apc::operations`] →
//! [`apc::exchange`] → [`apc::http`] → HTTP, and back through the words of `tools::words` and `tools::failure`.
//!
//! | folder | purpose |
//! |---|---|
//! | [`cli`], [`commands`] | flags and subcommands; from the command line to the exit code |
//! | [`config`] | all settings, a row each, and the astro CLI's login; the only reader of the environment |
//! | [`session`] | one MCP session: the server, the line transport, questions to the user, prompts, shutdown |
//! | [`tools`] | the tools, their arguments, schemas, results and words; what changes share |
//! | [`apc`] | the API of the platform: vocabulary, one typed function per document, GraphQL, HTTP, errors |
//! | [`guards`] | policy, key files, audit log, secrets, harmless text, logging |
//!
//! The embedded API is a crate of its own, `apc-sandbox`: a second, independent reading of the API that shares no type
//! with this crate.
//!
//! Each thing has one home. The environment is read in [`config`]. HTTP is known to [`apc::http`], `errors[]` and their
//! codes to `apc::error`, tool results and schemas to [`tools`]. Advice to a person or model is given in [`tools`], in
//! `session::prompts`, [`config`] and `commands::doctor`. Standard output is opened by
//! [`commands`] alone.
//!
//! To add a tool, write its file in `tools/` and a row of `tools::TOOLS`; to change what clients see, run
//! `UPDATE_TOOLS=1 cargo test --test it snapshots` and look at the difference in `tools/`.

pub mod apc;
pub mod cli;
pub mod commands;
pub mod config;
pub mod guards;
pub mod session;
pub mod tools;
