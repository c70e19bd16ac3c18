//! Serves the API on a socket and lets go wrong what shall go wrong.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
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
use crate::http::request::{read, text};
use crate::http::response::{Body, canned, dated, dripping, gone, page, truncated, whole};
use crate::requests::Recorded;
use crate::state::tokens::Identity;

/// The ways to give a request no answer.
enum NoAnswer {
    Silence,
    Cut,
}

type Outcome = Result<Response<Body>, NoAnswer>;

/// Serves until it is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, engine: Engine) {
    let engine = Arc::new(engine);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, engine.clone()))),
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, engine: Arc<Engine>) {
    let service = service_fn(|request| respond(engine.clone(), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // It ends in an error whenever a fault cuts it or the caller leaves.
    let _ = connection.await;
}

/// Works in a task of its own: the API does not stop because the caller has left.
async fn respond(engine: Arc<Engine>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let work = tokio::spawn(async move { engine.meet(request).await });
    match work.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(NoAnswer::Silence)) => pending().await,
        Ok(Err(NoAnswer::Cut)) | Err(_) => Err(gone()),
    }
}

impl Engine {
    async fn meet(&self, request: Request<Incoming>) -> Outcome {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| NoAnswer::Cut)?.to_bytes();
        let token = text(&head.headers, AUTHORIZATION);
        let document = read(&head, &body);
        let number = self.record(document.as_ref().ok(), token.clone());
        let response = match document {
            Ok(document) => self.perform(&document, token.as_deref()).await?,
            Err((status, what)) => page(status, what),
        };
        let mut scene = self.handle.scene();
        let status = response.status().as_u16();
        scene.requests.record_status(number, status);
        Ok(dated(response, scene.store.now()))
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

    async fn perform(&self, document: &Document, token: Option<&str>) -> Outcome {
        let fault = {
            let (mut scene, fields) = (self.handle.scene(), document.field_names());
            scene.let_accounts_arrive(&fields);
            scene.faults.take(&fields)
        };
        let work = self.execute(document, token);
        match fault {
            Some(fault) => self.spoil(fault, document, work).await,
            None => work.await.map(whole),
        }
    }

    /// Lets a request go wrong. The work is done where it is awaited.
    async fn spoil(
        &self,
        fault: Fault,
        document: &Document,
        work: impl Future<Output = Result<Reply, NoAnswer>>,
    ) -> Outcome {
        match fault {
            Fault::Delay(time) => {
                sleep(time).await;
                work.await.map(whole)
            }
            Fault::Hang => Err(NoAnswer::Silence),
            Fault::HangAfter => work.await.and(Err(NoAnswer::Silence)),
            Fault::DropBefore => Err(NoAnswer::Cut),
            Fault::DropAfter => work.await.and(Err(NoAnswer::Cut)),
            Fault::Answer {
                status,
                headers,
                body,
                executed,
            } => {
                if executed {
                    work.await?;
                }
                Ok(canned(status, &headers, body))
            }
            Fault::TruncateAfter => work.await.map(truncated),
            Fault::SlowDrip(pause) => Ok(dripping(work.await?, pause)),
            Fault::ErrorBefore { code, message } => {
                Ok(whole(document.failed(self, &code, &message)))
            }
            Fault::ErrorAfter { code, message } => {
                work.await?;
                Ok(whole(document.failed(self, &code, &message)))
            }
        }
    }

    async fn execute(&self, document: &Document, token: Option<&str>) -> Result<Reply, NoAnswer> {
        let identity = self.handle.scene().store.identify(token);
        let caller = match identity {
            Identity::Known(caller) => Some(caller),
            Identity::Unknown => None,
            Identity::Unanswered => return Err(NoAnswer::Silence),
        };
        Ok(document.execute(self, caller).await)
    }
}
