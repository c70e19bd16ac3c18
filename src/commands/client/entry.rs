//! The entry of this server in a client's configuration, in the form of each client. Holds no secret.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::table::ConfigFormat;

/// The server's name in every configuration.
pub const NAME: &str = "apc-mcp";

/// The command that starts this server, with its arguments and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
}

impl Entry {
    /// The whole content of a configuration that has this entry and no other.
    pub fn snippet(&self, form: ConfigFormat) -> String {
        match form {
            ConfigFormat::Toml => self.toml(),
            form => format!("{:#}", json!({form.root(): {NAME: self.json(form)}})),
        }
    }

    /// The entry as a value.
    pub fn json(&self, form: ConfigFormat) -> Value {
        let (command, arguments) = (&self.command, &self.arguments);
        let mut entry = match form {
            ConfigFormat::Opencode => {
                let command = [std::slice::from_ref(command), arguments].concat();
                json!({"type": "local", "command": command, "enabled": true})
            }
            ConfigFormat::Vscode => json!({"command": command, "args": arguments, "type": "stdio"}),
            ConfigFormat::Copilot => {
                json!({"command": command, "args": arguments, "type": "local", "tools": ["*"]})
            }
            _ => json!({"command": command, "args": arguments}),
        };
        if let Some(members) = entry.as_object_mut().filter(|_| !self.variables.is_empty()) {
            members.insert(form.variables().to_owned(), json!(self.variables));
        }
        entry
    }

    /// The entry in place of an old one. Of one that starts a program, the members stay that are not written here.
    pub fn over(&self, old: &Value, form: ConfigFormat) -> Value {
        let new = self.json(form);
        let mut merged = match old.as_object() {
            Some(members) if members.contains_key("command") => members.clone(),
            _ => return new,
        };
        for name in ["command", "args", form.variables()] {
            replace(&mut merged, name, new.get(name));
        }
        let kind = merged.get("type");
        if kind.is_some_and(|kind| kind != "stdio" && kind != "local") {
            replace(&mut merged, "type", new.get("type"));
        }
        Value::Object(merged)
    }

    /// The names of the members of an old entry that the new one does not have.
    pub fn kept<'a>(&self, old: &'a Value, form: ConfigFormat) -> Vec<&'a str> {
        let (new, over) = (self.json(form), self.over(old, form));
        let written = ["command", "args", "type", form.variables()];
        let is_kept = |(name, value): &(&'a str, &Value)| {
            !written.contains(name) && over.get(name) == Some(value) && new.get(name) != Some(value)
        };
        let members = old.as_object().into_iter().flatten();
        let members = members.map(|(name, value)| (name.as_str(), value));
        members.filter(is_kept).map(|(name, _)| name).collect()
    }

    /// Reads an entry that somebody else has written. One that starts no program has an empty command.
    pub fn read(value: &Value, form: ConfigFormat) -> Self {
        let mut words = match value.get("command") {
            Some(Value::String(command)) => vec![command.clone()],
            several => several.map(texts).unwrap_or_default(),
        };
        words.extend(value.get("args").map(texts).unwrap_or_default());
        let variables = value.get(form.variables()).and_then(Value::as_object);
        let variables = variables.into_iter().flatten();
        let variables = variables.map(|(name, value)| (name.clone(), text(value)));
        let mut words = words.into_iter();
        Self {
            command: words.next().unwrap_or_default(),
            arguments: words.collect(),
            variables: variables.collect(),
        }
    }

    /// A TOML table. TOML reads the escapes of JSON strings.
    fn toml(&self) -> String {
        let root = ConfigFormat::Toml.root();
        let mut table = format!(
            "[{root}.{NAME}]\ncommand = {}\nargs = {}",
            json!(self.command),
            json!(self.arguments)
        );
        if !self.variables.is_empty() {
            table.push_str(&format!("\n\n[{root}.{NAME}.env]"));
        }
        for (name, value) in &self.variables {
            table.push_str(&format!("\n{name} = {}", json!(value)));
        }
        table
    }
}

/// Puts a member in the place of an old one. One that is empty and one that is missing mean the same.
fn replace(members: &mut Map<String, Value>, name: &str, new: Option<&Value>) {
    let is_empty = |value: &Value| *value == json!([]) || *value == json!({});
    let old = members.get(name);
    match new {
        new if new.is_none_or(is_empty) && old.is_none_or(is_empty) => {}
        Some(value) => drop(members.insert(name.to_owned(), value.clone())),
        None => drop(members.shift_remove(name)),
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(text).collect()
}

/// The text of a value, which may be a number.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
