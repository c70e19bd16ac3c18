//! The tools: one table, and the way of a call to its tool. To add a tool, write its file and its row of the table.
//! Knows no transport; a tool knows neither HTTP nor GraphQL.

mod account_view;
mod arguments;
mod by_levels;
mod change;
mod context;
mod create;
mod delete;
mod failure;
mod get;
mod label_locks;
mod place_words;
mod places;
mod recovery;
mod schema;
mod unreachable;
pub(crate) mod user;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, InputRequiredResult, JsonObject, Tool,
    ToolAnnotations,
};
use serde::Serialize;

use crate::apc::error::ApiError;
use crate::apc::installation::Installation;
use crate::guards::policy::Policy;
use crate::guards::secret::Secrets;

use change::AuditRecord;
use context::Call;
use failure::{Code, Failure};
use recovery::unfinished::Unfinished;
use user::User;

pub use context::SharedState;
pub use words::ONLY_READS;

/// The settings that shape the tools. They are fixed when the server starts.
#[derive(Debug, Clone, Default)]
pub struct ToolOptions {
    /// True if there is a default workspace.
    pub has_default_workspace: bool,
    /// The policy of the server.
    pub policy: Policy,
}

/// One tool.
struct ToolEntry {
    name: &'static str,
    title: &'static str,
    run: Run,
    destructive: bool,
    idempotent: bool,
    description: fn(&ToolOptions) -> String,
    input: fn(&ToolOptions) -> JsonObject,
    output: fn(&Policy) -> Arc<JsonObject>,
}

/// The function behind a tool. Its kind decides whether a read-only server has the tool, and is told to clients.
enum Run {
    /// Reads only.
    Read(for<'a> fn(&'a Call, JsonObject) -> ToolFuture<'a>),
    /// Changes something: such a call is recorded in the audit log.
    Change(for<'a> fn(&'a mut Call, JsonObject, &'a mut AuditRecord) -> ToolFuture<'a>),
}

type ToolFuture<'a> = BoxFuture<'a, Result<CallToolResult, NoResult>>;

/// All tools, sorted by name.
const TOOLS: [ToolEntry; 3] = [create::TOOL, delete::TOOL, get::TOOL];

impl ToolEntry {
    fn only_reads(&self) -> bool {
        matches!(self.run, Run::Read(_))
    }

    fn definition(&self, options: &ToolOptions) -> Tool {
        let (description, input) = ((self.description)(options), (self.input)(options));
        Tool::new(self.name, description, input)
            .with_title(self.title)
            .with_raw_output_schema((self.output)(&options.policy))
            .with_annotations(
                ToolAnnotations::new()
                    .read_only(self.only_reads())
                    .destructive(self.destructive)
                    .idempotent(self.idempotent)
                    .open_world(true),
            )
    }
}

/// The tools that the policy leaves.
fn offered(policy: &Policy) -> impl Iterator<Item = &'static ToolEntry> {
    let (tools, read_only) = (TOOLS.iter(), policy.read_only);
    tools.filter(move |tool| tool.only_reads() || !read_only)
}

/// The names of the tools, sorted. They cost nothing; a [definition](definitions) is made of schemas.
pub fn names(policy: &Policy) -> impl Iterator<Item = &'static str> {
    offered(policy).map(|tool| tool.name)
}

/// The tools as clients see them, sorted by name.
pub fn definitions(options: &ToolOptions) -> Vec<Tool> {
    let tools = offered(&options.policy);
    tools.map(|tool| tool.definition(options)).collect()
}

/// The reason why a call has no result.
enum NoResult {
    /// It failed.
    Failed(Failure),
    /// It ends with a question: a second call will bring the answer.
    InputRequired(Box<InputRequiredResult>),
}

impl From<Failure> for NoResult {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs a tool. Every failure is a result: a protocol error would hide its words from the model.
pub async fn call(
    shared: &Arc<SharedState>,
    name: &str,
    arguments: Option<JsonObject>,
    user: Arc<dyn User>,
) -> CallToolResponse {
    match run(shared, name, arguments.unwrap_or_default(), user).await {
        Ok(result) => result.into(),
        Err(NoResult::InputRequired(question)) => CallToolResponse::InputRequired(*question),
        Err(NoResult::Failed(failure)) => {
            tracing::info!(tool = name, code = failure.code().name(), "call failed");
            failure.into_result(&shared.secrets).into()
        }
    }
}

async fn run(
    shared: &Arc<SharedState>,
    name: &str,
    arguments: JsonObject,
    user: Arc<dyn User>,
) -> Result<CallToolResult, NoResult> {
    let tool = offered(shared.policy()).find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| words::unknown_tool(name))?;
    match tool.run {
        Run::Read(read) => {
            let call = Call::begin(shared, user).await?;
            let result = read(&call, arguments).await;
            told(&call.unfinished, result)
        }
        Run::Change(change) => {
            let mut record = AuditRecord::open(shared, name, &*user)?;
            record.arguments(&arguments);
            let result = match Call::begin(shared, user).await {
                Ok(mut call) => {
                    let result = change(&mut call, arguments, &mut record).await;
                    told(&call.unfinished, result)
                }
                Err(failure) => Err(failure.into()),
            };
            record.close(&result);
            result
        }
    }
}

/// The end of a call that may have found out about unfinished creations. A success has told of them; a failure
/// mentions them, and the next success tells of them again.
fn told(
    unfinished: &Unfinished,
    result: Result<CallToolResult, NoResult>,
) -> Result<CallToolResult, NoResult> {
    match result {
        Ok(_) => unfinished.are_told(),
        Err(NoResult::Failed(failure)) => {
            return Err(NoResult::Failed(failure.noting(&unfinished.notes())));
        }
        Err(NoResult::InputRequired(_)) => {}
    }
    result
}

/// Locks a mutex, even after a panic: nobody leaves one of these half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A result that succeeded: JSON as structured content, and the same as text for clients that read nothing else.
fn success<T: Serialize>(value: &T) -> CallToolResult {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(value).ok();
    result
}

/// The words of a call that fails by this error of the API.
pub fn explained(error: &ApiError, installation: &Installation, secrets: &Secrets) -> String {
    let failure = words::api_failure(error, installation, secrets);
    failure.text().to_owned()
}

/// The result of a call that panicked.
pub fn panicked(name: &str, secrets: &Secrets) -> CallToolResult {
    let what = "failed because of a fault in this server, which goes on";
    ended(name, what, secrets)
}

/// The result of a call with this kind of value in place of its arguments.
pub fn arguments_are_no_object(name: &str, kind: &str, secrets: &Secrets) -> CallToolResult {
    let text = format!(
        "The arguments of {name} are {kind} and have to be an object, such as {{\"workspace_id\": \"ck1a2b3c\"}} or {{}}. Nothing was done. Call {name} again and send the arguments as a JSON object, not as text or as a list."
    );
    Failure::new(Code::InvalidArguments, text).into_result(secrets)
}

/// The result of a call that has not ended when the server stops.
pub fn stopped(name: &str, secrets: &Secrets) -> CallToolResult {
    ended(name, "was cancelled: this server is stopping", secrets)
}

fn ended(name: &str, what: &str, secrets: &Secrets) -> CallToolResult {
    let text = format!(
        "{name} {what}. If it was to change something, check with get_service_accounts whether it did."
    );
    Failure::new(Code::InternalError, text).into_result(secrets)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(TOOLS.is_sorted_by_key(|tool| tool.name));
    }

    #[test]
    fn a_success_is_structured_content_and_the_same_as_text() {
        let result = serde_json::to_value(success(&json!({"total": 1}))).unwrap();
        assert_eq!(result["content"][0]["text"], r#"{"total":1}"#);
        assert_eq!(result["structuredContent"], json!({"total": 1}));
        assert_eq!(result["isError"], false);
    }
}
