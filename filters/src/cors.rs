//! Whether a page of another origin may read what the gateway itself answers (CORS, <https://fetch.spec.whatwg.org>).

use config::Site;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

use crate::Reply;

/// What a client needs of a refusal, and browsers hide.
const EXPOSED: &str = "WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy";

/// Lets pages of the configured origins read a refusal; for all others it stays as it is.
pub(crate) fn allow(site: &Site, headers: &HeaderMap, reply: &mut Reply) {
    if site.cors.is_empty() {
        return;
    }
    reply.headers.push((VARY, HeaderValue::from_static("origin")));
    let Some(origin) = headers.get(ORIGIN) else { return };
    if site.cors.iter().any(|known| known.as_str().as_bytes() == origin.as_bytes()) {
        reply.headers.push((ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        reply.headers.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        reply.headers.push((ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED)));
    }
}
