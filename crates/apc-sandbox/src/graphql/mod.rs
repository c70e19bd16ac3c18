//! The API's GraphQL: schemas, resolvers, the engine's own refusals, and the form of every answer.

pub(crate) mod account_fields;
pub(crate) mod call;
pub(crate) mod definitions;
pub(crate) mod document;
pub(crate) mod engine;
pub(crate) mod mutations;
pub(crate) mod node;
pub(crate) mod nulls;
pub(crate) mod place_fields;
pub(crate) mod queries;
pub(crate) mod reply;
pub(crate) mod validation;
pub(crate) mod words;
