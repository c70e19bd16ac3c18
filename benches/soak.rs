//! A hundred thousand calls to the real executable, before a sandbox: its memory must not grow.
//! `cargo bench --bench soak`; another number of calls is an argument after `--`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use apc_sandbox::{Persona, Sandbox};
use serde_json::{Value, json};

const CALLS: u64 = 100_000;

/// The number of concurrent calls.
const AT_ONCE: u64 = 32;

/// The growth of resident memory that is allowed after the first tenth, in KiB: an allocator may keep that much, and a
/// leak of 100 bytes a call is far more.
const GROWTH_MAX: u64 = 4 * 1024;

const ANALYTICS: &str = "cmf3ana1y00010h6analytics";

fn main() -> ExitCode {
    let calls = std::env::args().find_map(|argument| argument.parse().ok());
    let calls: u64 = calls.unwrap_or(CALLS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sandbox = runtime.block_on(Sandbox::start(0)).unwrap();
    let mut server = Server::start(&sandbox);
    let (mut warm, mut done) = (0, 0);
    while done < calls {
        let round = AT_ONCE.min(calls - done);
        server.round(round);
        done += round;
        // What it remembers for us is not what is measured.
        sandbox.handle().clear_requests();
        if warm == 0 && done >= calls / 10 {
            warm = server.resident();
        }
        if done % (calls / 10).max(1) < AT_ONCE {
            println!("{done:>7} calls: {:>6} KiB", server.resident());
        }
    }
    let growth = server.resident().saturating_sub(warm);
    server.end();
    println!("grown by {growth} KiB after the first {} calls", calls / 10);
    if growth > GROWTH_MAX {
        println!("that is more than {GROWTH_MAX} KiB");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The server and the client's end of its pipes.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
    _home: tempfile::TempDir,
}

impl Server {
    fn start(sandbox: &Sandbox) -> Self {
        let home = tempfile::TempDir::new().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_apc-mcp"))
            .env_clear()
            .env("HOME", home.path())
            .env("APC_API_URL", sandbox.url())
            .env("APC_API_TOKEN", sandbox.token(Persona::WorkspaceAdmin))
            .env("APC_MAX_CHANGES_PER_MINUTE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            asked: 0,
            _home: home,
        };
        let opening = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "soak", "version": "1"},
        });
        server.send("initialize", &opening);
        server.answer();
        server
    }

    /// So many calls at once: mostly readings, some that fail, and now and then an account that is
    /// created and deleted.
    fn round(&mut self, calls: u64) {
        let mut created = Vec::new();
        for number in 0..calls {
            match number {
                0 => self.call(
                    "create_service_account",
                    &json!({"label": format!("soak-{}", self.asked), "workspace_id": ANALYTICS}),
                ),
                1..4 => self.call("get_service_accounts", &json!({"limit": "many"})),
                4..8 => self.call("get_service_accounts", &json!({})),
                _ => self.call("get_service_accounts", &json!({"workspace_id": ANALYTICS})),
            }
        }
        for _ in 0..calls {
            let result = self.answer();
            let account = &result["structuredContent"]["service_account"]["id"];
            created.extend(account.as_str().map(str::to_owned));
        }
        for id in created {
            let one = json!({"service_account_id": id, "workspace_id": ANALYTICS});
            self.call("delete_service_account", &one);
            assert_ne!(self.answer()["isError"], true);
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) {
        self.send("tools/call", &json!({"name": tool, "arguments": arguments}));
    }

    fn send(&mut self, method: &str, params: &Value) {
        self.asked += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        writeln!(self.input, "{request}").unwrap();
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).expect("an answer");
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].take()
    }

    /// The memory it has now, in KiB.
    fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}
