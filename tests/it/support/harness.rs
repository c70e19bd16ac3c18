//! Drives the real executable with raw JSON lines, as a client would that nobody has met yet.
//! Shares nothing with the server: an environment and a home of its own, and a socket to the sandbox.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use apc_sandbox::{AccountSnapshot, Handle, Persona, Sandbox};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::contract;

/// The time after which a test gives up. It only matters if something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first workspace of the sandbox, of which every persona but `Nobody` sees the accounts.
pub const ANALYTICS: &str = "cmf3ana1y00010h6analytics";
/// The second workspace.
pub const DATA_SCIENCE: &str = "cmf3dsc1e00020h6datascien";
/// An editor in Analytics, with every field set.
pub const CI_DEPLOY: &str = "cmf3acc1o00050h6cicddeplo";
/// An account in Analytics that was never used.
pub const MIGRATION: &str = "cmf3acc1o00080h6migration";
/// An old account in Data Science.
pub const NOTEBOOKS: &str = "cmf3acc1o00090h6notebooks";
/// An account of a deployment.
pub const FORECASTS: &str = "cmf3acc1o000a0h6forecasts";
/// The deployment of that account, which is in Data Science.
pub const DEPLOYMENT: &str = "cmf3dep1o00030h6forecasts";
/// The deployment in Analytics, which has no accounts.
pub const PROD_AIRFLOW: &str = "cmf3dep1o000c0h6prodairfl";
/// An account of the whole installation.
pub const BOOTSTRAP: &str = "cmf3sys1t00040h6systemadm";
/// Well-formed, and the id of nothing.
pub const NOTHING: &str = "cmf3n0thing00000000000000";
/// A well-formed key that no account has.
pub const UNKNOWN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// The mutation behind `create_service_account`.
pub const CREATE: &str = "createWorkspaceServiceAccount";
/// The mutation behind `delete_service_account`.
pub const DELETE: &str = "deleteWorkspaceServiceAccount";
/// The list that every lookup reads.
pub const LIST: &str = "workspaceServiceAccounts";

/// The protocol that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// A version that begins with `initialize`.
    Handshake(&'static str),
    /// 2026-07-28, in which every request tells by itself who asks and how.
    Stateless,
}

impl Era {
    /// Every version there is.
    pub const ALL: [Self; 5] = [
        Self::Handshake("2024-11-05"),
        Self::Handshake("2025-03-26"),
        Self::Handshake("2025-06-18"),
        Self::Handshake("2025-11-25"),
        Self::Stateless,
    ];

    /// One of each kind.
    pub const BOTH: [Self; 2] = [Self::USUAL, Self::Stateless];

    /// The protocol of tests for which it does not matter.
    pub const USUAL: Self = Self::Handshake("2025-11-25");

    pub fn version(self) -> &'static str {
        match self {
            Self::Handshake(version) => version,
            Self::Stateless => "2026-07-28",
        }
    }

    /// The parameters of a request, with what the era wants in them.
    fn dressed(self, mut params: Value, capabilities: &Value) -> Value {
        if self == Self::Stateless {
            params["_meta"] = stateless_meta(self.version());
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
        }
        params
    }
}

/// The members by which a stateless request describes its sender.
pub fn stateless_meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "harness", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// The parameters of `initialize`.
pub fn opening(version: &str) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "harness", "version": "1"},
    })
}

/// A library of `tests/preload`, compiled into that directory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn preloaded(directory: &Path, name: &str) -> String {
    let library = directory.join(format!("lib{name}.so"));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiled = std::process::Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-o"])
        .arg(&library)
        .arg(format!(
            "{}/tests/preload/{name}.rs",
            env!("CARGO_MANIFEST_DIR")
        ))
        .status();
    assert!(compiled.unwrap().success());
    text_of(&library)
}

/// The executable, not yet started: no environment but what is set here, and an empty home.
pub struct Program {
    name: PathBuf,
    arguments: Vec<String>,
    environment: HashMap<String, String>,
    capabilities: Value,
    home: TempDir,
}

impl Program {
    /// Without any setting.
    pub fn bare() -> Self {
        let home = TempDir::new().unwrap();
        let mut environment = HashMap::new();
        environment.insert("HOME".to_owned(), text_of(home.path()));
        // A server that is killed leaves its temporary files: they go with the home.
        let temporary = home.path().join(".tmp");
        std::fs::create_dir(&temporary).unwrap();
        environment.insert("TMPDIR".to_owned(), text_of(&temporary));
        Self {
            name: env!("CARGO_BIN_EXE_apc-mcp").into(),
            arguments: Vec::new(),
            environment,
            capabilities: json!({}),
            home,
        }
    }

    /// Configured for a sandbox, with a persona's token.
    pub fn at(sandbox: &Sandbox, persona: Persona) -> Self {
        Self::with_token(sandbox, &sandbox.token(persona))
    }

    /// Configured for a sandbox, with any token.
    pub fn with_token(sandbox: &Sandbox, token: &str) -> Self {
        Self::bare()
            .env("APC_API_URL", sandbox.url())
            .env("APC_API_TOKEN", token)
    }

    /// By another name, to be looked up in the `PATH` set with [`Program::env`].
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    pub fn args<T: AsRef<str>>(mut self, arguments: &[T]) -> Self {
        let more = arguments
            .iter()
            .map(|argument| argument.as_ref().to_owned());
        self.arguments.extend(more);
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// For a client that says it can do this.
    pub fn capable(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// With a file in its home.
    pub fn file(self, path: &str, text: &str) -> Self {
        write(&self.home.path().join(path), text);
        self
    }

    /// The path of a file in its home, as text.
    pub fn path(&self, path: &str) -> String {
        text_of(&self.home.path().join(path))
    }

    /// Serves, with the session opened as the era does it.
    pub async fn serve(self, era: Era) -> Session {
        let mut session = self.spawn(era);
        session.open().await;
        session
    }

    /// Serves, and nothing has been said yet.
    pub fn spawn(self, era: Era) -> Session {
        let mut child = self.command().spawn().expect("the executable starts");
        let mut errors = child.stderr.take().unwrap();
        let stderr = tokio::spawn(async move {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        Session {
            era,
            input: child.stdin.take(),
            lines: child
                .stdout
                .take()
                .map(|output| BufReader::new(output).lines()),
            stderr: Some(stderr),
            child,
            stdout: String::new(),
            arrived: HashMap::new(),
            questions: VecDeque::new(),
            notifications: VecDeque::new(),
            capabilities: self.capabilities,
            asked: 0,
            home: self.home,
        }
    }

    /// Runs to its end with nothing on its input.
    pub async fn run(&self) -> ProgramOutput {
        self.run_with(&[]).await
    }

    /// The same with further arguments.
    pub async fn run_with(&self, arguments: &[&str]) -> ProgramOutput {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        let output = patient("the program ends", command.output()).await.unwrap();
        ProgramOutput {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The command that starts it, its streams not decided yet.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// A program that has ended.
pub struct ProgramOutput {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A running server and the client's end of its pipes.
pub struct Session {
    pub era: Era,
    input: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Option<JoinHandle<String>>,
    child: Child,
    stdout: String,
    arrived: HashMap<u64, Value>,
    /// Questions of the server that no test has looked at yet.
    pub questions: VecDeque<Value>,
    /// Notifications of the server that no test has looked at yet.
    pub notifications: VecDeque<Value>,
    /// What the client says it can do, in every stateless request and when a session is opened.
    pub capabilities: Value,
    asked: u64,
    home: TempDir,
}

/// A server that still runs would go on writing to its home while that is removed.
impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        while matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Session {
    /// A server for a sandbox, signed in as an admin of both workspaces.
    pub async fn start(era: Era, sandbox: &Sandbox) -> Self {
        Program::at(sandbox, Persona::WorkspaceAdmin)
            .serve(era)
            .await
    }

    /// Opens the session as the era does it. Returns what the server says of itself in a handshake.
    pub async fn open(&mut self) -> Value {
        let Era::Handshake(version) = self.era else {
            return Value::Null;
        };
        let mut params = opening(version);
        params["capabilities"] = self.capabilities.clone();
        let mut reply = self.exchange("initialize", params).await;
        assert!(reply["result"].is_object(), "{reply}");
        self.notify("notifications/initialized").await;
        reply["result"].take()
    }

    /// The server's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the server's home.
    pub fn write_file(&self, path: &str, text: &str) {
        write(&self.home.path().join(path), text);
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// Calls a tool.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Outcome {
        let id = self.send_call(tool, arguments).await;
        self.outcome(tool, id).await
    }

    /// Sends a call without waiting for what comes of it.
    pub async fn send_call(&mut self, tool: &str, arguments: Value) -> u64 {
        let params = json!({"name": tool, "arguments": arguments});
        self.send_request("tools/call", params).await
    }

    /// Waits for the outcome of a call that was sent.
    pub async fn outcome(&mut self, tool: &str, id: u64) -> Outcome {
        let mut reply = self.reply(id).await;
        let Some(result) = reply.get_mut("result").map(Value::take) else {
            panic!("{tool} was answered with {reply}");
        };
        Outcome {
            tool: tool.to_owned(),
            result,
        }
    }

    /// The tools, in the order they came.
    pub async fn list_tools(&mut self) -> Vec<Value> {
        let reply = self.request("tools/list", json!({})).await;
        let tools = reply["result"]["tools"].as_array();
        tools.unwrap_or_else(|| panic!("{reply}")).clone()
    }

    /// Asks in the session's era and waits for the whole reply.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send_request(method, params).await;
        self.reply(id).await
    }

    pub async fn send_request(&mut self, method: &str, params: Value) -> u64 {
        let params = self.era.dressed(params, &self.capabilities);
        self.send(method, Some(params)).await
    }

    /// Asks with exactly these parameters.
    pub async fn exchange(&mut self, method: &str, params: impl Into<Option<Value>>) -> Value {
        let id = self.send(method, params.into()).await;
        self.reply(id).await
    }

    async fn send(&mut self, method: &str, params: Option<Value>) -> u64 {
        self.asked += 1;
        let mut request = json!({"jsonrpc": "2.0", "id": self.asked, "method": method});
        if let Some(params) = params {
            request["params"] = params;
        }
        self.raw_line(&request.to_string()).await;
        self.asked
    }

    pub async fn notify(&mut self, method: &str) {
        let notification = json!({"jsonrpc": "2.0", "method": method});
        self.raw_line(&notification.to_string()).await;
    }

    /// Writes a line as it is.
    pub async fn raw_line(&mut self, line: &str) {
        self.raw_bytes(format!("{line}\n").as_bytes()).await;
    }

    pub async fn raw_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        let written = async {
            input.write_all(bytes).await?;
            input.flush().await
        };
        patient("the server reads", written).await.unwrap();
    }

    /// Writes a line, unless the server has not read enough for it within a second.
    pub async fn takes_line(&mut self, line: &str) -> bool {
        let input = self.input.as_mut().expect("the input is open");
        let line = format!("{line}\n");
        let written = timeout(Duration::from_secs(1), input.write_all(line.as_bytes())).await;
        written.is_ok_and(|written| written.is_ok())
    }

    /// The reply to a request, whatever comes before it.
    pub async fn reply(&mut self, id: u64) -> Value {
        loop {
            if let Some(reply) = self.arrived.remove(&id) {
                return reply;
            }
            let message = self.message().await;
            let message = message.unwrap_or_else(|| panic!("the server ended before reply {id}"));
            self.file_away(message);
        }
    }

    /// Keeps a message until somebody asks for it.
    pub fn file_away(&mut self, message: Value) {
        if message["method"].is_string() && message.get("id").is_none() {
            self.notifications.push_back(message);
        } else if message["method"].is_string() {
            self.questions.push_back(message);
        } else if let Some(id) = message["id"].as_u64() {
            self.arrived.insert(id, message);
        }
    }

    /// The next message, which has to be one: anything else on standard output breaks clients.
    pub async fn message(&mut self) -> Option<Value> {
        let line = patient("a message comes", self.lines().next_line()).await;
        let line = line.unwrap()?;
        self.stdout.push_str(&line);
        self.stdout.push('\n');
        let message: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON on stdout: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "no JSON-RPC on stdout: {line}");
        Some(message)
    }

    fn lines(&mut self) -> &mut Lines<BufReader<ChildStdout>> {
        self.lines.as_mut().expect("the output is open")
    }

    /// Ends the input.
    pub fn close_stdin(&mut self) {
        self.input = None;
    }

    /// Closes the client's end of the server's output.
    pub fn close_stdout(&mut self) {
        self.lines = None;
    }

    /// Waits for the process to go, reading nothing.
    pub async fn exit(&mut self) -> ExitStatus {
        patient("the server ends", self.child.wait()).await.unwrap()
    }

    /// The next line as it was written.
    pub async fn raw_answer(&mut self) -> String {
        let line = patient("a line comes", self.lines().next_line()).await;
        line.unwrap().expect("an answer")
    }

    /// Ends the input and waits for the server to go, reading what it still has to say.
    pub async fn close_stdin_and_wait(&mut self) -> ExitStatus {
        self.close_stdin();
        self.wait().await
    }

    /// Waits for the server to go by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        while let Some(message) = self.message().await {
            self.file_away(message);
        }
        self.exit().await
    }

    /// Tells whether a reply came that nobody has taken yet.
    pub fn has_reply(&self, id: u64) -> bool {
        self.arrived.contains_key(&id)
    }

    /// Everything the server wrote to its output, as far as it was read.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Everything the server wrote to standard error, once it has ended.
    pub async fn stderr(&mut self) -> String {
        let reader = self.stderr.take().expect("read once");
        patient("standard error ends", reader).await.unwrap()
    }
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Outcome {
    tool: String,
    pub result: Value,
}

impl Outcome {
    pub fn is_error(&self) -> bool {
        self.result["isError"] == true
    }

    pub fn text(&self) -> &str {
        let text = self.result["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("no text: {}", self.result))
    }

    /// The part of an error that programs read.
    pub fn error(&self) -> &Value {
        &self.result["_meta"]["apc-mcp/error"]
    }

    pub fn code(&self) -> &str {
        self.error()["code"].as_str().unwrap_or_default()
    }

    /// The structured result of a call that succeeded, checked against the tool's contract.
    #[track_caller]
    pub fn structured(&self) -> &Value {
        assert!(!self.is_error(), "{}", self.text());
        let structured = &self.result["structuredContent"];
        let text: Value = serde_json::from_str(self.text()).expect("the text is JSON");
        assert_eq!(*structured, text, "text and structuredContent differ");
        contract::assert_output(&self.tool, structured);
        structured
    }

    /// The account of a creation or deletion that succeeded.
    #[track_caller]
    pub fn account(&self) -> &Value {
        &self.structured()["service_account"]
    }

    /// The accounts of a reading that succeeded.
    #[track_caller]
    pub fn accounts(&self) -> &Vec<Value> {
        let accounts = self.structured()["service_accounts"].as_array();
        accounts.expect("a list of accounts")
    }

    /// One field of every account.
    #[track_caller]
    pub fn column(&self, field: &str) -> Vec<&str> {
        let accounts = self.accounts().iter();
        accounts
            .map(|account| account[field].as_str().unwrap_or_default())
            .collect()
    }

    /// The words of a failure, which has to be of this kind and of the form all failures have.
    #[track_caller]
    pub fn refusal(&self, code: &str) -> &str {
        assert!(self.is_error(), "expected {code}: {}", self.result);
        assert_eq!(self.code(), code, "{}", self.text());
        assert!(
            self.text().starts_with(&format!("{code}: ")),
            "{}",
            self.text()
        );
        assert_eq!(self.result.get("structuredContent"), None);
        let retryable = matches!(code, "rate_limited" | "timed_out" | "unreachable");
        assert_eq!(self.error()["retryable"], retryable, "{}", self.text());
        self.text()
    }
}

/// Every part in the text.
#[track_caller]
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Counts the requests that ask for this field at their top.
pub fn count(handle: &Handle, field: &str) -> usize {
    let requests = handle.requests();
    let asked = |request: &&apc_sandbox::Recorded| request.operation.iter().any(|f| f == field);
    requests.iter().filter(asked).count()
}

/// Counts the requests that change something.
pub fn mutations(handle: &Handle) -> usize {
    count(handle, CREATE) + count(handle, DELETE)
}

/// The account of this label, as it really is.
pub fn truth(handle: &Handle, label: &str) -> AccountSnapshot {
    let mut accounts = handle.accounts().into_iter();
    let found = accounts.find(|account| account.label == label);
    found.unwrap_or_else(|| panic!("no account {label}"))
}

pub fn exists(handle: &Handle, id: &str) -> bool {
    handle.accounts().iter().any(|account| account.id == id)
}

/// The names of an object's members, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let object: &Map<String, Value> = value.as_object().expect("an object");
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Fails the test where the future does not come to an end.
pub async fn patient<F: Future>(what: &str, future: F) -> F::Output {
    let result = timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("waited {PATIENCE:?} and still not: {what}"))
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The most memory that a process has had, in KiB.
pub fn memory_peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Nothing that a terminal or a reader of lines would take for more than text.
#[track_caller]
pub fn assert_harmless(text: &str) {
    let bad = text
        .chars()
        .find(|c| apc_mcp::guards::text::is_deceptive(*c));
    assert_eq!(bad, None, "{text:?}");
}
