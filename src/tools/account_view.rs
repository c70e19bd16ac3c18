//! A service account as results show it.
//! The key is masked unless the operator chose otherwise.

use chrono::{DateTime, SecondsFormat};
use schemars::JsonSchema;
use serde::Serialize;

use crate::apc::{Place, ServiceAccount};
use crate::guards::policy::KeyOutput;
use crate::guards::secret::Secrets;

// A service account in a result. (A doc comment would become a description in the schema.)
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// Its roles elsewhere; deleting it ends them too.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_bindings: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<String>,
    /// False if it may not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    /// Absent: never, as far as the platform knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
}

impl AccountView {
    /// The account in the words of the API, without what is usual: active, or never changed. The key shows only under
    /// `--key-output show`. A secret in another text may have become known after the account was read, by the list of
    /// another place.
    pub fn new(account: ServiceAccount, keys: KeyOutput, secrets: &Secrets) -> Self {
        let clean = |text: Option<String>| text.map(|text| secrets.scrubbed(text));
        let others: Vec<_> = account
            .other_bindings()
            .map(|binding| secrets.scrubbed(binding.to_string()))
            .collect();
        let role = clean(account.role().map(str::to_owned));
        let created_at = account.created_at.map(to_the_second);
        let updated_at = account.updated_at.map(to_the_second);
        let (workspace_id, deployment_id) = match account.place {
            Place::Workspace(id) => (clean(Some(id.into_string())), None),
            Place::Deployment(id) => (None, clean(Some(id.into_string()))),
        };
        Self {
            id: secrets.scrubbed(account.id.into_string()),
            label: clean(account.label),
            api_key: account.api_key.map(|key| match keys {
                KeyOutput::File => key.abbreviated(),
                KeyOutput::Show => key.expose().to_owned(),
            }),
            role,
            other_bindings: Some(others).filter(|others| !others.is_empty()),
            category: clean(account.category.into_text()),
            workspace_id,
            deployment_id,
            active: account.active.filter(|active| !active),
            updated_at: clean(updated_at.filter(|updated| Some(updated) != created_at.as_ref())),
            created_at: clean(created_at),
            last_used_at: clean(account.last_used_at.map(to_the_second)),
        }
    }
}

/// A time without the parts of its second; a text that is no time as it is.
pub fn to_the_second(text: String) -> String {
    match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => time.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true),
        Err(_) => text,
    }
}
