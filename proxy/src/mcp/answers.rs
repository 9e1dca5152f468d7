//! The answer to a message, as far as it is looked at: lists.

use std::sync::Arc;

use bytes::Bytes;
use config::{Mode, Pins, RuleKind, Unlisted};
use filters::{CacheScope, Era, Listed, McpView, Part};
use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Method};
use pingora::http::{RequestHeader, ResponseHeader};

use super::exchange::Exchange;
use super::lists::{Conduct, Lists, ListsAsked, Look};
use crate::clock::now;
use crate::context::Context;
use crate::gate::Gate;

impl Gate {
    /// Passes on of a list what the caller may see: call it in `response_body_filter`, after changes of one's own. Without
    /// it, lists pass as they come.
    ///
    /// # Errors
    /// When nothing more of a stream can be passed on.
    pub fn response_body_filter(
        &self,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let Some(exchange) = context.mcp.as_deref_mut() else { return Ok(()) };
        let Exchange { lists: Some(lists), endpoint, identity, .. } = exchange else { return Ok(()) };
        let view = identity.as_deref().map(|identity| McpView::new(endpoint, identity));
        let shows = |kind: RuleKind, name: &str| view.is_some_and(|view| view.shows(kind, name));
        let part = if end_of_stream { Part::Last } else { Part::Some };
        let (pins, declared) = (&*self.shared().pins, &self.shared().declared);
        lists.pass(body, part, Look { shows: &shows, pins, declared, now: now() })
    }

    /// What is left of an answer that ends in trailers: call it in `response_trailer_filter`, and return what it gives.
    ///
    /// # Errors
    /// As [`response_body_filter`](Self::response_body_filter).
    pub fn response_trailer_filter(&self, context: &mut Context) -> pingora::Result<Option<Bytes>> {
        let mut body = None;
        self.response_body_filter(&mut body, true, context)?;
        Ok(body)
    }
}

impl Context {
    /// What is looked at must be readable: asks for it uncompressed, also where it is not known yet what will be asked.
    pub(crate) fn ask_for_no_coding(&self, upstream: &mut RequestHeader) -> pingora::Result<()> {
        let Some(exchange) = &self.mcp else { return Ok(()) };
        let may_list = exchange.call.is_none() || exchange.listed().is_some();
        if may_list && exchange.conduct().is_some() {
            upstream.insert_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))?;
        }
        Ok(())
    }

    /// The answer begins: if it may bring a list, it is looked at.
    pub(crate) fn expect_lists(&mut self, method: &Method, response: &mut ResponseHeader) -> pingora::Result<()> {
        let Some(site) = &self.site else { return Ok(()) };
        let Some(exchange) = &mut self.mcp else { return Ok(()) };
        let Some(asked) = exchange.lists_asked(method, site.config.url.as_str()) else { return Ok(()) };
        let mut lists = Lists::new(asked);
        lists.begin(response)?;
        exchange.lists = Some(lists);
        Ok(())
    }
}

impl Exchange {
    /// What the message asks for a list of.
    fn listed(&self) -> Option<Listed> {
        self.call.as_ref()?.method.as_deref().and_then(Listed::of_method)
    }

    /// What is done about lists; `None` where nothing is.
    fn conduct(&self) -> Option<Conduct> {
        match (self.mode, self.endpoint.pins) {
            (Mode::Enforce, _) => Some(Conduct::Filter),
            (Mode::Observe, Pins::Observe | Pins::Enforce) => Some(Conduct::Watch),
            (Mode::Observe | Mode::Off, _) => None,
        }
    }

    /// The lists that an answer may bring. A stream that is taken up again may bring the answer to a message of before,
    /// and is looked at where something may be hidden or changed.
    fn lists_asked(&self, method: &Method, site: &str) -> Option<ListsAsked> {
        let (endpoint, conduct) = (&self.endpoint, self.conduct()?);
        let (id, era) = match &self.call {
            Some(call) => (self.listed().and(Some(call.id.clone()))?, call.era),
            None => {
                let hides = !endpoint.rules.all().is_empty() || endpoint.unlisted == Unlisted::Deny;
                (*method == Method::GET && (hides || endpoint.pins != Pins::Off)).then_some((None, Era::Handshake))?
            }
        };
        let cache_scope = match era {
            Era::Stateless => CacheScope::Always,
            Era::Handshake => CacheScope::WhereSaid,
        };
        Some(ListsAsked { endpoint: Arc::clone(endpoint), site: site.into(), id, cache_scope, conduct })
    }
}
