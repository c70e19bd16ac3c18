//! The entry of this server in a client's configuration, in the form of each client. Holds no secret.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::Form;

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
    pub fn snippet(&self, form: Form) -> String {
        match form {
            Form::Toml => self.toml(),
            form => format!("{:#}", json!({form.root(): {NAME: self.json(form)}})),
        }
    }

    /// The entry as a value.
    pub fn json(&self, form: Form) -> Value {
        let mut entry = match form {
            Form::Opencode => {
                let command = [std::slice::from_ref(&self.command), &self.arguments].concat();
                json!({"type": "local", "command": command, "enabled": true})
            }
            _ => json!({"command": self.command, "args": self.arguments}),
        };
        match form {
            Form::Vscode => set(&mut entry, "type", json!("stdio")),
            Form::Copilot => {
                set(&mut entry, "type", json!("local"));
                set(&mut entry, "tools", json!(["*"]));
            }
            _ => {}
        }
        if !self.variables.is_empty() {
            set(&mut entry, form.variables(), json!(self.variables));
        }
        entry
    }

    /// Reads an entry that somebody else has written. One that starts no program has an empty command.
    pub fn read(value: &Value, form: Form) -> Self {
        let mut words = match value.get("command") {
            Some(Value::String(command)) => vec![command.clone()],
            several => several.map(texts).unwrap_or_default(),
        };
        words.extend(value.get("args").map(texts).unwrap_or_default());
        let variables = value.get(form.variables()).and_then(Value::as_object);
        let variables = variables.into_iter().flatten();
        let mut words = words.into_iter();
        Self {
            command: words.next().unwrap_or_default(),
            arguments: words.collect(),
            variables: variables
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        }
    }

    /// A TOML table. TOML reads the escapes of JSON strings.
    fn toml(&self) -> String {
        let root = Form::Toml.root();
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

fn set(entry: &mut Value, name: &str, value: Value) {
    if let Some(members) = entry.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
