//! Reads a GraphQL request out of an HTTP request, or finds the page that the web framework answers instead.

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use serde_json::Value;

use crate::graphql::document::Document;

/// The limit of the API's body parser, which calls it 100 kB.
const BODY_LIMIT: usize = 100 * 1024;
const HEAD_LIMIT: usize = 8 * 1024;

/// A status, and the text of the framework's page; nothing for some.
pub(crate) type Page = (u16, &'static str);

/// The document of a request, or the page that is the answer instead.
pub(crate) fn read(head: &Parts, body: &[u8]) -> Result<Document, Page> {
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

/// The size of the head on the wire, near enough.
fn head_size(head: &Parts) -> usize {
    let fields = head.headers.iter();
    let lines = fields.map(|(name, value)| name.as_str().len() + value.len() + 4);
    lines.sum::<usize>() + head.uri.path().len()
}

pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
