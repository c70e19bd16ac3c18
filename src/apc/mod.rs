//! The vocabulary of the Private Cloud API: workspaces, service accounts, roles, and their bounds.
//! Values are parsed once, here, and trusted afterwards; a value that does not fit has no type.

mod account;
mod bounded;
mod certificate;
pub(crate) mod document;
mod documents;
pub(crate) mod error;
pub mod exchange;
pub mod http;
pub mod installation;
pub mod operations;
pub(crate) mod proxy;
mod response;
mod role;
pub mod selection;
pub(crate) mod token;
pub(crate) mod unreachable;
mod wire;

use std::fmt;

use serde::Serialize;

pub use account::Place;
pub(crate) use account::{
    Binding, Bindings, Category, Deployment, Entity, NewServiceAccount, ServiceAccount, Workspace,
};
pub(crate) use role::{Level, Rank, Role};

/// The error for a text that is no value of the vocabulary: the texts that are accepted, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted(pub &'static str);

/// The longest id in characters. Real ids are cuids of 25; other forms are let through.
pub const ID_MAX: usize = 128;

/// The longest label or category in characters, counted after trimming.
pub const TEXT_MAX: usize = 255;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            /// The texts that [`parse`](Self::parse) accepts, in words.
            pub const ACCEPTED: Accepted = Accepted("1 to 128 of the characters A-Z a-z 0-9 _ -");

            /// Reads an id. The error tells the texts that are accepted.
            pub fn parse(text: &str) -> Result<Self, Accepted> {
                let fits = (1..=ID_MAX).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                if fits { Ok(Self(text.to_owned())) } else { Err(Self::ACCEPTED) }
            }

            /// An id as the API gave it, whatever its form.
            pub fn verbatim(text: String) -> Self {
                Self(text)
            }

            pub(crate) fn into_string(self) -> String {
                self.0
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The id of a workspace.
    WorkspaceId
}

id! {
    /// The id of a deployment.
    DeploymentId
}

id! {
    /// The id of a service account.
    ServiceAccountId
}

/// A label or category: trimmed, 1 to 255 characters, no control characters. The API takes any text
/// (empty, 10,000 characters, several lines), so the bounds are ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(String);

impl Label {
    /// The texts that [`parse`](Self::parse) accepts, in words.
    pub const ACCEPTED: Accepted =
        Accepted("text of 1 to 255 characters after trimming, without control characters");

    /// Reads a label, without the blanks around it. The error tells the texts that are accepted.
    pub fn parse(text: &str) -> Result<Self, Accepted> {
        let text = text.trim();
        let fits =
            (1..=TEXT_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let label = fits.then(|| Self(text.to_owned()));
        label.ok_or(Self::ACCEPTED)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_128_of_its_characters() {
        assert!(WorkspaceId::parse("ck_-Z9").is_ok());
        assert!(WorkspaceId::parse(&"a".repeat(128)).is_ok());
        for bad in ["", "a b", "a/b", "ä", "a\n", &"a".repeat(129)] {
            assert_eq!(
                WorkspaceId::parse(bad),
                Err(WorkspaceId::ACCEPTED),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_label_is_trimmed_before_it_is_measured() {
        let padded = format!("  {}  ", "ü".repeat(255));
        assert_eq!(
            Label::parse(&padded).map(|label| label.0),
            Ok("ü".repeat(255))
        );
        for bad in ["", "  ", "a\nb", "a\u{7f}", &"a".repeat(256)] {
            assert_eq!(Label::parse(bad), Err(Label::ACCEPTED), "{bad:?}");
        }
    }
}
