//! The API's JSON, and the vocabulary that it becomes.
//! Text stays borrowed from the answer until an account is kept: a list may hold thousands.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Deserializer};

use super::exchange::Api;
use super::operations::Candidate;
use super::{
    Binding, Bindings, Category, DeploymentId, Entity, Place, ServiceAccount, ServiceAccountId,
    Workspace, WorkspaceId,
};
use crate::guards::secret::Secret;

#[derive(Deserialize)]
pub(super) struct WireWorkspace {
    id: String,
    label: Option<String>,
}

impl WireWorkspace {
    pub(super) fn read(self, api: &Api<'_>) -> Workspace {
        Workspace {
            id: WorkspaceId::verbatim(self.id),
            label: self.label.map(|label| api.scrubbed(label)),
        }
    }
}

/// The part of a deleted account that is asked for.
#[derive(Deserialize)]
pub(super) struct WireDeleted {
    pub(super) id: Option<String>,
}

/// Text that stays in the answer where it can. (`Option<Cow<str>>` alone never does.)
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// One service account. Every field is optional: a field that failed is null, with an error beside the data.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireAccount<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) label: Option<Text<'a>>,
    api_key: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    category: Option<Option<Text<'a>>>,
    active: Option<bool>,
    created_at: Option<Text<'a>>,
    updated_at: Option<Text<'a>>,
    last_used_at: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    role_bindings: Option<Option<Vec<Option<WireBinding<'a>>>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    role_binding: Option<Option<WireBinding<'a>>>,
}

#[derive(Deserialize)]
struct WireBinding<'a> {
    #[serde(borrow)]
    role: Option<Text<'a>>,
    workspace: Option<WireEntity<'a>>,
    deployment: Option<WireEntity<'a>>,
}

#[derive(Deserialize)]
struct WireEntity<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// A member that is there, even if it is null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl WireAccount<'_> {
    /// Marks the members that are null because they failed: they are not known, and not none.
    pub(super) fn mark_failed(&mut self, members: &HashSet<&str>) {
        if members.contains("category") {
            self.category = None;
        }
        if members.contains("roleBindings") || members.contains("roleBinding") {
            self.role_bindings = Some(None);
        }
    }

    /// The bindings, by the newer field or by the older one.
    pub(super) fn bindings(&self, api: &Api<'_>) -> Bindings {
        let read = |binding: &Option<WireBinding<'_>>| match binding {
            Some(binding) => binding.read(api),
            None => Binding {
                role: None,
                entity: Entity::Unknown,
            },
        };
        match (&self.role_bindings, &self.role_binding) {
            (Some(Some(bindings)), _) => Bindings::known_as(bindings.iter().map(read).collect()),
            (None, Some(binding @ Some(_))) => Bindings::known_as(vec![read(binding)]),
            (Some(None), _) | (None, Some(None)) => Bindings::Unreadable,
            (None, None) => Bindings::NotShown,
        }
    }

    /// The parts by which it is selected; none without an id.
    pub(super) fn candidate(&self) -> Option<Candidate<'_>> {
        Some(Candidate {
            id: self.id.as_ref()?.as_str(),
            label: self.label.as_ref().map(Text::as_str),
        })
    }

    pub(super) fn remember_key(&self, api: &Api<'_>) {
        if let Some(key) = &self.api_key {
            api.remember_key(key.as_str());
        }
    }

    /// The account as it stands in the list of this place; none without an id.
    pub(super) fn read(
        self,
        api: &Api<'_>,
        place: &Place,
        bindings: Bindings,
    ) -> Option<ServiceAccount> {
        let clean = |text: Option<Text<'_>>| text.map(|text| api.scrubbed(text.into_string()));
        Some(ServiceAccount {
            id: ServiceAccountId::verbatim(self.id?.into_string()),
            label: clean(self.label),
            api_key: self.api_key.map(Text::into_string).map(Secret::new),
            bindings,
            category: match self.category {
                None => Category::Unknown,
                Some(category) => Category::of(clean(category)),
            },
            place: place.clone(),
            active: self.active,
            created_at: clean(self.created_at),
            updated_at: clean(self.updated_at),
            last_used_at: clean(self.last_used_at),
        })
    }
}

impl WireBinding<'_> {
    fn read(&self, api: &Api<'_>) -> Binding {
        let role = self.role.as_ref().map(|role| role.as_str().to_owned());
        let id = |entity: &Option<WireEntity<'_>>| {
            let id = entity.as_ref()?.id.as_ref()?;
            Some(id.as_str().to_owned())
        };
        let mut binding = Binding {
            role: role.map(|role| api.scrubbed(role)),
            entity: Entity::Unknown,
        };
        binding.entity = match (id(&self.deployment), id(&self.workspace)) {
            (Some(id), _) => Entity::Place(Place::Deployment(DeploymentId::verbatim(id))),
            (None, Some(id)) => Entity::Place(Place::Workspace(WorkspaceId::verbatim(id))),
            (None, None) if binding.is_system_role() => Entity::System,
            (None, None) => Entity::Unknown,
        };
        binding
    }
}
