//! Every field that the text of a schema promises is served.

use apc_sandbox::{Entity, Line, NewAccount, Persona, Role, Sandbox};
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use serde_json::{Value, json};

use crate::support::{DATA_SCIENCE, FORECASTS, ask};

const TODAY: &str = include_str!("../../src/graphql/schema-today.graphql");
const OF_2020: &str = include_str!("../../src/graphql/schema-2020.graphql");

/// A field, and the selection that asks for it.
struct Field {
    owner: String,
    name: String,
    selection: String,
}

/// The fields of a schema's text, without those of queries and mutations.
fn fields(text: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    for definition in parse_schema(text).unwrap().definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = definition.node.kind
            && !["Query", "Mutation"].contains(&definition.node.name.node.as_str())
        {
            let owner = definition.node.name.node.to_string();
            fields.extend(object.fields.iter().map(|field| {
                let (name, ty) = (field.node.name.node.to_string(), field.node.ty.to_string());
                let is_object =
                    text.contains(&format!("type {} ", ty.trim_matches(['[', ']', '!'])));
                let selection = format!("{name} {}", if is_object { "{ __typename }" } else { "" });
                let owner = owner.clone();
                Field {
                    owner,
                    name,
                    selection,
                }
            }));
        }
    }
    fields
}

/// A query that leads to the field. `binding` is the name of an account's way to its bindings.
fn query(field: &Field, binding: &str) -> String {
    let workspace = format!("workspace(workspaceUuid: \"{DATA_SCIENCE}\")");
    let accounts = format!("deploymentServiceAccounts(deploymentUuid: \"{FORECASTS}\")");
    let selection = &field.selection;
    let way = match (field.owner.as_str(), field.name.as_str()) {
        ("AppConfig", _) => format!("appConfig {{ {selection} }}"),
        ("Workspace", _) => format!("{workspace} {{ {selection} }}"),
        ("ServiceAccount", _) => format!("{accounts} {{ {selection} }}"),
        ("RoleBinding", "deployment") => format!("{accounts} {{ {binding} {{ {selection} }} }}"),
        ("RoleBinding", _) => format!("{workspace} {{ roleBindings {{ {selection} }} }}"),
        ("Deployment", _) => {
            format!("{accounts} {{ {binding} {{ deployment {{ {selection} }} }} }}")
        }
        (owner, _) => panic!("no way to {owner}"),
    };
    format!("{{ at: {way} }}")
}

/// Tells whether an answer holds a value at the end of its way. Of a list one entry is enough.
fn is_full(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => list.iter().any(is_full),
        Value::Object(object) => object.values().all(is_full),
        _ => true,
    }
}

async fn expect_all_but(line: Line, text: &str, binding: &str, empty: &[&str]) {
    let sandbox = Sandbox::start_line(0, line).await.unwrap();
    let deployment = Entity::Deployment(FORECASTS.into());
    sandbox.handle().add_account(NewAccount {
        category: Some("any".into()),
        ..NewAccount::new("categorised", Role::DeploymentViewer, deployment)
    });
    for field in fields(text) {
        let query = query(&field, binding);
        let answer = ask(&sandbox, Persona::SystemAdmin, &query, json!({})).await;
        let body = answer.json();
        let place = format!("{}.{}", field.owner, field.name);
        let expected = !empty.contains(&place.as_str());
        let full = is_full(&body["data"]["at"]);
        assert_eq!(full, expected, "{line}: {place}: {body}");
    }
}

#[tokio::test]
async fn every_field_of_every_type_has_a_value_but_for_the_worthless_ones() {
    let of_2020 = [
        "Workspace.description",
        "ServiceAccount.workspaceUuid",
        "ServiceAccount.deploymentUuid",
    ];
    let today = [of_2020.as_slice(), &["ServiceAccount.entityUuid"]].concat();
    expect_all_but(Line::Of2020, OF_2020, "roleBinding", &of_2020).await;
    expect_all_but(Line::Today, TODAY, "roleBindings", &today).await;
}
