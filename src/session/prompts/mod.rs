//! The prompts: texts with which a user may start a conversation. Each leads a model through the tools.
//! Calls no tool itself.

mod arguments;
mod audit;
mod rotate;

use rmcp::model::{
    ErrorData, GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role,
};

use super::refusals;
use crate::guards::policy::Policy;
use crate::guards::secret::Secrets;
use arguments::GivenArguments;

/// A row of the table of prompts.
struct PromptEntry {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    only_reads: bool,
    arguments: fn() -> Vec<PromptArgument>,
    text: fn(&GivenArguments<'_>, &Policy) -> Result<String, ErrorData>,
}

/// All prompts, sorted by name.
const PROMPTS: [PromptEntry; 2] = [audit::PROMPT, rotate::PROMPT];

/// The argument that a server does not have which works on workspaces alone.
const DEPLOYMENT_ID: &str = "deployment_id";

/// The prompts that the policy leaves.
fn offered(policy: &Policy) -> impl Iterator<Item = &'static PromptEntry> {
    let read_only = policy.read_only;
    let all = PROMPTS.iter();
    all.filter(move |prompt| prompt.only_reads || !read_only)
}

/// The prompts as clients see them, sorted by name.
pub fn definitions(policy: &Policy) -> Vec<Prompt> {
    offered(policy)
        .map(|prompt| {
            let mut arguments = (prompt.arguments)();
            arguments.retain(|argument| policy.has_deployments() || argument.name != DEPLOYMENT_ID);
            let description = Some(prompt.description);
            Prompt::new(prompt.name, description, Some(arguments)).with_title(prompt.title)
        })
        .collect()
}

/// The prompt that a client asks for, with the arguments in its text.
///
/// # Errors
/// There is no such prompt, or an argument is not accepted.
pub fn get(
    request: GetPromptRequestParams,
    policy: &Policy,
    secrets: &Secrets,
) -> Result<GetPromptResult, ErrorData> {
    let Some(prompt) = offered(policy).find(|prompt| prompt.name == request.name) else {
        let known: Vec<_> = offered(policy).map(|prompt| prompt.name).collect();
        let name = &request.name;
        return Err(refusals::unknown("prompt", name, &known, policy, secrets));
    };
    let given = GivenArguments::new(prompt.name, request.arguments, secrets);
    if given.has(DEPLOYMENT_ID) && !policy.has_deployments() {
        let text = format!(
            "{DEPLOYMENT_ID} is switched off: this server works on workspaces alone, as --levels (APC_LEVELS) is 'workspace'."
        );
        return Err(ErrorData::invalid_params(text, None));
    }
    let text = (prompt.text)(&given, policy)?;
    let message = PromptMessage::new_text(Role::User, secrets.scrub(&text));
    Ok(GetPromptResult::new(vec![message]).with_description(prompt.description))
}
