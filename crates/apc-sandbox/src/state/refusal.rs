//! The API's reasons not to do what it was asked. Their words depend on the line and belong to the GraphQL side.

/// A reason of the API for not doing something, or for not showing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No token, or one that is unknown or has expired.
    Unauthenticated,
    /// A good token without the right.
    NotPermitted,
    /// An account of this label is there.
    Duplicate(String),
    NotFound,
    /// A change that names a row that is not there.
    NoRow {
        /// Its name in the database layer: `create` or `update`.
        change: &'static str,
        model: &'static str,
        id: String,
    },
    InvalidRole,
    /// None of these arguments was sent.
    MissingArgument(&'static str),
    /// The API's own code read a property of nothing and crashed.
    Crash {
        property: &'static str,
        nothing: &'static str,
    },
    /// A field that must have a value has none.
    NoValue(String),
    /// A list that is null because a row of it is broken.
    BrokenRow {
        list: String,
        index: usize,
    },
}
