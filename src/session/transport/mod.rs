//! One JSON message a line, in and out, over any pair of streams.
//! No input line can end the session: a line that cannot be used is answered if it asks for something,
//! and otherwise dropped with a warning.
//!
//! rmcp reads the messages and runs the session. Its own line transport, `AsyncRwTransport`, loses
//! sessions and answers. A wrapper around it could mend the first four rows below and the last three, but
//! never sees the lines that it drops; so the reader and the writer are ours. `tests/it/rmcp.rs` shows
//! each of its faults. If such a test fails, rmcp is mended, and the part here can go.
//!
//! | rmcp | here |
//! |---|---|
//! | A notification or response before the session is open ends the session. | It is dropped. |
//! | Of two requests of one id in flight, one is never answered. | The second is dropped, the first answered. |
//! | The late answer of a cancelled call passes for the next request of that id. | Requests have numbers of their own ([`in_flight`]). |
//! | Any number of requests is read, whether or not their answers are. | Reading stops at a bound ([`in_flight`]). |
//! | A request with an id that rmcp cannot represent (1.5, more than 64 bits) is answered without it. | The answer has the id ([`outline`]). |
//! | A request that nests too deep, or with text that is no text, is dropped in silence. | It is answered ([`outline`]). |
//! | A line that is too long is dropped in silence, and may have 16 MiB. | It is answered, and may have 4 MiB ([`lines`]). |
//! | A last line without a line feed is dropped. | It is read ([`lines`]). |
//! | A handshake that does not parse is refused for its `_meta`. | Only the parts in use have to parse ([`handshake`]). |
//! | A request with `[]` for params, `_meta` or arguments is refused. | It is read as if they were left out ([`relaxed`]). |
//! | An answer that cannot be read leaves its question open. | It ends the question. |
//! | The refusal of a version is three words. | It names the versions that there are. |
//! | The session goes on after the output is closed. | It ends. |
//! | The end of the session waits for a blocked output. | It waits for [`LAST_WRITES`] at most. |
//!
//! rmcp's faults with calls that panic or are cancelled are mended in [`crate::session::server`]; with bad
//! parameters, in [`crate::session::service`]; its end of a session, in [`crate::session::shutdown`].

mod handshake;
mod in_flight;
mod lines;
mod outline;
mod output;
mod relaxed;

use std::future::Future;
use std::io;
use std::sync::Arc;

use futures_util::future::{Either, ready};
use rmcp::RoleServer;
use rmcp::model::{
    ClientNotification, ClientRequest, ClientResult, CustomResult, ErrorCode, ErrorData,
    JsonRpcError, JsonRpcMessage, JsonRpcVersion2_0, RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::TaskTracker;

use super::refusals;
use super::shutdown::{LAST_WRITES, Shutdown, end_questions};
use crate::guards::encoding::{self, BYTE_ORDER_MARK};
use crate::guards::text::harmless;
use crate::tools::SharedState;
use handshake::Opening;
use in_flight::{InFlight, RequestPermit};
use lines::{InputLine, Lines, OversizedLine};
use outline::Outline;
use output::Output;

pub use lines::LINE_MAX;

type Incoming = RxJsonRpcMessage<RoleServer>;
type Outgoing = TxJsonRpcMessage<RoleServer>;

/// The longest id in the log, in characters.
const ID_SHOWN: usize = 80;

/// The transport.
pub struct LineTransport<R, W> {
    lines: Lines<R>,
    output: Arc<Output<W>>,
    opening: Opening,
    in_flight: InFlight,
    refusals: TaskTracker,
    shutdown: Shutdown,
    /// Knows the token that no error may show.
    shared: Arc<SharedState>,
}

impl<R, W> LineTransport<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// A transport over these streams. It tells the others when the input has ended.
    pub fn new(input: R, output: W, shared: Arc<SharedState>, shutdown: Shutdown) -> Self {
        Self {
            lines: Lines::of(input),
            output: Output::to(output),
            opening: Opening::default(),
            in_flight: InFlight::default(),
            refusals: TaskTracker::new(),
            shutdown,
            shared,
        }
    }

    /// Reads a line, and returns its message if rmcp is to get it.
    fn read(&mut self, line: &[u8], room: RequestPermit) -> Option<Incoming> {
        let text = line.strip_prefix(BYTE_ORDER_MARK.as_bytes());
        let line = text.unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return None;
        }
        match relaxed::parse(line) {
            Some(message) => self.admit(message, room),
            None => self.admit_unreadable(line, room),
        }
    }

    /// Refuses a line that is no message, if it is a request. An answer to anything else could start an
    /// endless exchange of errors. Returns a message if the line belongs to a question.
    fn admit_unreadable(&self, line: &[u8], room: RequestPermit) -> Option<Incoming> {
        let outline = Outline::of(line).unwrap_or_default();
        let answer = self.unreadable_answer(&outline);
        match outline.is_request() {
            true => self.refuse_line(&outline, &refusals::no_request(), room),
            false if encoding::is_utf16(line) => {
                tracing::warn!("dropped a line that is UTF-16; a client has to write UTF-8");
            }
            false if answer.is_some() => tracing::warn!("an answer cannot be read"),
            false => tracing::warn!("dropped a line that is no message"),
        }
        answer
    }

    /// Refuses a line that is too long. Returns a message if the line belongs to a question.
    fn admit_oversized(&self, line: &OversizedLine, room: RequestPermit) -> Option<Incoming> {
        let outline = Outline::of_ends(&line.beginning, &line.end);
        self.refuse_line(&outline, &refusals::oversized(), room);
        self.unreadable_answer(&outline)
    }

    /// The answer to a question of ours that cannot be read. Nobody waits for it if the question is not open.
    fn unreadable_answer(&self, outline: &Outline) -> Option<Incoming> {
        let id = outline.answers().filter(|_| self.opening.is_open())?;
        let nothing = ClientResult::CustomResult(CustomResult::new(Value::Null));
        Some(JsonRpcMessage::response(nothing, id))
    }

    /// Returns the message if rmcp is to get it.
    fn admit(&mut self, mut message: Incoming, room: RequestPermit) -> Option<Incoming> {
        match &mut message {
            JsonRpcMessage::Request(request) => {
                request.id = self.admit_request(&request.id, &mut request.request, room)?;
            }
            _ if !self.opening.is_open() => {
                tracing::warn!("dropped a notification or response before the session was open");
                return None;
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &mut notification.notification
                    && let Some(id) = &mut cancelled.params.request_id
                {
                    *id = self.in_flight.cancel(id)?;
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Some(message)
    }

    /// Returns the number of a request if rmcp is to get it.
    fn admit_request(
        &mut self,
        id: &RequestId,
        request: &mut ClientRequest,
        room: RequestPermit,
    ) -> Option<RequestId> {
        if self.in_flight.contains(id) {
            drop_as_duplicate(id);
            return None;
        }
        handshake::mend(request);
        if let Some(refusal) = self.opening.refusal(request) {
            let error = JsonRpcMessage::error(refusal, Some(id.clone()));
            self.refuse::<Outgoing>(&error, room);
            return None;
        }
        self.opening.note(request);
        Some(self.in_flight.begin(id, room))
    }

    /// Refuses a line, under its id if it has one.
    fn refuse_line(&self, outline: &Outline, error: &ErrorData, room: RequestPermit) {
        let id = outline.request_id();
        if let Some(id) = id.filter(|id| self.in_flight.contains(id)) {
            return drop_as_duplicate(&id);
        }
        tracing::warn!(reason = %error.message, "refused a line");
        let refusal = ErrorAnswer {
            jsonrpc: JsonRpcVersion2_0,
            id: outline.id(),
            error,
        };
        self.refuse(&refusal, room);
    }

    /// Writes rmcp's refusal of a version, once the token is known that may stand in the place of the version.
    fn refuse_version(
        &self,
        mut error: ErrorData,
        id: Option<RequestId>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static + use<R, W> {
        let (output, shared) = (Arc::clone(&self.output), Arc::clone(&self.shared));
        let written = async move {
            refusals::reword_version(&mut error, shared.known_secrets().await);
            let message: Outgoing = JsonRpcMessage::error(error, id);
            output.write(&message).await
        };
        self.refusals.track_future(written)
    }

    /// Writes a refusal by a task of its own, since a future that receives may be dropped half-way.
    fn refuse<T: Serialize>(&self, refusal: &T, room: RequestPermit) {
        let written = self.output.write(refusal);
        self.refusals.spawn(async move {
            // The output remembers that it is broken.
            let _ = written.await;
            drop(room);
        });
    }
}

/// An error. rmcp may not be able to represent its id.
#[derive(Serialize)]
struct ErrorAnswer<'a> {
    jsonrpc: JsonRpcVersion2_0,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    error: &'a ErrorData,
}

fn drop_as_duplicate(id: &RequestId) {
    let id = harmless(&id.to_string(), ID_SHOWN);
    tracing::warn!(
        id,
        "dropped a request whose id is in flight; the first one is answered"
    );
}

/// The id of an answer.
fn answered(message: &mut Outgoing) -> Option<&mut RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(&mut response.id),
        JsonRpcMessage::Error(error) => error.id.as_mut(),
        _ => None,
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
        mut message: Outgoing,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let room = answered(&mut message).map(|id| self.in_flight.end(id));
        if let Some(None) = room {
            // The request was taken back.
            return Either::Left(ready(Ok(())));
        }
        let written = match message {
            JsonRpcMessage::Error(JsonRpcError { id, error, .. })
                if error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION =>
            {
                Either::Left(self.refuse_version(error, id))
            }
            message => Either::Right(self.output.write(&message)),
        };
        Either::Right(async move {
            let result = written.await;
            drop(room);
            result
        })
    }

    async fn receive(&mut self) -> Option<Incoming> {
        let broken = self.output.broken();
        loop {
            let next = async { (self.in_flight.room().await, self.lines.next().await) };
            let (room, line) = tokio::select! {
                biased;
                () = broken.cancelled() => break,
                next = next => next,
            };
            let message = match line {
                Ok(InputLine::Whole(line)) => self.read(&line, room),
                Ok(InputLine::Oversized(line)) => self.admit_oversized(&line, room),
                Ok(InputLine::End) => break,
                Err(error) => {
                    tracing::warn!(%error, "the input cannot be read any more");
                    break;
                }
            };
            if message.is_some() {
                return message;
            }
        }
        end_questions(&self.shutdown).await;
        None
    }

    /// Waits for the lines that are being written.
    async fn close(&mut self) -> io::Result<()> {
        self.refusals.close();
        let written = async {
            self.refusals.wait().await;
            self.output.idle().await;
        };
        // The session is over, even if the output takes no more.
        let _ = tokio::time::timeout(LAST_WRITES, written).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::config::Config;
    use crate::guards::secret::Secrets;

    #[tokio::test]
    async fn the_end_waits_for_refusals_that_are_still_to_be_written() {
        let (output, mut client) = duplex(1024);
        let shared = Arc::new(SharedState::new(Config::default(), Secrets::default()));
        let mut transport = LineTransport::new(&b"[]"[..], output, shared, Shutdown::default());
        assert!(transport.receive().await.is_none());
        transport.close().await.unwrap();
        let mut line = [0; 1024];
        let read = client.read(&mut line).now_or_never();
        assert!(read.expect("a line").unwrap() > 0);
    }
}
