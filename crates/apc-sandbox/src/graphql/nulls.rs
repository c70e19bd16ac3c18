//! Puts null where a field failed, or above it where it must have a value. The library does neither.

use std::cmp::Reverse;

use async_graphql::parser::types::{BaseType, Field, Selection, SelectionSet, Type};
use serde_json::{Value, json};

use crate::graphql::definitions::{TypedDocument, bare, key, root};

impl<'a> TypedDocument<'a> {
    /// Puts null at the nearest place above each failed field that allows it, deep places first.
    pub(crate) fn put_nulls(&self, data: &mut Value, failed: &[Vec<Value>]) {
        let mut places: Vec<_> = failed.iter().map(|path| self.nearest(path)).collect();
        places.sort_by_key(|place| Reverse(place.len()));
        for place in places {
            if let Some(failed) = place.iter().try_fold(&mut *data, step) {
                *failed = Value::Null;
            }
        }
    }

    /// The longest part of the path whose end may be null; nothing stands for the data as a whole.
    fn nearest<'b>(&self, path: &'b [Value]) -> &'b [Value] {
        let last = self.allowed(path).iter().rposition(|allowed| *allowed);
        let length = last.map_or(0, |last| last + 1);
        path.get(..length).unwrap_or(&[])
    }

    /// Tells for each segment of the path whether there may be null.
    fn allowed(&self, path: &[Value]) -> Vec<bool> {
        let mut set = &self.operation.selection_set.node;
        let mut owner = root(self.operation);
        let mut ty: Option<&Type> = None;
        let mut allowed = Vec::new();
        for segment in path {
            ty = match segment.as_str() {
                Some(name) => {
                    let Some(field) = self.find(set, name) else {
                        break;
                    };
                    set = &field.selection_set.node;
                    let definition = self.definitions.field(owner, &field.name.node);
                    definition.map(|definition| &definition.ty.node)
                }
                None => ty.and_then(element),
            };
            owner = ty.map_or(owner, bare);
            allowed.push(ty.is_some_and(|ty| ty.nullable));
        }
        allowed
    }

    /// The field that the answer shows under this name.
    fn find(&self, set: &'a SelectionSet, name: &str) -> Option<&'a Field> {
        set.items.iter().find_map(|item| match &item.node {
            Selection::Field(field) => (key(&field.node) == name).then_some(&field.node),
            Selection::InlineFragment(fragment) => {
                self.find(&fragment.node.selection_set.node, name)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = &spread.node.fragment_name.node;
                let fragment = self.document.fragments.get(fragment)?;
                self.find(&fragment.node.selection_set.node, name)
            }
        })
    }
}

fn element(list: &Type) -> Option<&Type> {
    match &list.base {
        BaseType::List(inner) => Some(inner),
        BaseType::Named(_) => None,
    }
}

/// The library makes null of an object none of whose fields succeeded.
fn step<'a>(value: &'a mut Value, segment: &Value) -> Option<&'a mut Value> {
    let Some(name) = segment.as_str() else {
        let index = segment.as_u64()?;
        return value.get_mut(usize::try_from(index).ok()?);
    };
    if value.is_null() {
        *value = json!({});
    }
    let object = value.as_object_mut()?;
    Some(object.entry(name).or_insert(Value::Null))
}
