//! Forward-auth: another proxy keeps the traffic, and asks here about each request whether it may pass.
//!
//! It tells what it was asked in the headers that nginx (`X-Original-*`), Caddy and Traefik (`X-Forwarded-*`) use, or in the
//! path behind `/.lime/auth` and the `Host`, as Envoy does. Only trusted peers are answered: whoever else could reach this
//! listener would be told of any request he makes up. What may pass gets 200 and, always, every identity header, empty
//! where nothing is known: a proxy that copies them so overwrites whatever the client sent.

use std::sync::Arc;

use async_trait::async_trait;
use config::Mode;
use filters::{
    Edits, HeaderEdit, IDENTITY_HEADERS, LIME_AUTHORIZATION, PUZZLES, Reason, Reply, Verdict, is_own_path, is_reserved,
};
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;

use crate::bounds;
use crate::context::{Context, End};
use crate::forwarded::{Source, Standing};
use crate::gate::{Gate, decided, refuse_form};
use crate::judge::Asked;

/// Where it is served, with whatever follows.
const PATH: &str = "/.lime/auth";

const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The status that nginx would not have understood.
const STATUS: HeaderName = HeaderName::from_static("lime-status");

/// The listener for other proxies.
#[derive(Debug)]
pub(crate) struct ForwardAuth {
    pub(crate) gate: Gate,
}

/// Which answers the asking proxy understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// nginx: 2xx, 401 and 403; anything else is an error of its own.
    Nginx,
    /// Caddy and Traefik pass a refusal on as it is. Of what lets a request pass they copy the headers they are told to.
    Copying,
    /// Envoy does so too, but adds what is empty as well.
    Envoy,
}

/// The request that was made to the other proxy.
struct Original<'a> {
    method: Method,
    target: &'a [u8],
    host: &'a [u8],
    dialect: Dialect,
}

#[async_trait]
impl ServeHttp for ForwardAuth {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let peer = session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
        let header = session.req_header();
        let mut context = self.gate.new_context();
        let snapshot = self.gate.snapshot();
        let source = peer.map(|peer| Source::of(peer, &header.headers, &snapshot.trusted_proxies));
        context.source = source;
        let (reply, method, path) = match source.filter(|source| source.standing == Standing::Trusted) {
            Some(source) => self.answer(header, &source, &mut context),
            None => {
                context.note = Some("forward-auth asked by a peer that is no trusted proxy".to_owned());
                (refused(&mut context, Reason::AgentDenied), header.method.clone(), Vec::new())
            }
        };
        context.record(&End {
            method: Some(&method),
            path: &path,
            status: Some(reply.status.as_u16()),
            body_bytes: reply.body.len(),
            headers: Some(&header.headers),
        });
        into_response(reply, header.method == Method::HEAD)
    }
}

impl ForwardAuth {
    /// The answer, and the request it is about.
    fn answer(&self, header: &RequestHeader, source: &Source, context: &mut Context) -> (Reply, Method, Vec<u8>) {
        let original = match Original::of(header) {
            Ok(original) => original,
            Err(reason) => return (refused(context, reason), header.method.clone(), Vec::new()),
        };
        if let Err(reason) = original.judge(&header.headers) {
            return (for_dialect(refused(context, reason), original.dialect), original.method, Vec::new());
        }
        let path = original.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let snapshot = self.gate.snapshot();
        let site = bounds::host_of(original.host).and_then(|host| snapshot.sites.find(&host).cloned());
        let Some(site) = site else {
            return (
                for_dialect(refused(context, Reason::HostUnknown), original.dialect),
                original.method,
                path.to_vec(),
            );
        };
        context.site = Some(Arc::clone(&site));
        if let Some(id) = source.request_id(&header.headers) {
            context.request_id = id;
        }
        if is_own_path(path) {
            // The asking proxy leads these to the gateway itself, and should not have asked.
            let reply = for_dialect(refused(context, Reason::NotFound), original.dialect);
            return (reply, original.method, path.to_vec());
        }
        if site.config.mcp_at(path).is_some() && site.mode.now() == Mode::Enforce {
            // Whoever only asks keeps the message to itself, and who may send it depends on what it says.
            let reply = for_dialect(refused(context, Reason::MessageUnseen), original.dialect);
            return (reply, original.method, path.to_vec());
        }
        let (headers, mut edits) = (&header.headers, Edits::new());
        let request_id = context.request_id().to_owned();
        let (method, at) = (&original.method, context.at);
        let host = bounds::host_of(original.host).unwrap_or_default();
        let asked = Asked { method, host: &host, path, headers, source, request_id: &request_id, at };
        let outcome = self.gate.judge(&site, &asked, &mut edits);
        context.decision = outcome.decision;
        let reply = match outcome.verdict {
            Verdict::Continue => passes(headers, &edits, original.dialect),
            Verdict::Respond(reply) => for_dialect(*reply, original.dialect),
        };
        (reply, original.method, path.to_vec())
    }
}

impl<'a> Original<'a> {
    /// Every word on what was asked has to be the same one: a proxy passes on what its clients send, and so a client may
    /// speak in the words of another proxy.
    fn of(header: &'a RequestHeader) -> Result<Self, Reason> {
        let words = [Self::of_nginx(header)?, Self::of_caddy(header)?, Self::of_envoy(header)?];
        let mut words = words.into_iter().flatten();
        let first = words.next().ok_or(Reason::FramingInvalid)?;
        let is_same =
            |other: Self| other.method == first.method && other.target == first.target && other.host == first.host;
        if words.all(is_same) { Ok(first) } else { Err(Reason::FramingInvalid) }
    }

    /// What the gateway refuses in a request that it is sent, or takes away, must not get past it where it is only asked.
    fn judge(&self, headers: &HeaderMap) -> Result<(), Reason> {
        bounds::judge_method(&self.method)?;
        // The asking proxy replaces these with what it is answered; of other spellings it knows nothing.
        let is_replaced = |name: &HeaderName| *name == LIME_AUTHORIZATION || IDENTITY_HEADERS.contains(name);
        // Nobody is told anything by the number of puzzles.
        let is_harmless = |name: &HeaderName| !is_reserved(name) || is_replaced(name) || *name == PUZZLES;
        if headers.keys().all(is_harmless) { Ok(()) } else { Err(Reason::HeaderReserved) }
    }

    fn of_nginx(header: &'a RequestHeader) -> Result<Option<Self>, Reason> {
        let Some(target) = one(header, &ORIGINAL_URI)? else { return Ok(None) };
        let (method, host) = (method(header, &ORIGINAL_METHOD)?, host(header, &HOST)?);
        Ok(Some(Self { method, target, host, dialect: Dialect::Nginx }))
    }

    /// Traefik speaks so too.
    fn of_caddy(header: &'a RequestHeader) -> Result<Option<Self>, Reason> {
        let Some(target) = one(header, &FORWARDED_URI)? else { return Ok(None) };
        let host = match one(header, &FORWARDED_HOST)? {
            Some(host) => host,
            None => host(header, &HOST)?,
        };
        Ok(Some(Self { method: method(header, &FORWARDED_METHOD)?, target, host, dialect: Dialect::Copying }))
    }

    /// Envoy puts what it was asked behind a prefix.
    fn of_envoy(header: &'a RequestHeader) -> Result<Option<Self>, Reason> {
        let target = header.raw_path().strip_prefix(PATH.as_bytes()).filter(|rest| rest.first() == Some(&b'/'));
        let Some(target) = target else { return Ok(None) };
        let (method, host) = (header.method.clone(), host(header, &HOST)?);
        Ok(Some(Self { method, target, host, dialect: Dialect::Envoy }))
    }
}

/// The value of a header that comes once or not at all: two of them are two requests.
fn one<'a>(header: &'a RequestHeader, name: &HeaderName) -> Result<Option<&'a [u8]>, Reason> {
    let mut lines = header.headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        // nginx takes a header away by setting it to nothing.
        (found, None) => Ok(found.map(HeaderValue::as_bytes).filter(|value| !value.is_empty())),
        (_, Some(_)) => Err(Reason::FramingInvalid),
    }
}

fn method(header: &RequestHeader, name: &HeaderName) -> Result<Method, Reason> {
    let value = one(header, name)?.ok_or(Reason::FramingInvalid)?;
    Method::from_bytes(value).map_err(|_| Reason::FramingInvalid)
}

fn host<'a>(header: &'a RequestHeader, name: &HeaderName) -> Result<&'a [u8], Reason> {
    one(header, name)?.ok_or(Reason::HostInvalid)
}

/// What the asking proxy is to send on: every header by which an origin is told, and what is left of those that carried
/// credentials of ours.
fn passes(headers: &HeaderMap, edits: &Edits, dialect: Dialect) -> Reply {
    let mut after = headers.clone();
    for edit in edits.request(headers) {
        match edit {
            HeaderEdit::Remove(name) => drop(after.remove(name)),
            HeaderEdit::Set(name, value) => drop(after.insert(name, value)),
            HeaderEdit::Append(name, value) => drop(after.append(name, value)),
        }
    }
    let empty = || HeaderValue::from_static("");
    let mut reply = Reply { status: StatusCode::OK, headers: Vec::new(), body: bytes::Bytes::new() };
    for name in IDENTITY_HEADERS {
        let value = after.get(&name).cloned().unwrap_or_else(empty);
        reply.headers.push((name, value));
    }
    for name in [AUTHORIZATION, COOKIE, LIME_AUTHORIZATION] {
        // Caddy copies what is not there as the text of its own placeholder.
        if dialect != Dialect::Envoy || headers.contains_key(&name) {
            let value = after.get(&name).cloned().unwrap_or_else(empty);
            reply.headers.push((name, value));
        }
    }
    // What is left of a limit.
    for edit in edits.response(&HeaderMap::new()) {
        if let HeaderEdit::Append(name, value) = edit {
            reply.headers.push((name, value));
        }
    }
    reply
}

fn refused(context: &mut Context, reason: Reason) -> Reply {
    context.decision = decided(reason);
    let site = context.site.clone();
    refuse_form(site.as_deref(), reason, context.request_id(), filters::Accepts::Document)
}

/// A refusal that nginx takes for one: it knows 401 and 403.
fn for_dialect(mut reply: Reply, dialect: Dialect) -> Reply {
    if dialect == Dialect::Nginx && reply.status != StatusCode::UNAUTHORIZED && reply.status != StatusCode::FORBIDDEN {
        let status = HeaderValue::from(reply.status.as_u16());
        reply.headers.push((STATUS, status));
        reply.status = StatusCode::FORBIDDEN;
    }
    reply
}

fn into_response(reply: Reply, is_head: bool) -> Response<Vec<u8>> {
    let length = HeaderValue::from(reply.body.len());
    let mut response = Response::new(if is_head { Vec::new() } else { reply.body.to_vec() });
    *response.status_mut() = reply.status;
    for (name, value) in reply.headers {
        response.headers_mut().append(name, value);
    }
    response.headers_mut().insert(http::header::CONTENT_LENGTH, length);
    response
}
