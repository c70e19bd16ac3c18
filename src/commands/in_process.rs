//! An MCP client in this process: it writes a line to the server and reads a line.
//! Decides nothing; requests and the user's answers come from outside.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream, DuplexStream};
use tokio::task::JoinHandle;

use super::Failed;
use crate::session::server::Server;
use crate::session::shutdown;

/// The bytes that may be under way in either direction.
const BUFFER: usize = 64 * 1024;

const VERSION: &str = "2025-11-25";

/// The method by which a server asks the user.
const QUESTION: &str = "elicitation/create";

/// The reason why a request brought no result.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The server refused the request itself.
    #[error("{0}")]
    Refused(String),
    /// The server has gone.
    #[error("the server ended before it answered")]
    Ended,
    /// The server's line is not JSON.
    #[error("the server's answer is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The connection broke.
    #[error("the connection to the server broke: {0}")]
    Broken(#[from] io::Error),
}

/// A client, connected to a server of its own.
pub struct InProcessClient {
    server: BufStream<DuplexStream>,
    last_id: u64,
    session: JoinHandle<Result<(), String>>,
}

impl InProcessClient {
    /// Starts the server and connects to it.
    pub fn connect(server: Server) -> Self {
        let (near, far) = tokio::io::duplex(BUFFER);
        let (input, output) = tokio::io::split(far);
        let session = tokio::spawn(async move {
            let ended = shutdown::serve(server, input, output).await;
            ended.map_err(|error| error.to_string())
        });
        Self {
            server: BufStream::new(near),
            last_id: 0,
            session,
        }
    }

    /// Opens the session under this name, with these capabilities. Returns what the server says of itself.
    ///
    /// # Errors
    /// The server does not open it.
    pub async fn open(&mut self, name: &str, capabilities: Value) -> Result<Value, RequestError> {
        let client = json!({"name": name, "version": env!("CARGO_PKG_VERSION")});
        let opening =
            json!({"protocolVersion": VERSION, "capabilities": capabilities, "clientInfo": client});
        let opened = self.request("initialize", opening).await?;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.send(&initialized).await?;
        Ok(opened)
    }

    /// Sends a request and waits for its result. Questions are declined.
    ///
    /// # Errors
    /// There is no result.
    pub async fn request(
        &mut self,
        method: &str,
        parameters: Value,
    ) -> Result<Value, RequestError> {
        let decline = async |_: Value| json!({"action": "decline"});
        self.request_answering(method, parameters, decline).await
    }

    /// Sends a request and waits for its result. The user answers the questions in between.
    ///
    /// # Errors
    /// There is no result.
    pub async fn request_answering(
        &mut self,
        method: &str,
        parameters: Value,
        mut user: impl AsyncFnMut(Value) -> Value,
    ) -> Result<Value, RequestError> {
        self.last_id += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": parameters});
        self.send(&request).await?;
        loop {
            let mut message = self.receive().await?;
            if text(&message, "/method") == QUESTION {
                let question = message.get_mut("params").map(Value::take);
                let answer = user(question.unwrap_or_default()).await;
                let answer = json!({"jsonrpc": "2.0", "id": message.get("id"), "result": answer});
                self.send(&answer).await?;
            } else if message.get("id") == Some(&json!(self.last_id)) {
                return result(message);
            }
        }
    }

    /// Ends the input and waits for the server to go. Fails if the session did not end as it should.
    pub async fn close(self) -> Result<(), Failed> {
        drop(self.server);
        Ok(self.session.await??)
    }

    async fn receive(&mut self) -> Result<Value, RequestError> {
        let mut line = String::new();
        match self.server.read_line(&mut line).await? {
            0 => Err(RequestError::Ended),
            _ => Ok(serde_json::from_str(&line)?),
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), RequestError> {
        let line = format!("{message}\n");
        self.server.write_all(line.as_bytes()).await?;
        Ok(self.server.flush().await?)
    }
}

fn result(mut answer: Value) -> Result<Value, RequestError> {
    if let Some(result) = answer.get_mut("result") {
        return Ok(result.take());
    }
    let message = answer.pointer("/error/message").and_then(Value::as_str);
    let message = message.unwrap_or("the server gave no reason");
    Err(RequestError::Refused(message.to_owned()))
}

/// The text at a pointer into a message; empty if there is none.
pub fn text<'a>(message: &'a Value, pointer: &str) -> &'a str {
    let text = message.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}

/// The items of the list at a pointer into a message; none if there is no list.
pub fn list<'a>(message: &'a Value, pointer: &str) -> &'a [Value] {
    let list = message.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}
