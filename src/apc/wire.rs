//! The API's JSON, and the vocabulary that it becomes.
//! Text stays borrowed from the answer until an account is kept: a list may hold thousands.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Formatter};

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::bounded::Bounded;
use super::exchange::{Api, Scrubber};
use super::response::present;
use super::selection::{Candidate, Shown};
use super::{
    Binding, Bindings, Category, Deployment, DeploymentId, Entity, NewServiceAccount, Place,
    ServiceAccount, ServiceAccountId, Workspace, WorkspaceId,
};
use crate::guards::secret::Secret;

/// The number of bindings that are read of one account.
const BINDINGS_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct WireWorkspace {
    id: Option<String>,
    label: Option<String>,
}

impl WireWorkspace {
    pub(super) fn into_workspace(self, api: &Api<'_>) -> Option<Workspace> {
        Some(Workspace {
            id: WorkspaceId::verbatim(self.id?),
            label: self.label.map(|label| api.scrubbed(label)),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireDeployment {
    id: Option<String>,
    label: Option<String>,
    release_name: Option<String>,
}

impl WireDeployment {
    pub(super) fn into_deployment(self, api: &Api<'_>) -> Option<Deployment> {
        let clean = |text: Option<String>| text.map(|text| api.scrubbed(text));
        Some(Deployment {
            id: DeploymentId::verbatim(self.id?),
            label: clean(self.label),
            release_name: clean(self.release_name),
        })
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
    #[serde(borrow, default, deserialize_with = "date")]
    created_at: Option<Option<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "date")]
    updated_at: Option<Option<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "date")]
    last_used_at: Option<Option<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    role_bindings: Option<Option<Bounded<Option<WireBinding<'a>>, BINDINGS_MAX>>>,
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

/// A date of an account. One of another JSON type costs no row: a number is read as its text, and any other value is not
/// known, which is not none.
fn date<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<Text<'de>>>, D::Error> {
    value.deserialize_any(Date)
}

struct Date;

impl<'de> Visitor<'de> for Date {
    type Value = Option<Option<Text<'de>>>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a date")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Some(Text(Cow::Borrowed(text)))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Some(Text(Cow::Owned(text.to_owned())))))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Some(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(items).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(members).map(|_| None)
    }
}

/// A text of an account. An empty one is none: several releases make it of none.
fn shown<'a>(text: &'a Option<Option<Text<'_>>>) -> Shown<&'a str> {
    match text {
        Some(Some(text)) if !text.as_str().is_empty() => Shown::Value(text.as_str()),
        Some(_) => Shown::Nothing,
        None => Shown::Unknown,
    }
}

impl<'a> WireAccount<'a> {
    /// Marks the members that are null because they failed: they are not known, and not none. Bindings that failed are
    /// null themselves, or tell no entity.
    pub(super) fn mark_failed(&mut self, members: &HashSet<&str>) {
        if members.contains("category") {
            self.category = None;
        }
        if members.contains("lastUsedAt") {
            self.last_used_at = None;
        }
    }

    /// Takes no null for an absent value: an error of the answer may be about it.
    pub(super) fn doubt_nulls(&mut self) {
        for member in [&mut self.category, &mut self.last_used_at] {
            if matches!(member, Some(None)) {
                *member = None;
            }
        }
    }

    /// The bindings, by the newer field or by the older one. More than are read make them unreadable.
    pub(super) fn bindings(&self) -> Bindings {
        let read = |binding: &Option<WireBinding<'_>>| match binding {
            Some(binding) => binding.to_binding(),
            None => Binding {
                role: None,
                entity: Entity::Unknown,
            },
        };
        match (&self.role_bindings, &self.role_binding) {
            (Some(Some(Bounded { kept, left_off: 0 })), _) => {
                Bindings::known_as(kept.iter().map(read).collect())
            }
            (None, Some(binding @ Some(_))) => Bindings::known_as(vec![read(binding)]),
            (Some(_), _) | (None, Some(None)) => Bindings::Unreadable,
            (None, None) => Bindings::NotShown,
        }
    }

    /// The parts by which it is selected in the list of a place; none without an id.
    pub(super) fn candidate<'b>(
        &'b self,
        bindings: &'b Bindings,
        place: &Place,
    ) -> Option<Candidate<'b>> {
        let created = self.created_at.as_ref().and_then(Option::as_ref);
        Some(Candidate {
            id: self.id.as_ref()?.as_str(),
            label: self.label.as_ref().map(Text::as_str),
            api_key: self.api_key.as_ref().map(Text::as_str),
            role: bindings.role_in(place),
            category: shown(&self.category),
            created_at: created.map(Text::as_str),
            last_used_at: shown(&self.last_used_at),
        })
    }

    /// Its key, unless the API masked it with asterisks. Text that only may be a whole key is taken out as well.
    pub(super) fn whole_key(&self) -> Option<Cow<'a, str>> {
        let key = self.api_key.as_ref()?;
        (!key.as_str().contains('*')).then(|| key.0.clone())
    }

    /// The account as it stands in the list of this place; none without an id.
    pub(super) fn into_account(
        self,
        scrubber: &Scrubber<'_>,
        place: &Place,
    ) -> Option<ServiceAccount> {
        let bindings = self.bindings().map_text(|text| scrubber.scrub(text));
        self.into_account_with(scrubber, place, bindings)
    }

    /// The account that a creation made. Its binding is not asked for: a selected binding can fail although the account
    /// was made.
    pub(super) fn into_created(
        self,
        api: &Api<'_>,
        new: &NewServiceAccount,
    ) -> Option<ServiceAccount> {
        let scrubber = api.remember_keys(self.whole_key().into_iter().collect());
        let bindings = Bindings::Known(vec![Binding {
            role: Some(new.role.name().to_owned()),
            entity: Entity::Place(new.place.clone()),
        }]);
        self.into_account_with(&scrubber, &new.place, bindings)
    }

    fn into_account_with(
        self,
        scrubber: &Scrubber<'_>,
        place: &Place,
        bindings: Bindings,
    ) -> Option<ServiceAccount> {
        let clean = |text: Option<Text<'_>>| text.map(|text| scrubber.scrub(text.as_str()));
        Some(ServiceAccount {
            id: ServiceAccountId::verbatim(clean(self.id)?),
            label: clean(self.label),
            api_key: self.api_key.map(|key| Secret::new(key.0)),
            bindings,
            category: match self.category {
                None => Category::Unknown,
                Some(category) => Category::of(clean(category)),
            },
            place: place.clone(),
            active: self.active,
            created_at: clean(self.created_at.flatten()),
            updated_at: clean(self.updated_at.flatten()),
            last_used_at: clean(self.last_used_at.flatten()),
        })
    }
}

impl WireBinding<'_> {
    fn to_binding(&self) -> Binding {
        let id = |entity: &Option<WireEntity<'_>>| {
            let id = entity.as_ref()?.id.as_ref()?;
            Some(id.as_str().to_owned())
        };
        let mut binding = Binding {
            role: self.role.as_ref().map(|role| role.as_str().to_owned()),
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
