//! One JSON message a line, in and out, over any pair of streams.
//! Ends for nothing that stands in a line: what cannot be used is dropped with a warning, or answered
//! as invalid where it asks for an answer.
//!
//! It stands in for rmcp's own line transport, whose defaults lose sessions and answers:
//! - A notification or response before the session is open ends rmcp's session. A client that probes
//!   `server/discover`, gives up waiting and cancels it does just that. Dropped here.
//! - Of two requests with one id in flight rmcp answers one, whichever ends first. The second is
//!   dropped here, and the first is answered.
//! - rmcp takes a cancelled call's late answer for the answer to the next request of that id, and drops
//!   the real one. Here every request has a number of its own inside, and its id only on the wire.
//! - rmcp drops lines it cannot read without a word. Here each leaves a warning.
//! - rmcp answers an id that it cannot represent (1.5, more than 64 bits) without an id. Here the answer
//!   carries it.
//! - rmcp reads lines of up to 16 MiB, and forgets a last line without a line feed. Here 4 MiB do, and
//!   that line is read.
//! - rmcp goes on after the output is closed, until the input ends. Here that ends the session.
//! - rmcp waits for the output to take what is still to be written, however long nobody reads it. Here
//!   the end has its time and no more.
//!
//! What rmcp does with a call that panics, is cancelled, or has parameters that do not parse is mended in
//! [`crate::session::server`]; how it waits at the end of a session, in [`crate::session::shutdown`].

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequest, CallToolRequestMethod, CallToolRequestParams, ClientNotification,
    ClientRequest, GetMeta, JsonRpcMessage, JsonRpcResponse, JsonRpcVersion2_0, ProtocolVersion,
    RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::guards::text::harmless;
use crate::tools::Structured;

/// The longest line that is read, in bytes.
const LINE_MAX: usize = 4 * 1024 * 1024;

/// A buffer that has grown beyond this for one line is given back after it.
const BUFFER_KEPT: usize = 64 * 1024;

/// How long the end of the session waits for the last lines to be taken.
const CLOSING: Duration = Duration::from_secs(1);

/// The longest id in the log, in characters.
const ID_SHOWN: usize = 80;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The transport.
pub struct LineTransport<R, W> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// Within a line that is too long and being skipped.
    skipping: bool,
    output: Output<W>,
    /// Whether a request has opened the session.
    open: bool,
    in_flight: InFlight,
    /// Cancelled when the input has ended.
    ended: CancellationToken,
}

impl<R: AsyncRead + Unpin, W> LineTransport<R, W> {
    /// A transport over these streams, which tells when the input has ended.
    pub fn new(input: R, output: W, ended: CancellationToken) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            skipping: false,
            output: Output {
                stream: Arc::new(tokio::sync::Mutex::new(output)),
                broken: CancellationToken::new(),
            },
            open: false,
            in_flight: InFlight::default(),
            ended,
        }
    }

    /// Reads up to the next line feed, or to the end. Dropped half-way it loses nothing: what was
    /// read stays in the buffer for the next time.
    async fn next_line(&mut self) -> Line {
        loop {
            let available = match self.input.fill_buf().await {
                Ok([]) if std::mem::take(&mut self.skipping) => return Line::TooLong,
                Ok([]) if self.line.is_empty() => return Line::End,
                Ok([]) => return Line::Whole,
                Ok(available) => available,
                Err(error) => {
                    tracing::warn!(%error, "the input cannot be read any more");
                    return Line::End;
                }
            };
            let line_feed = available.iter().position(|byte| *byte == b'\n');
            let part = line_feed.map_or(available, |end| available.get(..end).unwrap_or_default());
            let taken = part.len() + usize::from(line_feed.is_some());
            if !self.skipping {
                self.line.extend_from_slice(part);
            }
            self.input.consume(taken);
            if self.line.len() > LINE_MAX {
                self.skipping = true;
                self.line = Vec::new();
            }
            if line_feed.is_some() {
                return if std::mem::take(&mut self.skipping) {
                    Line::TooLong
                } else {
                    Line::Whole
                };
            }
        }
    }

    /// The message to hand on, if it is one to be handed on.
    fn admit(
        &mut self,
        mut message: RxJsonRpcMessage<RoleServer>,
    ) -> Option<RxJsonRpcMessage<RoleServer>> {
        match &mut message {
            JsonRpcMessage::Request(request) => {
                let Some(number) = self.in_flight.begin(&request.id) else {
                    let id = harmless(&request.id.to_string(), ID_SHOWN);
                    tracing::warn!(
                        id,
                        "dropped a request whose id is in flight; the first one is answered"
                    );
                    return None;
                };
                request.id = number;
                self.open = self.open || opens(&request.request);
            }
            _ if !self.open => {
                tracing::warn!(
                    "dropped a notification or response that came before the session was opened"
                );
                return None;
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &mut notification.notification
                    && let Some(id) = &mut cancelled.params.request_id
                {
                    // What has been answered meanwhile cannot be cancelled any more.
                    *id = self.in_flight.cancel(id)?;
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Some(message)
    }
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// The requests that have no answer yet: the client's ids, and the numbers they have inside. A
/// cancelled one gets no answer, and its id is free again.
#[derive(Clone, Default)]
struct InFlight(Arc<Mutex<Numbered>>);

#[derive(Default)]
struct Numbered {
    last: i64,
    numbers: HashMap<RequestId, RequestId>,
    ids: HashMap<RequestId, RequestId>,
}

impl InFlight {
    /// A number for a request; none where its id is in flight.
    fn begin(&self, id: &RequestId) -> Option<RequestId> {
        let mut all = self.lock();
        if all.numbers.contains_key(id) {
            return None;
        }
        all.last += 1;
        let number = RequestId::Number(all.last);
        all.numbers.insert(id.clone(), number.clone());
        all.ids.insert(number.clone(), id.clone());
        Some(number)
    }

    /// The number of a request that is in flight no longer.
    fn cancel(&self, id: &RequestId) -> Option<RequestId> {
        let mut all = self.lock();
        let number = all.numbers.remove(id)?;
        all.ids.remove(&number);
        Some(number)
    }

    /// The id to answer under; the request is in flight no longer.
    fn end(&self, number: &RequestId) -> Option<RequestId> {
        let mut all = self.lock();
        let id = all.ids.remove(number)?;
        all.numbers.remove(&id);
        Some(id)
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way out. Whole lines only, whoever writes.
struct Output<W> {
    stream: Arc<tokio::sync::Mutex<W>>,
    broken: CancellationToken,
}

impl<W: AsyncWrite + Send + Unpin + 'static> Output<W> {
    fn write(&self, mut line: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (stream, broken) = (Arc::clone(&self.stream), self.broken.clone());
        line.push(b'\n');
        async move {
            let mut stream = stream.lock().await;
            let written = async {
                stream.write_all(&line).await?;
                stream.flush().await
            };
            let result = written.await;
            if result.is_err() {
                broken.cancel();
            }
            result
        }
    }
}

impl<R, W> Transport<RoleServer> for LineTransport<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        mut message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let answered = match &mut message {
            JsonRpcMessage::Response(response) => Some(&mut response.id),
            JsonRpcMessage::Error(error) => error.id.as_mut(),
            _ => None,
        };
        let wanted = answered.is_none_or(|number| {
            let id = self.in_flight.end(number);
            id.map(|id| *number = id).is_some()
        });
        let line = wanted.then(|| written(&message).map_err(io::Error::other));
        let written = line.map(|line| line.map(|line| self.output.write(line)));
        async move {
            match written {
                Some(written) => written?.await,
                None => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let broken = self.output.broken.clone();
        loop {
            let line = tokio::select! {
                biased;
                () = broken.cancelled() => Line::End,
                line = self.next_line() => line,
            };
            match line {
                Line::End => {
                    self.ended.cancel();
                    return None;
                }
                Line::TooLong => {
                    tracing::warn!(bytes_at_most = LINE_MAX, "dropped a line that is too long");
                    continue;
                }
                Line::Whole => {}
            }
            let read = read(&self.line);
            self.line.clear();
            self.line.shrink_to(BUFFER_KEPT);
            match read {
                Read::Message(message) => {
                    if let Some(message) = self.admit(*message) {
                        return Some(message);
                    }
                }
                Read::Blank => {}
                Read::Dropped(why) => tracing::warn!(why, "dropped a line that is no message"),
                Read::Invalid(answer) => {
                    tracing::warn!("answered a line that is no valid request");
                    // Written by a task of its own, since this future may be dropped half-way.
                    tokio::spawn(self.output.write(answer.into_bytes()));
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        let flushed = async { self.output.stream.lock().await.flush().await };
        tokio::time::timeout(CLOSING, flushed).await?
    }
}

/// The message as a line, without its end.
fn written(message: &TxJsonRpcMessage<RoleServer>) -> serde_json::Result<Vec<u8>> {
    if let JsonRpcMessage::Response(JsonRpcResponse { id, result, .. }) = message
        && let Some(result) = Structured::of(result)
    {
        let mut line = Vec::with_capacity(result.size_hint());
        let answer = JsonRpcResponse {
            jsonrpc: JsonRpcVersion2_0,
            id: id.clone(),
            result,
        };
        serde_json::to_writer(&mut line, &answer)?;
        return Ok(line);
    }
    serde_json::to_vec(message)
}

/// What a line is.
enum Read {
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    Blank,
    Dropped(&'static str),
    Invalid(String),
}

fn read(line: &[u8]) -> Read {
    let line = line
        .strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(line)
        .trim_ascii();
    if line.is_empty() {
        return Read::Blank;
    }
    if let Some(call) = tool_call(line) {
        return Read::Message(Box::new(call));
    }
    match serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(line) {
        Ok(message) => Read::Message(Box::new(message)),
        Err(_) => invalid(line),
    }
}

/// A tool call, which most lines are, read as what it is. rmcp tries a request as one method after the
/// other and words each failure, and keeps what it has read of the parameters until it knows them.
fn tool_call(line: &[u8]) -> Option<RxJsonRpcMessage<RoleServer>> {
    #[derive(Deserialize)]
    struct ToolCall {
        #[serde(rename = "jsonrpc")]
        _version: JsonRpcVersion2_0,
        id: RequestId,
        #[serde(rename = "method")]
        _method: CallToolRequestMethod,
        #[serde(deserialize_with = "from_object")]
        params: CallToolRequestParams,
        #[serde(default, deserialize_with = "present")]
        result: bool,
        #[serde(default, deserialize_with = "present")]
        error: bool,
    }
    let mut reader = serde_json::Deserializer::from_slice(line);
    let call: ToolCall = from_object(&mut reader).ok()?;
    reader.end().ok()?;
    if call.result || call.error {
        return None;
    }
    let mut request = CallToolRequest::new(call.params);
    // Where rmcp looks for it in a message.
    if let Some(meta) = request.params.meta.take() {
        request.extensions.insert(meta);
    }
    Some(JsonRpcMessage::request(
        ClientRequest::CallToolRequest(request),
        call.id,
    ))
}

/// The value of an object and of nothing else: a struct would be read out of an array as well.
fn from_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(entries))
        }
    }

    value.deserialize_map(Object(PhantomData))
}

/// Whatever the value is, null included.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// What is JSON and no message is answered if it could be a request, or a batch of them, which no
/// current version has. To anything else an answer would only start a quarrel.
fn invalid(line: &[u8]) -> Read {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(rename = "method")]
        _method: IgnoredAny,
    }
    if serde_json::from_slice::<IgnoredAny>(line).is_err() {
        return Read::Dropped("it is not JSON that can be read");
    }
    if line.starts_with(b"[") {
        return Read::Invalid(refusal(None));
    }
    match serde_json::from_slice::<Request<'_>>(line) {
        Ok(request) => Read::Invalid(refusal(
            request.id.map(RawValue::get).filter(|id| is_scalar(id)),
        )),
        Err(_) => Read::Dropped("it is neither a request nor a notification nor a response"),
    }
}

/// Numbers are echoed as they were written: larger ones than 64 bits, too.
fn is_scalar(id: &str) -> bool {
    id.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

fn refusal(id: Option<&str>) -> String {
    let id = id.map(|id| format!(r#","id":{id}"#)).unwrap_or_default();
    let message = r#"This is no valid request: one object a line, with jsonrpc \"2.0\", a method, and an id that is a whole number or a string."#;
    format!(r#"{{"jsonrpc":"2.0"{id},"error":{{"code":-32600,"message":"{message}"}}}}"#)
}

/// Whether rmcp leaves its opening phase at this request: `initialize`, or a request of the
/// stateless era with all that it needs in its `_meta`.
fn opens(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::DiscoverRequest(_) | ClientRequest::PingRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28)
                .is_empty()
                && meta
                    .protocol_version()
                    .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::RequestMetaObject;

    use super::*;

    fn answer(line: &str) -> Option<serde_json::Value> {
        match read(line.as_bytes()) {
            Read::Invalid(answer) => Some(serde_json::from_str(&answer).unwrap()),
            _ => None,
        }
    }

    fn meta(message: &RxJsonRpcMessage<RoleServer>) -> Option<&RequestMetaObject> {
        match message {
            JsonRpcMessage::Request(request) => Some(request.request.get_meta()),
            _ => None,
        }
    }

    #[test]
    fn a_tool_call_read_as_what_it_is_is_what_rmcp_reads() {
        let params = [
            r#"{"name":"x"}"#,
            r#"{"name":"x","arguments":{"a":[1,null]},"_meta":{"progressToken":"p","k":{"v":1}}}"#,
            r#"{"name":"x","arguments":null,"requestState":"s","inputResponses":{"q":{"action":"decline"}}}"#,
            r#"{"name":"x","_meta":null,"more":1.5,"arguments":{"a":18446744073709551615,"b":1e3,"c":"\u00e4"}}"#,
            r#"{"name":"x","_meta":5}"#,
            r#"{"name":"x","name":"y"}"#,
            r#"{"name":1}"#,
            r#"{}"#,
            r#"[null,"x",null,null,null]"#,
            "[]",
            "null",
        ];
        let frames = [
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":P}"#,
            r#"{"params":P,"method":"tools/call","id":"seven","jsonrpc":"2.0","more":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":P}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":P}"#,
            r#"{"jsonrpc":"1.0","id":7,"method":"tools/call","params":P}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":P}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":P}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":P,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":P,"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"tools/call","params":P}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":P}}"#,
            r#"["2.0",7,"tools/call",P]"#,
        ];
        let mut read_here = 0;
        for (frame, params) in frames
            .iter()
            .flat_map(|frame| params.map(|params| (frame, params)))
        {
            let line = frame.replace('P', params);
            if let Some(call) = tool_call(line.as_bytes()) {
                let whole: RxJsonRpcMessage<RoleServer> = serde_json::from_str(&line).unwrap();
                assert_eq!(format!("{call:?}"), format!("{whole:?}"), "{line}");
                // Debug does not show where `_meta` is kept.
                assert_eq!(meta(&call), meta(&whole), "{line}");
                read_here += 1;
            }
        }
        assert_eq!(read_here, 8);
    }

    #[test]
    fn an_invalid_request_is_answered_under_its_own_id() {
        for id in ["1.5", "99999999999999999999", "-99999999999999999999"] {
            let Read::Invalid(answer) =
                read(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#).as_bytes())
            else {
                panic!("{id} was not answered");
            };
            assert!(answer.contains(&format!(r#""id":{id},"#)), "{answer}");
        }
        assert_eq!(answer(r#"{"id":"a","method":"ping"}"#).unwrap()["id"], "a");
    }

    #[test]
    fn a_batch_and_an_id_that_is_none_are_answered_without_an_id() {
        for line in [
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        ] {
            let answer = answer(line).unwrap();
            assert_eq!(answer["error"]["code"], -32600, "{line}");
            assert_eq!(answer.get("id"), None, "{line}");
        }
    }

    #[test]
    fn what_asks_for_no_answer_gets_none() {
        for line in [
            "5",
            r#""x""#,
            "null",
            "not json",
            r#"{"jsonrpc":"2.0","result":3}"#,
            "{}",
            r#"{"method":"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Read::Dropped(_)), "{line}");
        }
    }
}
