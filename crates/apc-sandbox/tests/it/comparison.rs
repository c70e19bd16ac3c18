//! Compares an answer with the recorded one, in everything that the recordings call stable and in nothing else.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::support::Answer;

/// Keys whose values are stable, beside those that stand in the seeds.
const STABLE: [&str; 8] = [
    "label",
    "category",
    "entityType",
    "entityUuid",
    "active",
    "role",
    "code",
    "path",
];
/// Keys that are not looked into.
const UNSTABLE: [&str; 3] = ["locations", "exception", "message"];
const JAVASCRIPT: &str = "Cannot read";

/// The rules of one file of recordings.
pub struct Comparison {
    seeded: BTreeSet<String>,
    /// Keys whose values differ between the recorded release and those that the sandbox speaks for.
    pub free: &'static [&'static str],
    /// True if the order of lists is unspecified.
    pub unordered: bool,
}

impl Comparison {
    pub fn new(seeds: &Value) -> Comparison {
        let mut seeded = BTreeSet::new();
        collect(seeds, &mut seeded);
        Comparison {
            seeded,
            free: &[],
            unordered: false,
        }
    }

    /// The differences between an answer and a recording, as sentences.
    pub fn differences(&self, answer: &Answer, case: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let status = case["status"].as_u64();
        note(&mut found, "status", Some(u64::from(answer.status)), status);
        let kind = case["content_type"].as_str();
        let our_kind = answer.header("content-type");
        note(&mut found, "content type", our_kind, kind);
        // Pages are the web framework's.
        if kind.is_some_and(|kind| kind.starts_with("application/json")) {
            found.extend(self.bodies(&answer.json(), &case["body"], case));
        }
        found
    }

    pub fn bodies(&self, ours: &Value, theirs: &Value, case: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.values("body", ours, theirs, "body", &mut found);
        compare_messages(ours, theirs, case, &mut found);
        found
    }

    fn values(&self, key: &str, ours: &Value, theirs: &Value, at: &str, found: &mut Vec<String>) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
                note(found, at, keys(ours), keys(theirs));
                let compared = theirs
                    .iter()
                    .filter(|(key, _)| !UNSTABLE.contains(&key.as_str()));
                for (key, theirs) in compared {
                    let ours = ours.get(key).unwrap_or(&Value::Null);
                    self.values(key, ours, theirs, &format!("{at} > {key}"), found);
                }
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                note(found, &format!("length of {at}"), ours.len(), theirs.len());
                let (ours, theirs) = (self.ordered(key, ours), self.ordered(key, theirs));
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    self.values(key, ours, theirs, at, found);
                }
            }
            _ if self.is_stable(key, theirs) => note(found, at, ours, theirs),
            _ => note(found, at, ours.is_null(), theirs.is_null()),
        }
    }

    fn is_stable(&self, key: &str, value: &Value) -> bool {
        let named = STABLE.contains(&key) && !self.free.contains(&key);
        let known = |text: &str| self.seeded.contains(text) || text.ends_with('*');
        named || value.as_str().is_some_and(known)
    }

    fn ordered(&self, key: &str, list: &[Value]) -> Vec<Value> {
        let mut list = list.to_vec();
        if self.unordered && key != "errors" {
            list.sort_by_key(|row| row["label"].to_string() + &row["id"].to_string());
        }
        list
    }
}

/// Messages of resolver errors are stable. Not so those of the engines: JavaScript's, and a database's stand-in.
fn compare_messages(ours: &Value, theirs: &Value, case: &Value, found: &mut Vec<String>) {
    let remark = case["note"].as_str().unwrap_or_default();
    let invented = remark.starts_with("the words of this error are the stand-in");
    if case["status"] != 200 || invented {
        return;
    }
    for (ours, theirs) in errors(ours).iter().zip(errors(theirs)) {
        let [ours, theirs] = [ours, &theirs].map(|error| error["message"].as_str().unwrap_or(""));
        match theirs.starts_with(JAVASCRIPT) {
            true => note(found, "crash", ours.starts_with(JAVASCRIPT), true),
            false => note(found, "message", ours, theirs),
        }
    }
}

fn errors(body: &Value) -> Vec<Value> {
    body["errors"].as_array().cloned().unwrap_or_default()
}

fn note<T: PartialEq + std::fmt::Debug>(found: &mut Vec<String>, what: &str, ours: T, theirs: T) {
    if ours != theirs {
        found.push(format!("{what}: {ours:?}, recorded: {theirs:?}"));
    }
}

fn collect(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Array(list) => list.iter().for_each(|value| collect(value, texts)),
        Value::Object(object) => object.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

#[test]
fn the_comparison_notices_every_kind_of_difference() {
    use serde_json::json;

    let comparison = Comparison::new(&json!(["cks1"]));
    let row = json!({ "data": [{ "id": "cks1", "label": "a", "createdAt": "now" }] });
    let case = json!({ "status": 200 });
    let changed = |at: &str, value: Value| {
        let mut changed = row.clone();
        changed["data"][0][at] = value;
        comparison.bodies(&changed, &row, &case)
    };
    assert!(changed("createdAt", json!("then")).is_empty());
    for (at, value) in [
        ("createdAt", Value::Null),
        ("label", json!("b")),
        ("id", json!("cks2")),
        ("more", json!(1)),
    ] {
        assert_eq!(changed(at, value).len(), 1, "{at}");
    }
    assert_eq!(
        comparison.bodies(&json!({ "data": [] }), &row, &case).len(),
        1
    );
    let error = |message: &str| json!({ "errors": [{ "message": message }] });
    let told = comparison.bodies(&error("one"), &error("two"), &case);
    assert_eq!(told, ["message: \"one\", recorded: \"two\""]);
}
