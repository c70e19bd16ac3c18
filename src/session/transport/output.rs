//! The output. Several tasks write to it, and their lines never mix.
//! Knows nothing of the messages in them.

use std::future::Future;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The length that few lines exceed, in bytes: a buffer of it seldom grows.
const USUAL: usize = 4096;

/// A stream that several tasks write lines to.
pub struct Output<W> {
    stream: Mutex<W>,
    broken: CancellationToken,
}

impl<W: AsyncWrite + Send + Unpin + 'static> Output<W> {
    /// Lines to this stream.
    pub fn to(stream: W) -> Arc<Self> {
        Arc::new(Self {
            stream: Mutex::new(stream),
            broken: CancellationToken::new(),
        })
    }

    /// A token that is cancelled once a line cannot be written: nobody reads any more.
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Writes the message, once nobody else writes.
    pub fn write<T: Serialize>(
        self: &Arc<Self>,
        message: &T,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static + use<W, T> {
        let (line, output) = (line(message), Arc::clone(self));
        async move {
            let line = line?;
            let mut stream = output.stream.lock().await;
            let written = async {
                stream.write_all(&line).await?;
                stream.flush().await
            };
            written.await.inspect_err(|_| output.broken.cancel())
        }
    }

    /// Waits until no line is being written.
    pub async fn idle(&self) {
        drop(self.stream.lock().await);
    }
}

fn line<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut line, message).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}
