//! Finds inline fragments without a type, on which the API of 2020 crashes.

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

pub(crate) struct Untyped<'a> {
    pub(crate) document: &'a ExecutableDocument,
}

impl Untyped<'_> {
    /// Tells whether there is one below the field, directly or in a fragment.
    pub(crate) fn is_in(&self, field: &Field) -> bool {
        self.is_within(&field.selection_set.node, 0)
    }

    fn is_within(&self, set: &SelectionSet, depth: usize) -> bool {
        // Validation refuses fragments that contain themselves, but comes later.
        let deep = depth > self.document.fragments.len();
        !deep
            && set.items.iter().any(|item| match &item.node {
                Selection::Field(field) => self.is_within(&field.node.selection_set.node, depth),
                Selection::InlineFragment(fragment) => {
                    fragment.node.type_condition.is_none()
                        || self.is_within(&fragment.node.selection_set.node, depth)
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.document.fragments.get(name);
                    fragment.is_some_and(|fragment| {
                        self.is_within(&fragment.node.selection_set.node, depth + 1)
                    })
                }
            })
    }
}
