//! One MCP session: the server behind it, the line transport, asking the user, and how it ends.
//! Knows no HTTP; what a tool does is the business of [`crate::tools`].

pub mod elicitation;
pub mod prompts;
pub mod server;
pub mod shutdown;
mod transport;
