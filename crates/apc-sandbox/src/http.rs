//! The sandbox's HTTP face: connections, statuses, the html of refusals, and faults as a socket shows them.
//! Reads no GraphQL; a fault decides what becomes of an answer, never what is in it.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Collected, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use super::document::{Document, Reply};
use super::fault::Fault;
use super::handle::{Handle, Recorded};
use super::operations::{Api, api};

/// What the API's body parser calls 100 kB.
const BODY_LIMIT: usize = 100 * 1024;
const HEAD_LIMIT: usize = 8 * 1024;
const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a request comes to.
enum Ending {
    Answer(Response<Body>),
    Silence,
    Cut,
}

struct Face {
    api: Api,
    handle: Handle,
}

/// Serves until it is dropped, and its connections with it.
pub(super) async fn serve(listener: TcpListener, handle: Handle) {
    let api = api(handle.clone());
    let face = Arc::new(Face { api, handle });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, face.clone()))),
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, face: Arc<Face>) {
    let service = service_fn(|request| respond(face.clone(), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // It ends in an error whenever a fault cuts it or the caller leaves.
    let _ = connection.await;
}

/// Works in a task of its own: the API does not stop because the caller has left.
async fn respond(face: Arc<Face>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let work = tokio::spawn(async move { face.meet(request).await });
    match work.await {
        Ok(Ending::Answer(response)) => Ok(response),
        Ok(Ending::Silence) => pending().await,
        Ok(Ending::Cut) | Err(_) => Err(gone()),
    }
}

/// Makes hyper close the connection.
fn gone() -> io::Error {
    io::Error::other("the connection was closed on purpose")
}

impl Face {
    async fn meet(&self, request: Request<Incoming>) -> Ending {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(Collected::to_bytes) else {
            return Ending::Cut;
        };
        let token = text(&head.headers, AUTHORIZATION);
        let document = read(&head, &body);
        let arrival = self.record(document.as_ref().ok(), token.clone());
        let ending = match document {
            Ok(document) => self.perform(document, token.as_deref()).await,
            Err((status, what)) => Ending::Answer(page(status, what)),
        };
        if let Ending::Answer(response) = &ending {
            let status = response.status().as_u16();
            self.handle.scene().record_status(arrival, status);
        }
        ending
    }

    fn record(&self, document: Option<&Document>, authorization: Option<String>) -> u64 {
        self.handle.scene().record(Recorded {
            operation: document.map(Document::field_names).unwrap_or_default(),
            query: document.map_or(String::new(), |document| document.query.clone()),
            variables: document.map_or(Value::Null, |document| document.variables.clone()),
            authorization,
            status: None,
        })
    }

    async fn perform(&self, document: Document, token: Option<&str>) -> Ending {
        let fault = self.handle.scene().take_fault(&document.field_names());
        match fault {
            None => Ending::Answer(whole(self.execute(document, token).await)),
            Some(fault) => self.spoil(fault, document, token).await,
        }
    }

    async fn execute(&self, document: Document, token: Option<&str>) -> Reply {
        document.execute(&self.api, &self.handle, token).await
    }

    async fn spoil(&self, fault: Fault, document: Document, token: Option<&str>) -> Ending {
        match fault {
            Fault::Hang => return Ending::Silence,
            Fault::DropBefore => return Ending::Cut,
            Fault::Delay(time) => sleep(time).await,
            Fault::Answer {
                status,
                headers,
                body,
                executed: false,
            } => return Ending::Answer(canned(status, &headers, body)),
            _ => {}
        }
        let failed = match &fault {
            Fault::ErrorAfter { code, message } => Some(document.failed(code, message)),
            _ => None,
        };
        let reply = self.execute(document, token).await;
        after(fault, failed.unwrap_or(reply))
    }
}

/// What becomes of an answer once the work is done.
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

/// A status, and what the web framework before the API's engine says in html; nothing for some.
type Page = (u16, &'static str);

/// The document of a request, or the page that is the answer instead.
fn read(head: &Parts, body: &[u8]) -> Result<Document, Page> {
    if head_size(head) > HEAD_LIMIT {
        return Err((431, ""));
    }
    if head.uri.path() != "/v1" {
        return Err((404, "Not Found"));
    }
    if head.method != Method::POST {
        return Err((405, "The sandbox supports only POST requests."));
    }
    parse(&head.headers, body)
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Document, Page> {
    let json = text(headers, CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    if body.is_empty() || !json {
        return Err((500, "POST body missing."));
    }
    if body.len() > BODY_LIMIT {
        return Err((413, "PayloadTooLargeError: request entity too large"));
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Err((400, "SyntaxError: Unexpected token in JSON"));
    };
    Document::new(&value).ok_or((400, "Must provide query string."))
}

/// The head's size on the wire, near enough.
fn head_size(head: &Parts) -> usize {
    let fields = head.headers.iter();
    let lines = fields.map(|(name, value)| name.as_str().len() + value.len() + 4);
    lines.sum::<usize>() + head.uri.path().len()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn whole(reply: Reply) -> Response<Body> {
    let (status, bytes) = (reply.status, Bytes::from(reply.body.to_string()));
    response(status, &[("content-type", JSON)], full(bytes))
}

/// Announces all, sends half, and fails, which makes hyper close the connection.
fn truncated(reply: Reply) -> Response<Body> {
    let bytes = Bytes::from(reply.body.to_string());
    let half = bytes.slice(..bytes.len() / 2);
    let sent = stream::once(async { Ok(Frame::data(half)) });
    let cut = stream::once(async {
        // Without a pause hyper would close before it has sent anything.
        yield_now().await;
        Err(gone())
    });
    announced(
        reply.status,
        bytes.len(),
        StreamBody::new(sent.chain(cut)).boxed_unsync(),
    )
}

fn dripping(reply: Reply, pause: Duration) -> Response<Body> {
    let text = reply.body.to_string();
    let eighth = text.len().div_ceil(8).max(1);
    let chunks: Vec<_> = text
        .as_bytes()
        .chunks(eighth)
        .map(Bytes::copy_from_slice)
        .collect();
    let drips = stream::iter(chunks).then(move |chunk| async move {
        sleep(pause).await;
        Ok(Frame::data(chunk))
    });
    announced(
        reply.status,
        text.len(),
        StreamBody::new(drips).boxed_unsync(),
    )
}

fn announced(status: u16, length: usize, body: Body) -> Response<Body> {
    let mut response = response(status, &[("content-type", JSON)], body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn canned(status: u16, headers: &[(String, String)], body: String) -> Response<Body> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    response(status, &headers, full(Bytes::from(body)))
}

fn page(status: u16, what: &str) -> Response<Body> {
    if what.is_empty() {
        return response(status, &[], full(Bytes::new()));
    }
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>Error</title>\n</head>\n<body>\n<pre>{what}</pre>\n</body>\n</html>\n"
    );
    response(status, &[("content-type", HTML)], full(Bytes::from(html)))
}

fn full(bytes: Bytes) -> Body {
    let body = Full::new(bytes).map_err(|never: Infallible| match never {});
    body.boxed_unsync()
}

fn response(status: u16, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(*value))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
