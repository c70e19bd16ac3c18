//! A stand-in for the Private Cloud API that costs next to nothing, and a client of it that does too.
//! Reads requests well enough for the two callers it has, and shares no line with either.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// The workspace of three accounts.
pub const FEW: &str = "cmf3few0000000000000bench";
/// The workspace of 10,000 accounts.
pub const MANY: &str = "cmf3many000000000000bench";
/// The workspace of 100 accounts that have never been used.
pub const UNUSED: &str = "cmf3unused0000000000bench";
/// The token of all callers.
pub const TOKEN: &str = "a-token-for-the-benchmarks";

/// The workspaces of a large installation, whose token is a system admin's.
pub const WORKSPACES: u32 = 200;
/// The deployments of each of them.
pub const DEPLOYMENTS: u32 = 10;
/// The accounts of every place of a large installation.
pub const ACCOUNTS: u32 = 3;

const LIST: &str = "workspaceServiceAccounts";
const LIST_OF_DEPLOYMENT: &str = "deploymentServiceAccounts";
const USED: &str = r#""2026-11-20T22:15:00.000Z""#;
const DOCUMENT: &str = include_str!("../src/apc/documents/workspaceServiceAccounts.graphql");

/// The API, on a port of loopback, until the process ends.
pub struct Api {
    address: SocketAddr,
    answers: Arc<Answers>,
}

struct Answers {
    workspaces: Vec<u8>,
    workspace: Vec<u8>,
    few: Vec<u8>,
    many: Vec<u8>,
    unused: Vec<u8>,
    large: Option<Large>,
    latency_us: AtomicU64,
}

/// The answers of a large installation.
struct Large {
    none: Vec<u8>,
    all: Vec<u8>,
    of_workspace: Vec<u8>,
    of_deployment: Vec<u8>,
}

impl Api {
    /// One thread a connection: nothing answers sooner once it is asked.
    pub fn start() -> io::Result<Self> {
        Self::serving(None)
    }

    /// The same for an installation of many workspaces with deployments.
    pub fn start_large() -> io::Result<Self> {
        Self::serving(Some(Large::new()))
    }

    fn serving(large: Option<Large>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let workspace = format!(r#"{{"id":"{FEW}","label":"Few"}}"#);
        let answers = Arc::new(Answers {
            workspaces: answer("workspaces", &format!("[{workspace}]")),
            workspace: answer("workspace", &workspace),
            few: answer(LIST, &accounts(FEW, 3, USED)),
            many: answer(LIST, &accounts(MANY, 10_000, USED)),
            unused: answer(LIST, &accounts(UNUSED, 100, "null")),
            large,
            latency_us: AtomicU64::new(0),
        });
        let api = Self {
            address: listener.local_addr()?,
            answers: Arc::clone(&answers),
        };
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                thread::spawn(move || answers.serve(connection));
            }
        });
        Ok(api)
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on every answer takes this long.
    pub fn set_latency(&self, latency: Duration) {
        let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.answers.latency_us.store(latency, Ordering::Relaxed);
    }

    /// A client that asks for the accounts of one workspace, again and again, over one connection.
    pub fn raw_client(&self, workspace: &str) -> io::Result<RawClient> {
        let query = DOCUMENT.trim_end().replace('\n', "\\n");
        let body =
            format!(r#"{{"query":"{query}","variables":{{"workspaceUuid":"{workspace}"}}}}"#);
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /v1 HTTP/1.1\r\ncontent-type: application/json\r\nauthorization: {TOKEN}\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        Ok(RawClient {
            stream,
            request: (head + &body).into_bytes(),
            message: Vec::new(),
        })
    }
}

impl Answers {
    fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut request = Vec::new();
        loop {
            read_message(&mut connection, &mut request)?;
            let latency = self.latency_us.load(Ordering::Relaxed);
            if latency > 0 {
                thread::sleep(Duration::from_micros(latency));
            }
            let request = String::from_utf8_lossy(&request);
            match &self.large {
                Some(large) => connection.write_all(&large.to(&request))?,
                None => connection.write_all(self.to(&request))?,
            }
        }
    }

    fn to(&self, request: &str) -> &[u8] {
        let is_list = request.contains("workspaceServiceAccounts(");
        match request {
            _ if is_list && request.contains(MANY) => &self.many,
            _ if is_list && request.contains(UNUSED) => &self.unused,
            _ if is_list => &self.few,
            _ if request.contains("workspace(") => &self.workspace,
            _ => &self.workspaces,
        }
    }
}

impl Large {
    fn new() -> Self {
        let workspaces = (0..WORKSPACES).map(|number| {
            format!(r#"{{"id":"cmf3wsp{number:018}","label":"Workspace {number}"}}"#)
        });
        let workspaces: Vec<_> = workspaces.collect();
        let rows = accounts(FEW, ACCOUNTS, USED);
        Self {
            none: answer("workspaces", "[]"),
            all: answer("sysWorkspaces", &format!("[{}]", workspaces.join(","))),
            of_workspace: answer(LIST, &rows),
            of_deployment: answer(LIST_OF_DEPLOYMENT, &rows),
        }
    }

    fn to(&self, request: &str) -> Cow<'_, [u8]> {
        match request {
            _ if request.contains("workspaceDeployments(") => deployments(request).into(),
            _ if request.contains("deploymentServiceAccounts(") => (&self.of_deployment).into(),
            _ if request.contains("workspaceServiceAccounts(") => (&self.of_workspace).into(),
            _ if request.contains("sysWorkspaces {") => (&self.all).into(),
            _ => (&self.none).into(),
        }
    }
}

/// The deployments of the workspace that the request names.
fn deployments(request: &str) -> Vec<u8> {
    let named = request.split(r#""workspaceUuid":"cmf3wsp"#).nth(1);
    let workspace: String = named.unwrap_or_default().chars().take(18).collect();
    let workspace: u32 = workspace.parse().unwrap_or_default();
    let rows = (0..DEPLOYMENTS).map(|number| {
        format!(
            r#"{{"id":"cmf3dep{:018}","label":"Airflow {number}","releaseName":"airflow-{workspace}-{number}"}}"#,
            workspace * DEPLOYMENTS + number
        )
    });
    let rows: Vec<_> = rows.collect();
    answer("workspaceDeployments", &format!("[{}]", rows.join(",")))
}

/// A client that sends the same request and does nothing else: the least that a call can cost.
pub struct RawClient {
    stream: TcpStream,
    request: Vec<u8>,
    message: Vec<u8>,
}

impl RawClient {
    /// Asks once and reads the whole answer.
    pub fn ask(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.request)?;
        read_message(&mut self.stream, &mut self.message)
    }
}

fn answer(field: &str, data: &str) -> Vec<u8> {
    let body = format!(r#"{{"data":{{"{field}":{data}}}}}"#);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Mon, 23 Nov 2026 18:00:00 GMT\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Accounts with the key masked, as the API shows those older than 10 minutes, and every other field set, none of them
/// changed since its creation; the last use as JSON.
fn accounts(workspace: &str, number: u32, last_used: &str) -> String {
    let accounts: Vec<_> = (0..number)
        .map(|number| {
            format!(
                r#"{{"id":"cmf3acc{number:018}","label":"deploy-{number:05}","apiKey":"{number:06x}**************************","category":"airflow","entityUuid":"{workspace}","active":true,"createdAt":"2026-03-02T09:30:00.000Z","updatedAt":"2026-03-02T09:30:00.000Z","lastUsedAt":{last_used},"roleBinding":{{"role":"WORKSPACE_EDITOR"}}}}"#
            )
        })
        .collect();
    format!("[{}]", accounts.join(","))
}

/// Reads one request or answer whole. Nobody here sends a second one before the first is answered.
fn read_message(stream: &mut TcpStream, message: &mut Vec<u8>) -> io::Result<()> {
    message.clear();
    let mut part = [0; 64 * 1024];
    let mut length = None;
    while length.is_none_or(|length| message.len() < length) {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(&part[..read]);
        length = length.or_else(|| whole_length(message));
    }
    Ok(())
}

/// The length of head and body, once the head is there.
fn whole_length(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ")?;
    let body: usize = length.split('\r').next()?.parse().ok()?;
    Some(end + body)
}
