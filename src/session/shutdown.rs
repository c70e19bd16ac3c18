//! The session over two streams, and its end.
//! Knows nothing of the messages; `super::transport` reads and writes them.
//!
//! | rmcp | here |
//! |---|---|
//! | The end of input before the session is open is an error. | It is an end like any other. |
//! | A signal ends the process, and its calls with it. | It ends the session within two seconds, and the calls are answered. |
//! | At the end, calls have five seconds and are dropped then. | Changes have tasks of their own, which are waited for and audited. |
//! | A question that is open at the end of input takes up all of these seconds. | The end of input ends it, and the client is told. |
//! | A signal ends the session before the client can be told of an open question. | The client is told first. |

use std::sync::Arc;
use std::time::Duration;

use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::server::Server;
use super::service::McpService;
use super::transport::LineTransport;
use crate::tools::SharedState;

/// The time of changes under way once the input has ended. rmcp waits equally long for calls.
const CHANGES_AFTER_INPUT: Duration = Duration::from_secs(5);

/// The time of changes under way once a signal has come.
const CHANGES_AFTER_SIGNAL: Duration = Duration::from_millis(1500);

/// The time of calls under way once a signal has come: they tell what became of a change.
pub const CALLS_AFTER_SIGNAL: Duration = Duration::from_millis(1600);

/// The time of the session once a signal has come.
const SESSION_AFTER_SIGNAL: Duration = Duration::from_millis(1800);

/// The time of the last lines that are being written.
pub const LAST_WRITES: Duration = Duration::from_secs(1);

/// The two causes that end a session, and the questions that it leaves open. Clones share them.
#[derive(Clone, Default)]
pub struct Shutdown {
    /// Cancelled when a signal asks the process to end.
    pub signal: CancellationToken,
    /// Cancelled when the input has ended: nobody is left to answer a question.
    pub end_of_input: CancellationToken,
    /// The questions that the client has to be told of if nobody waits for their answers any more.
    pub open_questions: TaskTracker,
}

impl Shutdown {
    /// Waits for the first of the two causes.
    pub async fn begins(&self) {
        tokio::select! {
            () = self.signal.cancelled() => {}
            () = self.end_of_input.cancelled() => {}
        }
    }

    /// Tells whether one of the two causes is there.
    pub fn has_begun(&self) -> bool {
        self.signal.is_cancelled() || self.end_of_input.is_cancelled()
    }

    /// Waits until the client has been told of the questions that are open.
    async fn questions_told(&self) {
        self.open_questions.close();
        // An output that takes no more is none of the session's troubles.
        let _ = tokio::time::timeout(LAST_WRITES, self.open_questions.wait()).await;
    }
}

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
    let (shared, shutdown) = (server.shared(), server.shutdown().clone());
    let transport = LineTransport::new(input, output, Arc::clone(&shared), shutdown.clone());
    let service = McpService::new(server);
    let end = after_questions(shutdown.clone());
    match serve_server_with_ct(service, transport, end).await {
        Ok(session) => {
            let after_signal = async {
                shutdown.signal.cancelled().await;
                tokio::time::sleep(SESSION_AFTER_SIGNAL).await;
            };
            let served = async {
                tokio::select! {
                    // The reason is of no use to anybody: the client is gone, or told us to go.
                    _ = session.waiting() => {}
                    // rmcp itself would give calls longer.
                    () = after_signal => {}
                }
                shutdown.end_of_input.cancel();
            };
            tokio::join!(served, settle(&shared, &shutdown));
            // A change that began meanwhile has had its time as well.
            shared.settle(Duration::ZERO).await;
            Ok(())
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(error) => Err(Box::new(error)),
    }
}

/// Ends the open questions once the input has ended, while the client can still be told.
pub async fn end_questions(shutdown: &Shutdown) {
    shutdown.end_of_input.cancel();
    shutdown.questions_told().await;
}

/// A token that ends the session once a signal has come, and the client has been told of the open questions.
fn after_questions(shutdown: Shutdown) -> CancellationToken {
    let session = CancellationToken::new();
    let ended = session.clone();
    tokio::spawn(async move {
        shutdown.signal.cancelled().await;
        shutdown.questions_told().await;
        ended.cancel();
    });
    session
}

/// Waits for the end of the session, and then gives the changes under way their time.
async fn settle(shared: &SharedState, shutdown: &Shutdown) {
    let after_input = async {
        shutdown.end_of_input.cancelled().await;
        shared.settle(CHANGES_AFTER_INPUT).await;
    };
    tokio::select! {
        () = after_input => {}
        () = shutdown.signal.cancelled() => shared.settle(CHANGES_AFTER_SIGNAL).await,
    }
}

/// Makes a write beyond the limit for files (ulimit -f) an error of that write. The signal that comes with it would end the
/// process, in the middle of a change.
pub fn survive_file_size_limit() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        // A handler stays, whatever becomes of its stream. Without one the limit ends the process, as it does by default.
        drop(signal(kind));
    }
}

/// Cancels the token at the first signal that asks the process to end.
pub fn cancel_on_signal(token: CancellationToken) {
    tokio::spawn(async move {
        signal().await;
        token.cancel();
    });
}

#[cfg(unix)]
async fn signal() {
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    let kinds = [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::terminate(),
    ];
    let signals = kinds.into_iter().filter_map(|kind| signal(kind).ok());
    let mut signals: Vec<_> = signals.collect();
    std::future::poll_fn(|context| {
        let mut signals = signals.iter_mut();
        match signals.any(|signal| signal.poll_recv(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
