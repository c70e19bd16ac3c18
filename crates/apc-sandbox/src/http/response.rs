//! The HTTP responses: whole, broken, canned, and the pages of the web framework before the API's engine.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, DATE, HeaderName, HeaderValue};
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
    let (status, bytes) = (reply.status, Bytes::from(reply.body.to_string()));
    response(status, &[("content-type", JSON)], full(bytes))
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
    announced(
        reply.status,
        bytes.len(),
        StreamBody::new(sent.chain(cut)).boxed_unsync(),
    )
}

pub(crate) fn dripping(reply: Reply, pause: Duration) -> Response<Body> {
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

pub(crate) fn canned(status: u16, headers: &[(String, String)], body: String) -> Response<Body> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    response(status, &headers, full(Bytes::from(body)))
}

pub(crate) fn page(status: u16, what: &str) -> Response<Body> {
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
