//! The operator's listener: health and metrics. Never on the port that the world reaches.

use async_trait::async_trait;
use filters::Contact;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::json;

use crate::bounds;
use crate::clock::Timestamp;
use crate::gate::Gate;
use crate::sites::is_loopback;

/// Serves `/livez`, `/readyz`, `/healthz` and `/metrics`.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) gate: Gate,
    /// Whether only this machine reaches the address that was bound.
    pub(crate) reach: Reach,
}

/// Who reaches a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Whoever is on this machine.
    Loopback,
    /// Other machines too.
    Others,
}

#[async_trait]
impl ServeHttp for Operations {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let header = session.req_header();
        // A page in a browser may let its own name lead here; it cannot change the name it asks for. A listener that
        // others reach has names of theirs, and no such page needs a browser on this machine to get there.
        let is_named = self.reach == Reach::Others || bounds::host(header).is_ok_and(|host| is_loopback(&host));
        let response = if !is_named {
            text(StatusCode::MISDIRECTED_REQUEST, "ask for this listener as localhost or 127.0.0.1\n")
        } else if header.method != Method::GET && header.method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        } else {
            self.page(header.uri.path())
        };
        complete(response, header.method == Method::HEAD)
    }
}

impl Operations {
    fn page(&self, path: &str) -> Response<Vec<u8>> {
        match path {
            "/livez" => text(StatusCode::OK, "ok\n"),
            // Being here means: the configuration was read and the listeners are bound. What an issuer or an origin
            // does is no reason to take a gateway out of service; it is said in a word.
            "/readyz" | "/healthz" => self.ready(),
            "/metrics" => match self.gate.metrics_now() {
                Ok(metrics) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics),
                Err(cause) => {
                    tracing::error!(error = &cause as &dyn std::error::Error, "metrics cannot be written");
                    text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written\n")
                }
            },
            _ => text(StatusCode::NOT_FOUND, "here are /livez /readyz /healthz /metrics\n"),
        }
    }

    fn ready(&self) -> Response<Vec<u8>> {
        let snapshot = self.gate.snapshot();
        let mut is_degraded = false;
        let mut issuers = Vec::new();
        for issuer in &snapshot.issuers {
            let view = issuer.view();
            let contact = match view.contact {
                Contact::Kept => "kept",
                Contact::Lost => "lost",
            };
            let misses_events = issuer.misses_events();
            is_degraded |= view.contact == Contact::Lost || view.keys.is_empty() || misses_events;
            issuers.push(json!({
                "issuer": issuer.url().as_str(),
                "contact": contact,
                "last_contact": view.last_contact.map(|time| Timestamp::from(time).to_string()),
                "keys": view.keys.len(),
                "misses_events": misses_events,
            }));
        }
        let status = if is_degraded { "degraded" } else { "ok" };
        let body = json!({ "status": status, "sites": snapshot.all_sites.len(), "issuers": issuers });
        answer(StatusCode::OK, "application/json", format!("{body}\n").into_bytes())
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Vec<u8>> {
    answer(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
}

fn answer(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn complete(mut response: Response<Vec<u8>>, is_head: bool) -> Response<Vec<u8>> {
    let length = HeaderValue::from(response.body().len());
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length);
    if is_head {
        response.body_mut().clear();
    }
    response
}
