//! The session over standard input and output: how it is served, and how it ends.
//! Knows nothing of what is said in it; `lines` reads and writes the messages.
//!
//! What it does otherwise than rmcp by itself:
//! - The end of input before the session is open is an error to rmcp. Here it is an end like any other.
//! - rmcp knows no signals: the process would die with its calls. Here one ends the session within two
//!   seconds, and the calls are answered.
//! - At the end rmcp gives calls five seconds, and drops what is left. Changes have tasks of their own
//!   here, which are waited for, and recorded where they could not be.
//! - A question to the user that is open at the end of input would take up all of these seconds. Here the
//!   end of input answers it.

use std::time::Duration;

use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::transport::LineTransport;
use crate::session::server::{Ending, Server};
use crate::tools::House;

/// How long changes under way may take once the input has ended. As long does rmcp wait for calls.
const INPUT_GRACE: Duration = Duration::from_secs(5);

/// How long changes under way may take once a signal has come.
const SIGNAL_GRACE: Duration = Duration::from_millis(1500);

/// How long the session may last once a signal has come.
const SIGNAL_PATIENCE: Duration = Duration::from_millis(1800);

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
    let (house, ending) = (server.house(), server.ending().clone());
    let lines = LineTransport::new(input, output, ending.input.clone());
    match serve_server_with_ct(server, lines, ending.signal.clone()).await {
        Ok(session) => {
            let served = async {
                tokio::select! {
                    // Why it ended is of no use to anybody: the client is gone, or told us to go.
                    _ = session.waiting() => {}
                    () = out_of_patience(&ending.signal) => {}
                }
                ending.input.cancel();
            };
            tokio::join!(served, settle(&house, &ending));
            // Whatever was begun while the others ended has had its time as well.
            house.settle(Duration::ZERO).await;
            Ok(())
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(error) => Err(Box::new(error)),
    }
}

/// Once the end is near, the changes under way have so much time and no more.
async fn settle(house: &House, ending: &Ending) {
    let after_input = async {
        ending.input.cancelled().await;
        house.settle(INPUT_GRACE).await;
    };
    tokio::select! {
        () = after_input => {}
        () = ending.signal.cancelled() => house.settle(SIGNAL_GRACE).await,
    }
}

/// rmcp has its own patience with calls at the end of input; a signal ends that, too.
async fn out_of_patience(signal: &CancellationToken) {
    signal.cancelled().await;
    tokio::time::sleep(SIGNAL_PATIENCE).await;
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
