//! The transport: one JSON message a line, its end, and the signals.
//! Lets nothing but a request open the session: rmcp would end the process at anything else.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rmcp::RoleServer;
use rmcp::model::{ClientRequest, GetMeta, JsonRpcMessage, ProtocolVersion};
use rmcp::service::{
    RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server_with_ct,
};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// The longest line that is read, in bytes; rmcp's own limit is four times that.
const LINE_MAX: usize = 4 * 1024 * 1024;

/// How long changes under way may take once the input has ended.
const INPUT_GRACE: Duration = Duration::from_secs(5);

/// Serves until the input ends or a signal comes, and gives changes under way their time to end.
///
/// # Errors
/// The session could not be opened.
pub async fn serve<R, W>(
    server: Server,
    input: R,
    output: W,
) -> Result<(), Box<ServerInitializeError>>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let lines =
        AsyncRwTransport::<RoleServer, _, _>::new(input, output).with_max_line_length(LINE_MAX);
    let (house, ending) = (server.house(), server.ending().clone());
    let ended = Arc::new(OnceLock::new());
    let guard = Guard {
        lines,
        open: false,
        input: ending.input.clone(),
        ended: Arc::clone(&ended),
    };
    let session = serve_server_with_ct(server, guard, ending.signal.clone()).await;
    let result = match session {
        Ok(session) => {
            // Why it ended is of no use to anybody: the client is gone, or told us to go.
            let _ = session.waiting().await;
            Ok(())
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(error) => Err(Box::new(error)),
    };
    let since = ended.get().map_or(INPUT_GRACE, Instant::elapsed);
    let left = if ending.signal.is_cancelled() {
        Duration::ZERO
    } else {
        INPUT_GRACE.saturating_sub(since)
    };
    house.settle(left).await;
    result
}

/// Cancels the token at the first SIGTERM or SIGINT.
pub fn cancel_on_signal(token: CancellationToken) {
    tokio::spawn(async move {
        signal().await;
        token.cancel();
    });
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Drops notifications and responses until a request has opened the session. A client that probes
/// `server/discover`, gives up waiting and cancels it would otherwise end the process.
struct Guard<T> {
    lines: T,
    open: bool,
    input: CancellationToken,
    ended: Arc<OnceLock<Instant>>,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Guard<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.lines.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let Some(message) = self.lines.receive().await else {
                self.ended.get_or_init(Instant::now);
                self.input.cancel();
                return None;
            };
            if self.open {
                return Some(message);
            }
            if let JsonRpcMessage::Request(request) = &message {
                self.open = opens(&request.request);
                return Some(message);
            }
            tracing::warn!(
                "dropped a notification or response that came before the session was opened"
            );
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.lines.close().await
    }
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
