use std::time::Duration;

use config::Mode;
use filters::{Era, Identity, MCP_SESSION_ID};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Context, End};
use crate::audit::{AuditLine, Caller, Spoken, trace_id};
use crate::mcp::Exchange;
use crate::sites::Site;

/// W3C Trace Context, level 1.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

impl Context {
    /// Writes and counts a message to an MCP endpoint, also one that was refused before it was read. A stream that is
    /// opened and a session that is ended are no messages.
    pub(super) fn write_audit(&self, end: &End<'_>, took: Duration) {
        let exchange = self.mcp.as_deref();
        let call = exchange.and_then(|exchange| exchange.call.as_ref());
        let Some(site) = self.site.as_deref() else { return };
        let configured = site.config.mcp_at(end.path);
        let Some(endpoint) = exchange.map(|exchange| &exchange.endpoint).or(configured) else { return };
        let is_message = call.is_some() || end.method == Some(&Method::POST);
        let mode = exchange.map_or_else(|| site.mode.now(), |exchange| exchange.mode);
        if !is_message || mode == Mode::Off {
            return;
        }
        let identity = exchange.and_then(|exchange| exchange.identity.as_deref());
        let identity = identity.or(self.decision.identity.as_deref());
        let spoken = spoken(exchange, end.headers);
        let header = |name| end.headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_bytes);
        self.gate.metrics().mcp.count(site.config.url.as_str(), spoken.method.as_deref(), self.decision.word);
        self.gate.shared().audit.write(&AuditLine {
            at: self.at,
            request_id: self.request_id.as_str(),
            site: site.config.url.as_str(),
            endpoint: &endpoint.resource,
            caller: identity.map(|identity| caller(site, identity)),
            session: header(MCP_SESSION_ID),
            spoken: &spoken,
            decision: self.decision.word,
            rule: call.and_then(|call| call.rule.as_deref()),
            policy: self.decision.policy.as_ref().map(filters::Asks::as_str),
            reason: self.decision.reason.map(filters::Reason::as_str),
            status: end.status,
            took,
        });
    }
}

fn caller<'a>(site: &'a Site, identity: &'a Identity) -> Caller<'a> {
    let issuer = site.config.issuers.get(identity.issuer);
    Caller {
        issuer: issuer.map_or("", |issuer| issuer.url.as_str()),
        agent: identity.agent.as_str(),
        client: identity.client.as_deref(),
    }
}

fn spoken(exchange: Option<&Exchange>, headers: Option<&HeaderMap>) -> Spoken {
    let call = exchange.and_then(|exchange| exchange.call.as_ref());
    let in_header = headers.and_then(|headers| headers.get(TRACE_PARENT)).and_then(|value| value.to_str().ok());
    let trace_parent = call.and_then(|call| call.trace_parent.as_deref()).or(in_header);
    Spoken {
        trace_id: trace_parent.and_then(trace_id).map(Box::from),
        era: call.map(|call| match call.era {
            Era::Handshake => "handshake",
            Era::Stateless => "stateless",
        }),
        method: call.and_then(|call| call.method.clone()),
        target: call.and_then(|call| call.target.clone()),
        arguments: exchange.and_then(Exchange::arguments),
    }
}
