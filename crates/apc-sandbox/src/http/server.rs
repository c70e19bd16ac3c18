//! Serves the API on a socket and lets go wrong what shall go wrong.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Collected};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::graphql::document::Document;
use crate::graphql::engine::Engine;
use crate::graphql::reply::Reply;
use crate::handle::Handle;
use crate::http::request::{read, text};
use crate::http::response::{Body, canned, dated, dripping, gone, page, truncated, whole};
use crate::requests::Recorded;
use crate::state::tokens::Identity;

/// The end of a request.
enum Ending {
    Answer(Response<Body>),
    Silence,
    Cut,
}

struct Api {
    engine: Engine,
    handle: Handle,
}

/// Serves until it is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, engine: Engine, handle: Handle) {
    let api = Arc::new(Api { engine, handle });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, api.clone()))),
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, api: Arc<Api>) {
    let service = service_fn(|request| respond(api.clone(), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // It ends in an error whenever a fault cuts it or the caller leaves.
    let _ = connection.await;
}

/// Works in a task of its own: the API does not stop because the caller has left.
async fn respond(api: Arc<Api>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let work = tokio::spawn(async move { api.meet(request).await });
    match work.await {
        Ok(Ending::Answer(response)) => Ok(response),
        Ok(Ending::Silence) => pending().await,
        Ok(Ending::Cut) | Err(_) => Err(gone()),
    }
}

impl Api {
    async fn meet(&self, request: Request<Incoming>) -> Ending {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(Collected::to_bytes) else {
            return Ending::Cut;
        };
        let token = text(&head.headers, AUTHORIZATION);
        let document = read(&head, &body);
        let number = self.record(document.as_ref().ok(), token.clone());
        let ending = match document {
            Ok(document) => self.perform(document, token.as_deref()).await,
            Err((status, what)) => Ending::Answer(page(status, what)),
        };
        match ending {
            Ending::Answer(response) => Ending::Answer(self.recorded(number, response)),
            ending => ending,
        }
    }

    fn record(&self, document: Option<&Document>, authorization: Option<String>) -> u64 {
        self.handle.scene().requests.record(Recorded {
            operation: document.map(Document::field_names).unwrap_or_default(),
            query: document.map_or(String::new(), |document| document.query.clone()),
            variables: document.map_or(Value::Null, |document| document.variables.clone()),
            authorization,
            status: None,
        })
    }

    fn recorded(&self, number: u64, response: Response<Body>) -> Response<Body> {
        let mut scene = self.handle.scene();
        let status = response.status().as_u16();
        scene.requests.record_status(number, status);
        dated(response, scene.store.clock.now())
    }

    async fn perform(&self, document: Document, token: Option<&str>) -> Ending {
        let fault = {
            let (mut scene, fields) = (self.handle.scene(), document.field_names());
            scene.let_accounts_arrive(&fields);
            scene.faults.take(&fields)
        };
        match fault {
            None => match self.execute(document, token).await {
                Some(reply) => Ending::Answer(whole(reply)),
                None => Ending::Silence,
            },
            Some(fault) => self.spoil(fault, document, token).await,
        }
    }

    /// None if the API never answers.
    async fn execute(&self, document: Document, token: Option<&str>) -> Option<Reply> {
        let identity = self.handle.scene().store.identify(token);
        let caller = match identity {
            Identity::Known(caller) => Some(caller),
            Identity::Unknown => None,
            Identity::Unanswered => return None,
        };
        let reply = document.execute(&self.engine, &self.handle, caller).await;
        Some(reply)
    }

    async fn spoil(&self, fault: Fault, document: Document, token: Option<&str>) -> Ending {
        match fault {
            Fault::Hang => return Ending::Silence,
            Fault::DropBefore => return Ending::Cut,
            Fault::Delay(time) => sleep(time).await,
            Fault::ErrorBefore { code, message } => {
                return Ending::Answer(whole(document.failed(&self.engine, &code, &message)));
            }
            Fault::Answer {
                status,
                headers,
                body,
                executed: false,
            } => return Ending::Answer(canned(status, &headers, body)),
            _ => {}
        }
        let failed = match &fault {
            Fault::ErrorAfter { code, message } => {
                Some(document.failed(&self.engine, code, message))
            }
            _ => None,
        };
        match self.execute(document, token).await {
            Some(reply) => after(fault, failed.unwrap_or(reply)),
            None => Ending::Silence,
        }
    }
}

/// The end of a request whose work is done.
fn after(fault: Fault, reply: Reply) -> Ending {
    match fault {
        Fault::HangAfter => Ending::Silence,
        Fault::DropAfter => Ending::Cut,
        Fault::TruncateAfter => Ending::Answer(truncated(reply)),
        Fault::SlowDrip(pause) => Ending::Answer(dripping(reply, pause)),
        Fault::Answer {
            status,
            headers,
            body,
            ..
        } => Ending::Answer(canned(status, &headers, body)),
        _ => Ending::Answer(whole(reply)),
    }
}
