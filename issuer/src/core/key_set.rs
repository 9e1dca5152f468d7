//! The key set as it is published (RFC 7517 §5).

use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passport::Jwk;

/// What the site SDK caches a key for in any case.
const MAX_AGE_MAX: Duration = Duration::from_secs(300);

/// The document, its name and how long it may be kept: made once, served from memory.
#[derive(Clone, Debug)]
pub(crate) struct JwksDocument {
    body: Bytes,
    etag: HeaderValue,
    cache_control: HeaderValue,
}

impl JwksDocument {
    /// A cached copy must not outlive the time a key is published ahead, or a switch would meet caches without it. Half of
    /// it leaves room for the fetch.
    pub(crate) fn new(keys: &[Jwk], published_ahead: Duration) -> Self {
        let body = passport::jwks_document(keys);
        let tag = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, body.as_bytes()));
        let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"));
        let max_age = (published_ahead / 2).min(MAX_AGE_MAX).as_secs();
        Self {
            body: Bytes::from(body),
            etag: text(format!("\"{tag}\"")),
            cache_control: text(format!("public, max-age={max_age}")),
        }
    }

    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let headers = [(header::ETAG, self.etag.clone()), (header::CACHE_CONTROL, self.cache_control.clone())];
        if request.get_all(header::IF_NONE_MATCH).iter().any(|value| self.is_named_in(value)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (headers, kind, Body::from(self.body.clone())).into_response()
    }

    /// Weak comparison (RFC 9110 §13.1.2).
    fn is_named_in(&self, if_none_match: &HeaderValue) -> bool {
        let (Ok(wanted), Ok(own)) = (if_none_match.to_str(), self.etag.to_str()) else { return false };
        wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    }
}
