//! Service accounts and the places they belong to, as the API shows them.
//! Decides where an account belongs by its bindings alone: the entity fields of the API are worthless.

use std::fmt;

use serde::Serialize;

use super::{DeploymentId, Label, Role, ServiceAccountId, WorkspaceId};
use crate::guards::secret::Secret;
use crate::guards::text::quoted;

/// A workspace as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its label, where the API has one.
    pub label: Option<String>,
}

/// A deployment as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its label, where the API has one.
    pub label: Option<String>,
    /// The name of its release in the cluster, which people know it by as well.
    pub release_name: Option<String>,
}

/// A place that has service accounts of its own. It serialises as the variable by which a document names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Place {
    /// A workspace.
    #[serde(rename = "workspaceUuid")]
    Workspace(WorkspaceId),
    /// A deployment.
    #[serde(rename = "deploymentUuid")]
    Deployment(DeploymentId),
}

impl Place {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Workspace(id) => id.as_str(),
            Self::Deployment(id) => id.as_str(),
        }
    }

    /// The kind of place in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Workspace(_) => "workspace",
            Self::Deployment(_) => "deployment",
        }
    }
}

impl From<DeploymentId> for Place {
    fn from(id: DeploymentId) -> Self {
        Self::Deployment(id)
    }
}

impl From<WorkspaceId> for Place {
    fn from(id: WorkspaceId) -> Self {
        Self::Workspace(id)
    }
}

/// The kind and the id, as sentences need them. Ids that a user typed are plain; one from the API is escaped.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind(), quoted(self.id()))
    }
}

/// Something that a role is held on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// The whole installation.
    System,
    /// A workspace or deployment.
    Place(Place),
    /// The answer does not tell. Such a binding proves nothing.
    Unknown,
}

/// One role on one entity. An account can have several, and one deletion ends them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The role: free text, since releases 2.x have custom roles.
    pub role: Option<String>,
    /// The entity that it is held on.
    pub entity: Entity,
}

impl Binding {
    /// Tells whether the role reaches the whole installation, wherever it is bound.
    pub fn is_system_role(&self) -> bool {
        let role = self.role.as_deref();
        role.is_some_and(|role| role.starts_with("SYSTEM_"))
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self.role.as_deref().unwrap_or("unknown role");
        match &self.entity {
            Entity::System | Entity::Unknown => formatter.write_str(role),
            Entity::Place(place) => write!(formatter, "{role} {}", place.id()),
        }
    }
}

/// The bindings of an account, as far as the release shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bindings {
    /// The release has no field for them.
    NotShown,
    /// The release has the field, and its value could not be read for this account.
    Unreadable,
    /// All of them; several releases answer with none.
    Known(Vec<Binding>),
}

impl Bindings {
    /// Known bindings, in an order of their own: the API's varies from answer to answer.
    pub fn known_as(mut bindings: Vec<Binding>) -> Self {
        bindings.sort_by_cached_key(Binding::to_string);
        Self::Known(bindings)
    }

    /// The bindings that could be read.
    pub fn known(&self) -> &[Binding] {
        match self {
            Self::Known(bindings) => bindings,
            Self::NotShown | Self::Unreadable => &[],
        }
    }

    /// The same with every text changed: the roles and the ids.
    pub fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        let Self::Known(mut bindings) = self else {
            return self;
        };
        for binding in &mut bindings {
            binding.role = binding.role.as_deref().map(&change);
            if let Entity::Place(place) = &mut binding.entity {
                *place = match place {
                    Place::Workspace(id) => WorkspaceId::verbatim(change(id.as_str())).into(),
                    Place::Deployment(id) => DeploymentId::verbatim(change(id.as_str())).into(),
                };
            }
        }
        Self::Known(bindings)
    }

    /// The role in a place.
    pub fn role_in(&self, place: &Place) -> Option<&str> {
        let here = self.known().get(self.index_of(place)?)?;
        here.role.as_deref()
    }

    /// The binding on a place; else one that does not tell its entity. Of several on the place the first one that
    /// is no system role, so that a system role shows among the others.
    fn index_of(&self, place: &Place) -> Option<usize> {
        let position = |is_it: &dyn Fn(&Binding) -> bool| self.known().iter().position(is_it);
        let is_here =
            |binding: &Binding| matches!(&binding.entity, Entity::Place(bound) if bound == place);
        position(&|binding| is_here(binding) && !binding.is_system_role())
            .or_else(|| position(&is_here))
            .or_else(|| position(&|binding| binding.entity == Entity::Unknown))
    }

    /// Tells whether an account of this place's list belongs there. An account without bindings belongs to the list
    /// it stands in; otherwise one of them has to be on the place, or on something unknown.
    pub fn allow(&self, place: &Place) -> bool {
        let bindings = self.known();
        bindings.is_empty()
            || bindings.iter().any(|binding| match &binding.entity {
                Entity::Place(bound) => bound == place,
                Entity::Unknown => true,
                Entity::System => false,
            })
    }
}

/// The category of an account, any text. Several releases make an empty text of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Category {
    /// The text, or none.
    Known(Option<String>),
    /// The release does not show it, or it could not be read.
    Unknown,
}

impl Category {
    /// A category that the API has shown.
    pub fn of(text: Option<String>) -> Self {
        Self::Known(text.filter(|text| !text.is_empty()))
    }

    /// The text, where there is one.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Known(text) => text,
            Self::Unknown => None,
        }
    }
}

/// A service account as the API shows it. Releases lack any field but the id. Times are the API's own text.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// Its label, taken verbatim from the API: any text.
    pub label: Option<String>,
    /// Its key: in full for 10 minutes after creation, then six characters and asterisks.
    pub api_key: Option<Secret>,
    /// Its roles and the entities they are held on.
    pub bindings: Bindings,
    /// Its category.
    pub category: Category,
    /// The place in whose list it stands.
    pub place: Place,
    /// True if it may be used.
    pub active: Option<bool>,
    /// When it was created.
    pub created_at: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<String>,
    /// When it was last used, as the API believes; several releases never write it.
    pub last_used_at: Option<String>,
}

impl ServiceAccount {
    /// Tells whether the API has shown its whole key.
    pub fn has_whole_key(&self) -> bool {
        self.has_key_text() && self.api_key.as_ref().is_some_and(|key| !key.is_masked())
    }

    /// Tells whether the API has shown its key, whole or masked.
    pub fn has_key_text(&self) -> bool {
        let key = self.api_key.as_ref();
        key.is_some_and(|key| !key.expose().is_empty())
    }

    /// Tells whether its visible key is this one: it has to show at least as much as the API shows by default.
    pub fn has_key(&self, key: &Secret) -> bool {
        let own = self.api_key.as_ref();
        own.is_some_and(|own| own.shows_enough() && own.may_be(key))
    }

    /// Tells whether its key may be this one: its visible part does not say otherwise, or no part of it is visible.
    pub fn may_have_key(&self, key: &Secret) -> bool {
        !self.has_key_text() || self.api_key.as_ref().is_some_and(|own| own.may_be(key))
    }

    /// The role in the place in whose list it stands.
    pub fn role(&self) -> Option<&str> {
        self.bindings.role_in(&self.place)
    }

    /// The account with its key masked, unless it has a date. The API of 2020 masks an old key only where the date of
    /// creation is asked for as well, so a release without that field answers with every key in full, however old.
    pub fn with_masked_key_if_undated(mut self) -> Self {
        if self.created_at.is_none() {
            self.api_key = self.api_key.map(|key| Secret::new(key.masked()));
        }
        self
    }

    /// Every binding but the one that [`role`](Self::role) tells.
    pub fn other_bindings(&self) -> impl Iterator<Item = &Binding> {
        let here = self.bindings.index_of(&self.place);
        let numbered = self.bindings.known().iter().enumerate();
        let others = numbered.filter(move |(index, _)| Some(*index) != here);
        others.map(|(_, binding)| binding)
    }

    /// Tells whether a deletion may take rights away elsewhere, or whether that is not known.
    pub fn reaches_beyond(&self) -> bool {
        let is_of_place = |binding: &Binding| {
            binding.role.is_some()
                && !binding.is_system_role()
                && binding.entity == Entity::Place(self.place.clone())
        };
        self.bindings == Bindings::Unreadable
            || self.other_bindings().next().is_some()
            || !self.bindings.known().iter().all(is_of_place)
    }
}

/// A service account to be created.
#[derive(Debug, Clone)]
pub struct NewServiceAccount {
    /// The place it belongs to.
    pub place: Place,
    /// Its label, unique within the place.
    pub label: Label,
    /// Its role.
    pub role: Role,
    /// Its category; left unset if absent.
    pub category: Option<Label>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(id: &str) -> Place {
        Place::Workspace(WorkspaceId::verbatim(id.to_owned()))
    }

    fn binding(role: &str, entity: Entity) -> Binding {
        Binding {
            role: Some(role.to_owned()),
            entity,
        }
    }

    fn on(id: &str, role: &str) -> Binding {
        binding(role, Entity::Place(workspace(id)))
    }

    fn account(bindings: Bindings) -> ServiceAccount {
        ServiceAccount {
            id: ServiceAccountId::verbatim("ck1".to_owned()),
            label: None,
            api_key: None,
            bindings,
            category: Category::Unknown,
            place: workspace("here"),
            active: None,
            created_at: None,
            updated_at: None,
            last_used_at: None,
        }
    }

    #[test]
    fn the_role_is_the_one_in_this_place_and_the_others_are_named() {
        let account = account(Bindings::Known(vec![
            binding("SYSTEM_ADMIN", Entity::System),
            on("there", "WORKSPACE_EDITOR"),
            on("here", "WORKSPACE_VIEWER"),
        ]));
        assert_eq!(account.role(), Some("WORKSPACE_VIEWER"));
        let others: Vec<_> = account.other_bindings().map(Binding::to_string).collect();
        assert_eq!(others, ["SYSTEM_ADMIN", "WORKSPACE_EDITOR there"]);
        assert!(account.reaches_beyond());
    }

    #[test]
    fn a_system_role_on_the_place_itself_reaches_beyond_it() {
        let only = account(Bindings::Known(vec![on("here", "SYSTEM_ADMIN")]));
        assert_eq!(only.role(), Some("SYSTEM_ADMIN"));
        assert!(only.reaches_beyond());
        let second = account(Bindings::Known(vec![
            on("here", "SYSTEM_ADMIN"),
            on("here", "WORKSPACE_VIEWER"),
        ]));
        assert_eq!(second.role(), Some("WORKSPACE_VIEWER"));
        assert_eq!(second.other_bindings().count(), 1);
    }

    #[test]
    fn an_account_of_its_place_alone_does_not_reach_beyond_it() {
        for bindings in [
            Bindings::NotShown,
            Bindings::Known(vec![]),
            Bindings::Known(vec![on("here", "WORKSPACE_ADMIN")]),
            Bindings::Known(vec![on("here", "custom")]),
        ] {
            assert!(!account(bindings.clone()).reaches_beyond(), "{bindings:?}");
        }
        let roleless = Binding {
            role: None,
            entity: Entity::Place(workspace("here")),
        };
        for bindings in [
            Bindings::Unreadable,
            Bindings::Known(vec![binding("custom", Entity::Unknown)]),
            Bindings::Known(vec![roleless]),
        ] {
            assert!(account(bindings.clone()).reaches_beyond(), "{bindings:?}");
        }
    }

    #[test]
    fn an_account_belongs_to_the_list_it_stands_in_unless_its_bindings_say_otherwise() {
        let here = workspace("here");
        for bindings in [
            Bindings::NotShown,
            Bindings::Unreadable,
            Bindings::Known(vec![]),
            Bindings::Known(vec![binding("custom", Entity::Unknown)]),
            Bindings::Known(vec![on("there", "x"), on("here", "x")]),
        ] {
            assert!(bindings.allow(&here), "{bindings:?}");
        }
        for bindings in [
            vec![on("there", "WORKSPACE_ADMIN")],
            vec![binding("SYSTEM_ADMIN", Entity::System)],
        ] {
            assert!(!Bindings::Known(bindings).allow(&here));
        }
    }
}
