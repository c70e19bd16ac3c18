//! The API's reasons not to do what it was asked. Their words depend on the line and belong to the GraphQL side.

/// A reason of the API for not doing something, or for not showing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No token, or one that is unknown or has expired.
    Unauthenticated,
    /// A good token without the right.
    NotPermitted,
    Duplicate {
        label: String,
    },
    NotFound,
    /// A change that names a row that is not there.
    NoRow {
        change: Change,
        model: &'static str,
        id: String,
    },
    InvalidRole,
    MissingArgument {
        names: &'static str,
    },
    /// The API's own code read a property of nothing and crashed.
    Crash(Crash),
    /// A field that must have a value has none.
    NoValue {
        field: String,
    },
    /// A list that is null because a row of it is broken.
    BrokenRow {
        list: String,
        index: usize,
    },
}

/// A change, by its name in the database layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Create,
    Update,
}

/// A property that was read of nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) property: &'static str,
    pub(crate) nothing: &'static str,
}
