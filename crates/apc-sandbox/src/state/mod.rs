//! The installation behind the API: what is there, who may do what, and the rules of every change.
//! Knows no GraphQL and no HTTP.

pub(crate) mod account;
pub(crate) mod changes;
pub(crate) mod ids;
pub(crate) mod refusal;
pub(crate) mod roles;
pub(crate) mod seeds;
pub(crate) mod store;
pub(crate) mod tokens;
