//! A client of the plainest kind, over a pipe in memory: it writes a line and reads a line.
//! Decides nothing: what is asked and what the user answers come from outside.

use std::io;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;

use crate::session::server::Server;
use crate::session::shutdown;

/// What either side of the pipe may hold, in bytes.
const PIPE: usize = 64 * 1024;

/// The version of the protocol that is spoken.
const VERSION: &str = "2025-11-25";

/// The method by which a server asks the user.
const QUESTION: &str = "elicitation/create";

/// Why an exchange brought no result.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The server refused the request itself.
    #[error("{message}")]
    Refused {
        /// The server's words.
        message: String,
    },
    /// The server has gone.
    #[error("the server ended before it answered")]
    Ended,
    /// The server's line is not JSON.
    #[error("the server's answer is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The pipe broke.
    #[error("the pipe to the server broke: {0}")]
    Broken(#[from] io::Error),
}

/// A client and the server at the other end of its pipe.
pub struct Client {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    output: WriteHalf<DuplexStream>,
    asked: u64,
    served: JoinHandle<Result<(), String>>,
}

impl Client {
    /// Starts the server at the other end.
    pub fn of(server: Server) -> Self {
        let (near, far) = tokio::io::duplex(PIPE);
        let (input, output) = tokio::io::split(far);
        let served = tokio::spawn(async move {
            let ended = shutdown::serve(server, input, output).await;
            ended.map_err(|error| error.to_string())
        });
        let (input, output) = tokio::io::split(near);
        Self {
            lines: BufReader::new(input).lines(),
            output,
            asked: 0,
            served,
        }
    }

    /// Opens the session under this name, with these capabilities.
    ///
    /// # Errors
    /// The server does not open it.
    pub async fn open(&mut self, name: &str, capabilities: Value) -> Result<(), PipeError> {
        let client = json!({"name": name, "version": env!("CARGO_PKG_VERSION")});
        let opening =
            json!({"protocolVersion": VERSION, "capabilities": capabilities, "clientInfo": client});
        self.exchange("initialize", opening).await?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await
    }

    /// Asks the server and waits for its result; whatever the server asks is declined.
    ///
    /// # Errors
    /// There is no result.
    pub async fn exchange(&mut self, method: &str, parameters: Value) -> Result<Value, PipeError> {
        let decline = async |_: Value| json!({"action": "decline"});
        self.exchange_with(method, parameters, decline).await
    }

    /// Asks the server and waits for its result, handing its questions to the user in between.
    ///
    /// # Errors
    /// There is no result.
    pub async fn exchange_with(
        &mut self,
        method: &str,
        parameters: Value,
        mut user: impl AsyncFnMut(Value) -> Value,
    ) -> Result<Value, PipeError> {
        self.asked += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": parameters});
        self.send(&request).await?;
        loop {
            let mut message = self.receive().await?;
            if message.get("method").is_some_and(|asks| asks == QUESTION) {
                let question = message.get_mut("params").map(Value::take);
                let answer = user(question.unwrap_or_default()).await;
                let id = message.get("id");
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": answer}))
                    .await?;
            } else if message.get("id") == Some(&json!(self.asked)) {
                return result(message);
            }
        }
    }

    /// Ends the input and waits for the server to go.
    ///
    /// # Errors
    /// The session did not end as it should.
    pub async fn close(self) -> Result<(), Box<dyn std::error::Error>> {
        drop((self.lines, self.output));
        Ok(self.served.await??)
    }

    async fn receive(&mut self) -> Result<Value, PipeError> {
        let line = self.lines.next_line().await?.ok_or(PipeError::Ended)?;
        Ok(serde_json::from_str(&line)?)
    }

    async fn send(&mut self, message: &Value) -> Result<(), PipeError> {
        let line = format!("{message}\n");
        self.output.write_all(line.as_bytes()).await?;
        Ok(self.output.flush().await?)
    }
}

fn result(mut answer: Value) -> Result<Value, PipeError> {
    if let Some(result) = answer.get_mut("result") {
        return Ok(result.take());
    }
    let message = answer.pointer("/error/message").and_then(Value::as_str);
    Err(PipeError::Refused {
        message: message.unwrap_or("the server gave no reason").to_owned(),
    })
}
