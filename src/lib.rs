//! An MCP server that administers the service accounts of an Astro Private Cloud installation.
//!
//! A `tools/call` walks one corridor: standard input → [`stdio`] → [`server`] → [`tools`] →
//! [`apc::operations`] → [`apc::graphql`] → [`apc::client`] → HTTP, and back through the words of
//! `tools::result`.
//!
//! | room | what for |
//! |---|---|
//! | [`program`] | from the command line to the exit code |
//! | [`cli`], [`config`], [`astro_login`] | flags; all settings, the only reader of the environment; the astro CLI's login |
//! | [`stdio`], [`server`] | the transport and how a session ends; identity, the list of tools, the fences around a call |
//! | [`tools`] | the tools, their arguments, schemas, results and words; what changes share |
//! | [`policy`], [`ask`], [`keys`], [`audit`] | what this server may do; asking the user; where keys go; one line per change |
//! | [`apc`] | the API: vocabulary, one typed function per document, GraphQL, HTTP, what happened |
//! | [`secret`], [`text`], [`logging`] | strings that do not show; foreign text made harmless; tracing |
//! | [`sandbox`] | a second, independent reading of the API, which shares no type with the rest |
//! | [`prompts`] | the two texts that a user may start a conversation with |
//! | [`pipe`] | a client in this process, for the commands that make calls |
//! | [`demo`], [`call`], [`doctor`], [`open_sandbox`], [`client`] | the commands for people |
//!
//! Whose line is it? The environment is read in [`config`] alone. HTTP is known to [`apc::client`]
//! alone, `errors[]` and their codes to [`apc::error`], tool results and schemas to [`tools`]. Advice to
//! a person or model is given in `tools::result` and the tools, in [`prompts`], [`config`] and [`doctor`].
//! Standard output is written by [`stdio`], and by the commands for people.
//!
//! To add a tool, write its file in `tools/` and name it in `tools::TOOLS` and `tools::run`; to
//! change what clients see, run `UPDATE_TOOLS=1 cargo test --test it snapshots` and look at the difference in `tools/`.
pub mod apc;
pub mod ask;
pub mod astro_login;
pub mod audit;
pub mod call;
pub mod cli;
pub mod client;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod keys;
pub mod logging;
pub mod open_sandbox;
pub mod pipe;
pub mod policy;
pub mod program;
pub mod prompts;
pub mod sandbox;
pub mod secret;
pub mod server;
pub mod stdio;
pub mod text;
pub mod tools;
