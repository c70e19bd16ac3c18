//! The mutations, and who may send them.

use serde_json::Value;

use crate::graphql::call::Call;
use crate::graphql::node::{self, Answer, Node, Seen};
use crate::state::account::NewAccount;
use crate::state::changes::Changes;
use crate::state::roles::{Action, Entity, Role};

pub(crate) async fn resolve(call: &Call<'_>) -> Answer {
    match call.field() {
        "createWorkspaceServiceAccount" => create(call, call.workspace()).await,
        "createDeploymentServiceAccount" => create(call, call.deployment()).await,
        "createSystemServiceAccount" => create(call, Entity::System).await,
        "deleteWorkspaceServiceAccount" => delete(call, &call.workspace()),
        "deleteDeploymentServiceAccount" => delete(call, &call.deployment()),
        "deleteSystemServiceAccount" => delete(call, &Entity::System),
        "updateWorkspaceServiceAccount" => update(call, &call.workspace()),
        "updateDeploymentServiceAccount" => update(call, &call.deployment()),
        _ => Ok(None),
    }
}

async fn create(call: &Call<'_>, entity: Entity) -> Answer {
    call.authorize(Action::Create, &entity)?;
    let label = call.id("label");
    let role = call.text("role").and_then(|name| Role::parse(&name));
    let new = NewAccount {
        category: call.text("category"),
        // The schema lets no other role through.
        ..NewAccount::new(label, role.unwrap_or(Role::User), entity)
    };
    call.store(|store| store.check_label(&new.label, &new.entity))?;
    if let Some(start) = call.store(|store| store.race.pop()) {
        start.wait().await;
    }
    let account = call.store(|store| store.create(new))?;
    node::one(Node::account(call, account, Seen::New))
}

/// The right is asked of the entity named; the account deleted may belong anywhere.
fn delete(call: &Call<'_>, entity: &Entity) -> Answer {
    call.authorize(Action::Delete, entity)?;
    let account = call.store(|store| store.delete(&call.account_id()))?;
    node::one(Node::account(call, account, Seen::Deleted))
}

fn update(call: &Call<'_>, entity: &Entity) -> Answer {
    call.authorize(Action::Update, entity)?;
    let payload = call.argument("payload").cloned().unwrap_or_default();
    let changes = changes(&payload.into_json().unwrap_or_default());
    let account = call.store(|store| store.update(&call.account_id(), entity, changes))?;
    node::one(Node::account(call, account, Seen::On(entity.level())))
}

/// Reads label, category and role from a payload. The API ignores everything else.
fn changes(payload: &Value) -> Changes {
    let given = |name: &str| payload.get(name);
    let text = |value: &Value| value.as_str().map(String::from);
    Changes {
        label: given("label").map(text),
        category: given("category").map(text),
        role: given("role").and_then(Value::as_str).and_then(Role::parse),
    }
}
