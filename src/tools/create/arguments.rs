//! The arguments of a creation: their schema as the policy shapes it, and the account that they ask for.
//! Names the faults of place and role beside those of single arguments, all at once.

use std::sync::LazyLock;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::NAME;
use crate::apc::{DeploymentId, Label, Level, NewServiceAccount, Role, WorkspaceId};
use crate::guards::policy::Policy;
use crate::tools::arguments::invalid;
use crate::tools::by_levels::ByLevels;
use crate::tools::change::AuditRecord;
use crate::tools::context::{Call, is_given};
use crate::tools::failure::{Code, Failure};
use crate::tools::place_words::NO_PLACE;
use crate::tools::places::NamedPlace;
use crate::tools::words::{role_not_allowed, role_of_other_level};
use crate::tools::{ToolOptions, schema};

/// The number of allowed workspaces up to which the schema lists them.
const LISTED: usize = 20;

static INPUT: LazyLock<ByLevels> = LazyLock::new(|| {
    ByLevels::new(schema::input::<Arguments>(), |input| {
        schema::make_required(input, "workspace_id");
        schema::set(input, "label", "description", json!(LABEL_OF_WORKSPACE));
        schema::set(input, "role", "description", json!(ROLE_OF_WORKSPACE));
        let lowest = Role::lowest(Level::Workspace).name();
        schema::set(input, "role", "default", json!(lowest));
    })
});

const LABEL_OF_WORKSPACE: &str =
    "What the account is for; unique in its workspace. Not for secrets: the platform logs it.";

const ROLE_OF_WORKSPACE: &str = "What it may do there. Default: WORKSPACE_VIEWER.";

/// The arguments. The default workspace stands in where no place is named.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// What the account is for; unique in its place. Not for secrets: the platform logs it.
    label: Label,
    /// The workspace it is for.
    workspace_id: Option<WorkspaceId>,
    /// The deployment it is for.
    deployment_id: Option<DeploymentId>,
    /// What it may do there; DEPLOYMENT_ roles go with deployment_id. Default: VIEWER there.
    role: Option<Role>,
    /// A word to group accounts by.
    category: Option<Label>,
}

/// The schema of the arguments.
pub(super) fn input(options: &ToolOptions) -> JsonObject {
    let policy = &options.policy;
    let mut input = INPUT.under(policy).clone();
    if options.has_default_workspace {
        schema::make_optional(&mut input, "workspace_id");
    }
    let place = place_description(options);
    schema::set(&mut input, "workspace_id", "description", json!(place));
    let roles: Vec<_> = policy.roles().map(Role::name).collect();
    schema::set(&mut input, "role", "enum", json!(roles));
    let allowed = policy.allowed_workspaces.as_ref();
    if let Some(allowed) = allowed.filter(|allowed| allowed.len() <= LISTED) {
        let ids: Vec<_> = allowed.iter().map(WorkspaceId::as_str).collect();
        schema::set(&mut input, "workspace_id", "enum", json!(ids));
        schema::set(&mut input, "workspace_id", "pattern", Value::Null);
    }
    input
}

fn place_description(options: &ToolOptions) -> &'static str {
    match (
        options.policy.has_deployments(),
        options.has_default_workspace,
    ) {
        (true, true) => "The workspace it is for. Default without deployment_id: the one set.",
        (true, false) => "The workspace it is for; this or deployment_id is needed.",
        (false, true) => "The workspace it is for. Default: the one set.",
        (false, false) => "The workspace it is for.",
    }
}

/// The account that the arguments ask for.
///
/// # Errors
/// Every fault of the call, or the policy forbids the place or the role.
pub(super) async fn read(
    call: &Call,
    given: JsonObject,
    record: &mut AuditRecord,
) -> Result<NewServiceAccount, Failure> {
    let policy = call.policy();
    let faults = faults_of_place_and_role(&given, policy);
    let read = call.read(NAME, INPUT.under(policy), given);
    let arguments = with_faults::<Arguments>(read, &faults)?;
    let named = NamedPlace {
        workspace_id: arguments.workspace_id,
        deployment_id: arguments.deployment_id,
    };
    let role = arguments.role.unwrap_or(Role::lowest(named.level()));
    record.named_place(&named);
    record.label_and_role(Some(arguments.label.as_str()), Some(role.name()));
    if role.rank > policy.max_role {
        return Err(role_not_allowed(role, policy));
    }
    let place = named.resolve(call).await?;
    Ok(NewServiceAccount {
        place: place.ok_or_else(|| invalid(&[NO_PLACE.to_owned()]))?,
        label: arguments.label,
        role,
        category: arguments.category,
    })
}

/// The faults that show in several arguments together: no place at all, and a role of the other level.
fn faults_of_place_and_role(given: &JsonObject, policy: &Policy) -> Vec<String> {
    let level = match (
        is_given(given, "workspace_id"),
        is_given(given, "deployment_id"),
    ) {
        (_, true) if policy.has_deployments() => Level::Deployment,
        (false, false) if policy.has_deployments() => return vec![NO_PLACE.to_owned()],
        _ => Level::Workspace,
    };
    let role = given.get("role").and_then(Value::as_str);
    let role = role.and_then(|name| Role::parse(name).ok());
    let of_other_level = role.filter(|role| role.level != level);
    let fault = of_other_level.map(|role| role_of_other_level(role, level, policy));
    fault.into_iter().collect()
}

/// The arguments as they were read, unless there are further faults, which are named beside those of single arguments.
fn with_faults<T>(read: Result<T, Failure>, further: &[String]) -> Result<T, Failure> {
    match read {
        Ok(_) if !further.is_empty() => Err(invalid(further)),
        Err(failure) if failure.code() == Code::InvalidArguments => {
            let also: Vec<_> = further
                .iter()
                .map(|fault| format!("Also: {fault}."))
                .collect();
            Err(failure.noting(&also))
        }
        read => read,
    }
}
