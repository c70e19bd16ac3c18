//! GraphQL documents, and the fields of them that a release may lack.
//! Sends nothing; the exchange asks again with what is left.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::error::ApiError;

/// A document of `apc/documents/`, one field a line.
pub struct Document {
    /// The one top-level field it selects.
    pub field: &'static str,
    /// The file's text.
    pub text: &'static str,
    /// The fields that a release may lack: each costs itself, not the call.
    pub optional: &'static [&'static str],
    /// The newer and the older name of one field: the older one is asked for where the newer one is lacking.
    pub renamed: Option<Renamed>,
}

/// Two names of one field.
pub struct Renamed {
    /// The name that is asked for first.
    pub newer: &'static str,
    /// The name in older releases.
    pub older: &'static str,
    /// The type of its values. A release that lacks a part of it is asked without the field.
    pub of_type: &'static str,
    /// The sentence for the log, once, where a release has neither.
    pub lacking: &'static str,
}

impl Document {
    /// A document without a renamed field.
    pub(super) const fn of(
        field: &'static str,
        text: &'static str,
        optional: &'static [&'static str],
    ) -> Self {
        Self {
            field,
            text,
            optional,
            renamed: None,
        }
    }

    /// The text without the lines of the fields that the release lacks.
    pub(super) fn without(&self, lacking: &BTreeSet<&str>) -> Cow<'static, str> {
        if lacking.is_empty() && self.renamed.is_none() {
            return self.text.trim_end().into();
        }
        let selected =
            |line: &&str| !line.starts_with("    ") || self.asks(field_of(line), lacking);
        let lines: Vec<_> = self.text.lines().filter(selected).collect();
        lines.join("\n").into()
    }

    /// Tells whether the field is asked of a release that lacks these.
    fn asks(&self, field: &str, lacking: &BTreeSet<&str>) -> bool {
        let newer_is_there =
            |renamed: &Renamed| renamed.older == field && !lacking.contains(renamed.newer);
        !lacking.contains(field) && !self.renamed.as_ref().is_some_and(newer_is_there)
    }

    /// The renamed field, by the name that is asked of a release that lacks these.
    pub(super) fn renamed_field(&self, lacking: &BTreeSet<&str>) -> Option<&'static str> {
        let renamed = self.renamed.as_ref()?;
        let names = [renamed.newer, renamed.older];
        names.into_iter().find(|name| self.asks(name, lacking))
    }

    /// The renamed field, where the release has it by neither name.
    pub(super) fn wholly_lacking(&self, lacking: &BTreeSet<&str>) -> Option<&Renamed> {
        self.renamed
            .as_ref()
            .filter(|renamed| lacking.contains(renamed.newer) && lacking.contains(renamed.older))
    }

    /// The fields to leave out after the API refused the document with these words; an error where that would not help.
    pub(super) fn after_refusal(
        &self,
        lacking: &BTreeSet<&'static str>,
        messages: &[String],
    ) -> Result<BTreeSet<&'static str>, ApiError> {
        let named = messages.iter().flat_map(|message| words_of(message));
        let named: BTreeSet<_> = named.collect();
        let is_refused = |field: &&str| named.contains(field) && self.asks(field, lacking);
        let refused = self.optional.iter().copied().filter(is_refused);
        let mut refused: BTreeSet<_> = refused.collect();
        let of_type = self.renamed.as_ref().map(|renamed| renamed.of_type);
        if refused.is_empty() || of_type.is_some_and(|name| named.contains(name)) {
            // Not in words we know: of our selection, the field with two names is the likeliest to be lacking.
            refused.extend(self.renamed_field(lacking));
        }
        if refused.is_empty() {
            let message = messages.join("\n");
            return Err(ApiError::Incompatible { message });
        }
        refused.extend(lacking);
        Ok(refused)
    }
}

fn field_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The words of a complaint. Suggestions name fields that do exist, so they are left out.
fn words_of(message: &str) -> impl Iterator<Item = &str> {
    let complaint = message.split("Did you mean").next().unwrap_or(message);
    complaint.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: Document = Document {
        field: "q",
        text: "query q($label: String!) {\n  q(label: $label) {\n    id\n    label\n    createdAt\n    roleBindings { role }\n    roleBinding { role }\n  }\n}\n",
        optional: &["label", "createdAt", "roleBindings", "roleBinding"],
        renamed: Some(Renamed {
            newer: "roleBindings",
            older: "roleBinding",
            of_type: "RoleBinding",
            lacking: "no roles",
        }),
    };

    fn lacking(known: &[&'static str], messages: &[&str]) -> Option<Vec<&'static str>> {
        let messages: Vec<_> = messages.iter().map(|text| (*text).to_owned()).collect();
        let known = known.iter().copied().collect();
        let fields = DOCUMENT.after_refusal(&known, &messages).ok()?;
        Some(fields.into_iter().collect())
    }

    #[test]
    fn a_named_field_is_left_out_and_a_suggested_one_is_not() {
        let suggesting =
            r#"Cannot query field "label" on type "ServiceAccount". Did you mean "createdAt"?"#;
        let named = "Unknown field 'createdAt' on 'ServiceAccount'";
        assert_eq!(lacking(&[], &[suggesting]), Some(vec!["label"]));
        assert_eq!(lacking(&[], &[named]), Some(vec!["createdAt"]));
        assert_eq!(
            lacking(&[], &[suggesting, named]),
            Some(vec!["createdAt", "label"])
        );
    }

    #[test]
    fn the_older_name_follows_the_newer_one_and_nothing_follows_both() {
        let newer = r#"Cannot query field "roleBindings" on type "ServiceAccount". Did you mean "roleBinding"?"#;
        let older = r#"Cannot query field "roleBinding" on type "ServiceAccount"."#;
        let part = r#"Cannot query field "deployment" on type "RoleBinding"."#;
        let (first, both) = (vec!["roleBindings"], vec!["roleBinding", "roleBindings"]);
        assert_eq!(lacking(&[], &[newer]), Some(first.clone()));
        assert_eq!(lacking(&[], &[part]), Some(first.clone()));
        assert_eq!(lacking(&["roleBindings"], &[older]), Some(both.clone()));
        assert_eq!(lacking(&["roleBindings"], &[part]), Some(both));
        assert_eq!(lacking(&["roleBinding", "roleBindings"], &[part]), None);
        assert!(
            DOCUMENT
                .wholly_lacking(&BTreeSet::from(["roleBindings"]))
                .is_none()
        );
    }

    #[test]
    fn words_that_name_nothing_cost_the_field_with_two_names() {
        assert_eq!(
            lacking(&[], &["The query is invalid."]),
            Some(vec!["roleBindings"])
        );
    }

    #[test]
    fn a_field_leaves_the_selection_and_stays_among_the_variables() {
        let asked = |lacking: &[&'static str]| {
            let text = DOCUMENT.without(&lacking.iter().copied().collect());
            let text = text.strip_prefix("query q($label: String!) {\n  q(label: $label) {\n");
            text.unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(asked(&[]), "id label createdAt roleBindings { role } } }");
        assert_eq!(
            asked(&["label", "roleBindings"]),
            "id createdAt roleBinding { role } } }"
        );
        assert_eq!(
            asked(&["label", "roleBinding", "roleBindings"]),
            "id createdAt } }"
        );
    }
}
