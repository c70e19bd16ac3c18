//! Measures single parts of a call, without processes and pipes: `cargo bench --bench parts`.
//! Counts allocations, too, which are the same on every machine.

// It is for people at a terminal, and what fails here fails before their eyes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[expect(dead_code, reason = "cost.rs uses the rest")]
mod api;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use apc_mcp::apc::exchange::GraphqlClient;
use apc_mcp::apc::http::Connecting;
use apc_mcp::apc::installation::{ApiUrl, Installation, TokenSource};
use apc_mcp::apc::operations::service_accounts;
use apc_mcp::apc::{Place, WorkspaceId};
use apc_mcp::config::{Config, Environment, Flags};
use apc_mcp::guards::secret::{Secret, Secrets};
use apc_mcp::session::server::Server;
use apc_mcp::session::shutdown;
use apc_mcp::session::shutdown::Shutdown;
use apc_mcp::tools::{self, ToolOptions};
use divan::{AllocProfiler, Bencher, black_box};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use api::{Api, FEW, MANY, TOKEN};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

static API: LazyLock<Api> = LazyLock::new(|| Api::start().unwrap());

fn main() {
    divan::main();
}

/// The answer read off loopback and parsed, with nothing around it.
#[divan::bench(args = [1, 100, 1_000])]
fn select_of_10_000(bencher: Bencher, selected: usize) {
    let runtime = runtime();
    let client = GraphqlClient::new(
        Connecting::default(),
        Duration::from_secs(20),
        Secrets::default(),
    );
    let installation = Installation {
        url: ApiUrl::parse(&API.url()).unwrap(),
        token: Secret::new(TOKEN),
        token_source: TokenSource::Sandbox,
        login_workspace: None,
    };
    let workspace = Place::Workspace(WorkspaceId::parse(MANY).unwrap());
    bencher.bench_local(|| {
        let api = client.within(&installation, Instant::now() + Duration::from_secs(20));
        let mut seen = 0;
        let select = |_: apc_mcp::apc::selection::Candidate<'_>| {
            seen += 1;
            seen <= selected
        };
        let listing = runtime.block_on(service_accounts(&api, &workspace, select));
        assert_eq!(listing.unwrap().accounts.len(), selected);
    });
}

/// From a line to a line through the whole server, over a pipe in memory.
#[divan::bench(args = [
    (FEW, 100),
    (MANY, 100),
    (MANY, 200),
])]
fn whole_call(bencher: Bencher, (workspace, limit): (&str, u32)) {
    let runtime = runtime();
    let mut client = runtime.block_on(Client::open());
    let arguments = format!(r#"{{"workspace_id":"{workspace}","limit":{limit}}}"#);
    let call = format!(r#"{{"name":"get_service_accounts","arguments":{arguments}}}"#);
    bencher.bench_local(|| runtime.block_on(client.ask("tools/call", &call)));
}

#[divan::bench]
fn definitions() {
    black_box(tools::definitions(&ToolOptions::default()));
}

/// A field of an account, while so many secrets are known.
#[divan::bench(args = [1, 10, 1_000])]
fn scrub_a_field(bencher: Bencher, known: usize) {
    let secrets = secrets(known);
    bencher.bench_local(|| secrets.scrub(black_box("2026-03-02T09:30:00.000Z")).len());
}

/// The words of an error, which may hold secrets never seen before.
#[divan::bench]
fn scrub_foreign_words(bencher: Bencher) {
    let secrets = secrets(10);
    let words =
        "Variable \"$workspaceUuid\" got invalid value \"cmf3many000000000000bench\"; ".repeat(4);
    bencher.bench_local(|| secrets.scrub_foreign(black_box(&words)).len());
}

fn secrets(number: usize) -> Secrets {
    let secrets = Secrets::default();
    for number in 0..number {
        secrets.remember(&format!("{number:032x}"));
    }
    secrets
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

struct Client {
    output: WriteHalf<DuplexStream>,
    input: Lines<BufReader<ReadHalf<DuplexStream>>>,
}

impl Client {
    /// A client of a server in this very thread.
    async fn open() -> Self {
        let mut config = Config::new(&Flags::default(), &Environment::default()).unwrap();
        let url = ApiUrl::parse(&API.url()).unwrap();
        config.set_sandbox(url, Secret::new(TOKEN), PathBuf::new());
        let server = Server::new(config, Secrets::default(), Shutdown::default()).await;
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (input, output) = tokio::io::split(far);
        tokio::spawn(shutdown::serve(server, input, output));
        let (input, output) = tokio::io::split(near);
        let mut client = Self {
            output,
            input: BufReader::new(input).lines(),
        };
        let opening = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"parts","version":"1"}}"#;
        client.ask("initialize", opening).await;
        client
    }

    async fn ask(&mut self, method: &str, params: &str) {
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{method}\",\"params\":{params}}}\n"
        );
        self.output.write_all(line.as_bytes()).await.unwrap();
        let answer = self.input.next_line().await.unwrap().unwrap();
        assert!(!answer.contains(r#""isError":true"#), "{answer}");
    }
}
