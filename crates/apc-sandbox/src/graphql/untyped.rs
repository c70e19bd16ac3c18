//! Finds inline fragments without a type, on which the API of 2020 crashes.

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

/// Tells whether there is one below the field, directly or in a fragment.
pub(crate) fn has_untyped(document: &ExecutableDocument, field: &Field) -> bool {
    is_within(document, &field.selection_set.node, 0)
}

fn is_within(document: &ExecutableDocument, set: &SelectionSet, depth: usize) -> bool {
    // Validation refuses fragments that contain themselves, but comes later.
    let deep = depth > document.fragments.len();
    let is_untyped = |item: &Selection| match item {
        Selection::Field(field) => is_within(document, &field.node.selection_set.node, depth),
        Selection::InlineFragment(fragment) => {
            fragment.node.type_condition.is_none()
                || is_within(document, &fragment.node.selection_set.node, depth)
        }
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.is_some_and(|fragment| {
                is_within(document, &fragment.node.selection_set.node, depth + 1)
            })
        }
    };
    !deep && set.items.iter().any(|item| is_untyped(&item.node))
}
