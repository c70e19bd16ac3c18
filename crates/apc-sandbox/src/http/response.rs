//! The HTTP responses: whole, broken, canned, and the pages of the web framework before the API's engine.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::graphql::reply::Reply;

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Makes hyper close the connection.
pub(crate) fn gone() -> io::Error {
    io::Error::other("the connection was closed on purpose")
}

/// Dates a response, unless it brought a date of its own.
pub(crate) fn dated(mut response: Response<Body>, now: DateTime<Utc>) -> Response<Body> {
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        response.headers_mut().entry(DATE).or_insert(date);
    }
    response
}

pub(crate) fn whole(reply: Reply) -> Response<Body> {
    typed(reply.status, JSON, full(reply.body.to_string()))
}

/// Announces all, sends half, and fails, which makes hyper close the connection.
pub(crate) fn truncated(reply: Reply) -> Response<Body> {
    let bytes = Bytes::from(reply.body.to_string());
    let half = bytes.slice(..bytes.len() / 2);
    let sent = stream::once(async { Ok(Frame::data(half)) });
    let cut = stream::once(async {
        // Without a pause hyper would close before it has sent anything.
        yield_now().await;
        Err(gone())
    });
    let body = StreamBody::new(sent.chain(cut)).boxed_unsync();
    announced(reply.status, bytes.len(), body)
}

pub(crate) fn dripping(reply: Reply, pause: Duration) -> Response<Body> {
    let text = reply.body.to_string();
    let eighths = text.as_bytes().chunks(text.len().div_ceil(8).max(1));
    let eighths: Vec<_> = eighths.map(Bytes::copy_from_slice).collect();
    let drips = stream::iter(eighths).then(move |eighth| async move {
        sleep(pause).await;
        Ok(Frame::data(eighth))
    });
    let body = StreamBody::new(drips).boxed_unsync();
    announced(reply.status, text.len(), body)
}

fn announced(status: u16, length: usize, body: Body) -> Response<Body> {
    let mut response = typed(status, JSON, body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

pub(crate) fn canned(status: u16, headers: &[(String, String)], body: String) -> Response<Body> {
    let mut response = response(status, full(body));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

pub(crate) fn page(status: u16, what: &str) -> Response<Body> {
    if what.is_empty() {
        return response(status, full(""));
    }
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>Error</title>\n</head>\n<body>\n<pre>{what}</pre>\n</body>\n</html>\n"
    );
    typed(status, HTML, full(html))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    let body = Full::new(bytes.into()).map_err(|never: Infallible| match never {});
    body.boxed_unsync()
}

fn typed(status: u16, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = response(status, body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn response(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}
