//! The changes of the installation, with the checks that the API makes and without those that it does not make.

use crate::line::Line;
use crate::state::account::{Account, Binding, NewAccount};
use crate::state::refusal::Refusal;
use crate::state::roles::{Entity, Level, Role};
use crate::state::store::{Deployment, Store};

/// The fields that an update changes. The inner None of label and category is an explicit null.
pub(crate) struct Changes {
    pub(crate) label: Option<Option<String>>,
    pub(crate) category: Option<Option<String>>,
    /// None also stands for an unknown role: the API ignores it.
    pub(crate) role: Option<Role>,
}

impl Store {
    /// Checks the label, if this release does.
    pub(crate) fn check_label(&self, label: &str, entity: &Entity) -> Result<(), Refusal> {
        self.check_unique(Some(Some(label)), entity)
    }

    /// Creates an account. The role is taken as it comes: the API checks only that of a system account.
    pub(crate) fn create(&mut self, mut new: NewAccount) -> Result<Account, Refusal> {
        if self.blanks_categories {
            new.category.get_or_insert_default();
        }
        self.check_presence(&new.entity)?;
        if new.entity == Entity::System && new.role.level() != Some(Level::System) {
            return Err(Refusal::InvalidRole);
        }
        Ok(self.add(new))
    }

    /// Checks that an entity is there. A deployment that was deleted is still there in 2020.
    fn check_presence(&self, entity: &Entity) -> Result<(), Refusal> {
        let (model, id, exists) = match entity {
            Entity::System => return Ok(()),
            Entity::Workspace(id) => ("Workspace", id, self.find_workspace(id).is_some()),
            Entity::Deployment(id) => {
                let exists = |found: &Deployment| self.line == Line::Of2020 || !found.deleted;
                let found = self.find_deployment(id);
                ("Deployment", id, found.is_some_and(exists))
            }
        };
        exists.then_some(()).ok_or_else(|| Refusal::NoRow {
            change: "create",
            model,
            id: id.clone(),
        })
    }

    /// Deletes by id alone, wherever the account belongs.
    pub(crate) fn delete(&mut self, id: &str) -> Result<Account, Refusal> {
        self.accounts.remove(id).ok_or(Refusal::NotFound)
    }

    /// Changes an account by id alone. An unchanged label counts as a duplicate.
    pub(crate) fn update(
        &mut self,
        id: &str,
        entity: &Entity,
        changes: Changes,
    ) -> Result<Account, Refusal> {
        let label = changes.label.as_ref().map(Option::as_deref);
        self.check_unique(label, entity)?;
        let now = self.now();
        // The rewrite prepares the change of the role and never sends it.
        let role = changes.role.filter(|_| self.line == Line::Of2020);
        let account = self.accounts.get_mut(id).ok_or_else(|| Refusal::NoRow {
            change: "update",
            model: "ServiceAccount",
            id: id.into(),
        })?;
        account.label = changes.label.unwrap_or_else(|| account.label.take());
        account.category = changes.category.unwrap_or_else(|| account.category.take());
        if let (Some(role), Some(binding)) = (role, account.bindings.first_mut()) {
            binding.grant.role = role;
        }
        account.updated_at = now;
        Ok(account.clone())
    }

    /// Looks at every account of this label in the installation, by id, or at every account if no label is given.
    fn check_unique(&self, label: Option<Option<&str>>, entity: &Entity) -> Result<(), Refusal> {
        let habit = self.line == Line::Of2020;
        let property = match entity.level() {
            // Nobody checks the labels of system accounts.
            Level::System => return Ok(()),
            Level::Workspace => "workspace",
            Level::Deployment => "deployment",
        };
        if !self.checks_duplicates.unwrap_or(habit) {
            return Ok(());
        }
        let alike = |found: &&Account| label.is_none_or(|label| found.label.as_deref() == label);
        for account in self.accounts.values().filter(alike) {
            if account.bindings.is_empty() {
                let nothing = "null";
                return Err(Refusal::Crash { property, nothing });
            }
            if account.is_bound_to(entity) {
                let label = label.map_or("undefined", |label| label.unwrap_or("null"));
                return Err(Refusal::Duplicate(label.into()));
            }
        }
        Ok(())
    }

    /// Binds an account to one more entity; tells whether there is such an account.
    pub(crate) fn bind(&mut self, account: &str, role: Role, entity: Entity) -> bool {
        let binding = Binding::new(role, entity, self.now());
        let found = self.accounts.get_mut(account);
        found.map(|found| found.bindings.push(binding)).is_some()
    }

    /// Deletes a workspace and all bindings to it. Its accounts and deployments stay.
    pub(crate) fn delete_workspace(&mut self, id: &str) -> bool {
        let before = self.workspaces.len();
        self.workspaces.retain(|workspace| workspace.id != id);
        self.unbind(&Entity::Workspace(id.into()));
        for deployment in &mut self.deployments {
            deployment.workspace.take_if(|workspace| workspace == id);
        }
        self.workspaces.len() < before
    }

    /// Marks a deployment as deleted. Its accounts stay in 2020; later releases delete them with it.
    pub(crate) fn delete_deployment(&mut self, id: &str) -> bool {
        let mut deployments = self.deployments.iter_mut();
        let found = deployments.find(|deployment| deployment.id == id);
        let found = found.map(|found| found.deleted = true).is_some();
        let entity = Entity::Deployment(id.into());
        if self.line == Line::Today {
            self.accounts.retain(|_, account| {
                let bindings = &account.bindings;
                bindings.is_empty() || bindings.iter().any(|binding| !binding.is_on(&entity))
            });
            self.unbind(&entity);
        }
        found
    }

    fn unbind(&mut self, entity: &Entity) {
        let accounts = self.accounts.values_mut();
        let of_accounts = accounts.map(|account| &mut account.bindings);
        for bindings in of_accounts.chain(self.tokens.users.values_mut()) {
            bindings.retain(|binding| !binding.is_on(entity));
        }
    }
}
