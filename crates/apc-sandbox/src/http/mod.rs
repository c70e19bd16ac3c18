//! The sandbox's HTTP: sockets, requests, responses, and faults as a socket shows them.

pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod server;
