//! One MCP session: the server, the line transport, questions to the user, prompts, and the end.
//! Knows no HTTP and no tool from the inside; a call goes to [`crate::tools`].

pub(crate) mod elicitation;
mod instructions;
mod prompts;
mod refusals;
pub mod server;
mod service;
pub mod shutdown;
mod transport;

pub use transport::LINE_MAX;
