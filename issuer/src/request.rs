//! What a request may look like: one header of a name, a body of bounded size, an id that is one, and in [`parameters`]
//! what forms and queries say.

pub(crate) mod parameters;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use futures_util::StreamExt as _;
use passport::LoginRequestId;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::reply::Refusal;

/// No request to the issuer needs more.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// How long a body may take to arrive.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// A header that must not come twice, nor in anything but ASCII.
pub(crate) struct Unclear;

/// The value of a header, if it is there.
pub(crate) fn one_header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Unclear> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unclear);
    }
    value.to_str().map(Some).map_err(|_| Unclear)
}

/// A body as it came, of bounded size and in bounded time.
pub(crate) async fn bytes(body: Body) -> Result<Vec<u8>, Refusal> {
    bytes_up_to(body, BODY_BYTES_MAX).await
}

/// A body of smaller size than others.
pub(crate) async fn bytes_up_to(body: Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    timeout(BODY_WAIT_MAX, read(body, bytes_max)).await.map_err(|_| Refusal::BodyTooSlow)?
}

/// A body as one JSON object.
pub(crate) async fn object<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = bytes(body).await?;
    // serde would also read a struct from an array.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Invalid("the body is not a JSON object"));
    }
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Invalid("the body is not the JSON object asked for"))
}

async fn read(body: Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::Invalid("the body broke off"))?;
        if bytes.len() + chunk.len() > bytes_max {
            return Err(Refusal::BodyTooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The id of a login request in the path, decoded once. What cannot be an id names no request.
#[derive(Debug)]
pub(crate) struct RequestId(pub(crate) LoginRequestId);

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Refusal::LoginNotFound)?;
        text.try_into().map(Self).map_err(|_| Refusal::LoginNotFound)
    }
}
