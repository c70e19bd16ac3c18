//! An MCP server that administers the service accounts of an Astro Private Cloud installation.
pub mod sandbox;
