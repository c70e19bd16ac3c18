//! A stand-in for the network before the API: passes requests on to a sandbox, and does to one kind
//! of them what it is told, byte by byte. It knows HTTP just well enough for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use apc_sandbox::Sandbox;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// The treatment of a request.
#[derive(Clone)]
pub enum Play {
    /// The connection is reset before a byte of the request was read.
    ResetUnread,
    /// Silence.
    Hang,
    /// The connection is reset.
    Reset,
    /// The connection ends without a byte.
    Close,
    /// These bytes, and the connection ends.
    Bytes(Vec<u8>),
    /// These bytes, and the connection is reset.
    BytesThenReset(Vec<u8>),
    /// The true answer, changed, byte by byte if need be.
    Edit(fn(&mut Value, &str)),
    /// The true body within another head.
    Head(&'static str),
    /// The true body, of which this becomes.
    Body(fn(Vec<u8>) -> Vec<u8>),
    /// The true answer and another one that nobody asked for.
    Twice,
    /// The first half of the true answer, of which the head promises all.
    Half,
    /// The true answer, a byte at a time with this pause.
    Drip(Duration),
    /// This head and a body of so many MiB, never held as a whole.
    Stream {
        head: &'static str,
        mebibytes: usize,
    },
}

/// The treatment of the requests for one field.
struct Plan {
    field: &'static str,
    play: Play,
    /// True if the API sees the request.
    executed: bool,
    /// The number of connections to leave alone, for treatments that come before anything is read.
    spared: usize,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// After how many answers a connection ends, and whether only when the next request comes.
    idle: Option<Idle>,
    seen: HashMap<String, usize>,
    connections: usize,
    busy: usize,
    most_busy: usize,
    left: usize,
    delivered: usize,
}

/// The end of a kept connection.
#[derive(Clone, Copy, PartialEq)]
pub enum Idle {
    /// Right after the answer.
    AfterAnswer,
    /// When the next request has come, which is not read.
    AtNextRequest,
}

pub struct StandIn {
    address: String,
    state: Arc<Mutex<State>>,
    server: AbortHandle,
}

impl StandIn {
    /// Before this sandbox.
    pub async fn before(sandbox: &Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let target = sandbox.url();
        let target = target.trim_start_matches("http://").trim_end_matches("/v1");
        let (target, shared) = (target.to_owned(), Arc::clone(&state));
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, target.clone(), Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            server: server.abort_handle(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on, requests for the field go so; `executed` ones reach the API all the same.
    pub fn arm(&self, field: &'static str, play: Play, executed: bool, spared: usize) {
        let mut state = self.state();
        state.seen.clear();
        state.connections = 0;
        state.plan = Some(Plan {
            field,
            play,
            executed,
            spared,
        });
    }

    pub fn disarm(&self) {
        self.state().plan = None;
    }

    pub fn end_idle(&self, idle: Idle) {
        self.state().idle = Some(idle);
    }

    /// Counts the requests for the field, or the connections if nothing was read.
    pub fn seen(&self, field: &str) -> usize {
        self.state().seen.get(field).copied().unwrap_or(0)
    }

    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// The highest number of concurrent requests so far.
    pub fn most_busy(&self) -> usize {
        self.state().most_busy
    }

    /// Counts the connections that the caller has closed while it waited for an answer.
    pub fn left(&self) -> usize {
        self.state().left
    }

    /// Counts the answers of [`Play::Bytes`] that the network has taken whole.
    pub fn delivered(&self) -> usize {
        self.state().delivered
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn converse(mut stream: TcpStream, target: String, state: Arc<Mutex<State>>) {
    let unread = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        let number = state.connections;
        state
            .plan
            .as_ref()
            .is_some_and(|plan| matches!(plan.play, Play::ResetUnread) && number > plan.spared)
    };
    if unread {
        return reset(stream);
    }
    let mut answered = 0;
    loop {
        let _ = stream.peek(&mut [0]).await;
        if answered > 0 && state.lock().unwrap().idle == Some(Idle::AtNextRequest) {
            // Closing with something unread resets the connection.
            return;
        }
        let Some(request) = read_message(&mut stream).await else {
            return;
        };
        let field = field_of(&request);
        let plan = {
            let mut state = state.lock().unwrap();
            *state.seen.entry(field.clone()).or_default() += 1;
            state.busy += 1;
            state.most_busy = state.most_busy.max(state.busy);
            let plan = state.plan.as_ref().filter(|plan| plan.field == field);
            plan.map(|plan| (plan.play.clone(), plan.executed))
        };
        let goes_on = match plan {
            None => pass_on(&mut stream, &request, &target).await,
            Some((play, executed)) => {
                let answer = match executed {
                    true => ask(&request, &target).await,
                    false => Vec::new(),
                };
                perform(&mut stream, play, answer, &field, &state).await
            }
        };
        state.lock().unwrap().busy -= 1;
        match goes_on {
            Some(Goes::On) => answered += 1,
            Some(Goes::Reset) => return reset(stream),
            None => return,
        }
        if state.lock().unwrap().idle == Some(Idle::AfterAnswer) {
            return;
        }
    }
}

enum Goes {
    On,
    Reset,
}

async fn pass_on(stream: &mut TcpStream, request: &[u8], target: &str) -> Option<Goes> {
    let answer = ask(request, target).await;
    stream.write_all(&answer).await.ok()?;
    Some(Goes::On)
}

async fn perform(
    stream: &mut TcpStream,
    play: Play,
    answer: Vec<u8>,
    field: &str,
    state: &Mutex<State>,
) -> Option<Goes> {
    match play {
        Play::ResetUnread | Play::Reset => return Some(Goes::Reset),
        Play::Close => return None,
        Play::Hang => {
            let mut byte = [0];
            let _ = stream.read(&mut byte).await;
            state.lock().unwrap().left += 1;
            return None;
        }
        Play::Bytes(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            state.lock().unwrap().delivered += 1;
            // The caller may still be sending or reading: give it the chance to end first.
            let _ = stream.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0])).await;
            return None;
        }
        Play::BytesThenReset(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            sleep(Duration::from_millis(20)).await;
            return Some(Goes::Reset);
        }
        Play::Edit(edit) => {
            let mut value = serde_json::from_slice(body_of(&answer)).unwrap();
            edit(&mut value, field);
            let body = value.to_string().into_bytes();
            stream.write_all(&answer_of(OK_JSON, &body)).await.ok()?;
        }
        Play::Head(head) => {
            let bytes = answer_of(head, body_of(&answer));
            stream.write_all(&bytes).await.ok()?;
        }
        Play::Body(change) => {
            let body = change(body_of(&answer).to_vec());
            stream.write_all(&answer_of(OK_JSON, &body)).await.ok()?;
        }
        Play::Twice => {
            let twice = [&answer[..], &answer[..]].concat();
            stream.write_all(&twice).await.ok()?;
        }
        Play::Half => {
            let end = answer.len() - body_of(&answer).len() / 2;
            stream.write_all(&answer[..end]).await.ok()?;
            return None;
        }
        Play::Drip(pause) => {
            for byte in answer {
                stream.write_all(&[byte]).await.ok()?;
                sleep(pause).await;
            }
        }
        Play::Stream { head, mebibytes } => {
            stream.write_all(head.as_bytes()).await.ok()?;
            let chunked = head.contains("chunked");
            let chunk = vec![b' '; 1024 * 1024];
            for _ in 0..mebibytes {
                if chunked {
                    stream.write_all(b"100000\r\n").await.ok()?;
                }
                stream.write_all(&chunk).await.ok()?;
                if chunked {
                    stream.write_all(b"\r\n").await.ok()?;
                }
            }
            return None;
        }
    }
    Some(Goes::On)
}

pub const OK_JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// An answer of this head, which lacks its length, and this body.
pub fn answer_of(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{head}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// Sends a request to the API and returns its answer.
async fn ask(request: &[u8], target: &str) -> Vec<u8> {
    let mut api = TcpStream::connect(target).await.unwrap();
    api.write_all(request).await.unwrap();
    read_message(&mut api).await.unwrap_or_default()
}

/// A head, and the body that it announces.
pub async fn read_message<S: AsyncReadExt + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        if let Some(length) = length_of(&message)
            && message.len() >= length
        {
            return Some(message);
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => message.extend_from_slice(&chunk[..read]),
        }
    }
}

fn length_of(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&message[..end]).to_lowercase();
    let length = head.split("content-length:").nth(1);
    let length = length.and_then(|rest| rest.lines().next());
    Some(end + length.map_or(0, |digits| digits.trim().parse().unwrap()))
}

fn body_of(message: &[u8]) -> &[u8] {
    let head = message.windows(4).position(|four| four == b"\r\n\r\n");
    &message[head.expect("a whole head") + 4..]
}

/// The operation's name, which is its field's.
fn field_of(request: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body_of(request)).unwrap_or_default();
    let query = body["query"].as_str().unwrap_or_default();
    let mut words = query.split(|c: char| !c.is_ascii_alphanumeric());
    words.nth(1).unwrap_or_default().to_owned()
}
