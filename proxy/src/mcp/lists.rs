//! Lists of an MCP server on their way to a caller: what he may not see is taken out, what tools are is remembered.

use std::sync::Arc;

use bytes::Bytes;
use config::{McpEndpoint, Pins, RuleKind};
use filters::{AnswerFault, AnswerFilter, AnswerForm, CacheScope, Entry, Listed, Part, PinVerdict, Sight};
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, TRANSFER_ENCODING,
};
use http::{HeaderValue, StatusCode, Version};
use passport::UnixTime;
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType};

use super::declared::Declared;
use crate::mcp_pins::PinStore;

/// What says how a body was that is another now (RFC 9530, RFC 1864).
const OF_THE_BODY: [HeaderName; 6] = [
    ETAG,
    ACCEPT_RANGES,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Why a stream is broken off.
const UNREADABLE: &str = "the stream cannot be read on";

/// What is done about a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// It is passed on as the caller may see it, or not at all.
    Filter,
    /// It is passed on as it comes, and looked at for what tools are.
    Watch,
}

/// What was asked for in which lists may come.
#[derive(Clone, Debug)]
pub(crate) struct ListsAsked {
    pub(crate) endpoint: Arc<McpEndpoint>,
    /// The URL of the site.
    pub(crate) site: Box<str>,
    /// The id of the request, as JSON; `None` of a stream that may bring answers to several.
    pub(crate) id: Option<Box<str>>,
    pub(crate) cache_scope: CacheScope,
    pub(crate) conduct: Conduct,
}

/// The answer to it.
#[derive(Debug)]
pub(crate) struct Lists {
    asked: ListsAsked,
    /// `None` while nothing is known of the answer, and if there is nothing to look at in it.
    filter: Option<AnswerFilter>,
}

/// By what a list is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// Whether the caller sees something of this kind and name.
    pub(crate) shows: &'a (dyn Fn(RuleKind, &str) -> bool + 'a),
    pub(crate) pins: &'a PinStore,
    pub(crate) declared: &'a Declared,
    pub(crate) now: UnixTime,
}

impl Lists {
    pub(crate) const fn new(asked: ListsAsked) -> Self {
        Self { asked, filter: None }
    }

    /// Looks at how the answer begins, and changes what will not be true of it any longer.
    pub(crate) fn begin(&mut self, response: &mut ResponseHeader) -> pingora::Result<()> {
        // Of several, the last counts.
        self.filter = None;
        let Some(form) = self.form(response) else { return Ok(()) };
        let ListsAsked { endpoint, id, cache_scope, conduct, .. } = &self.asked;
        let mut filter = AnswerFilter::new(form, id.clone(), *cache_scope, endpoint.body_bytes_max);
        let is_encoded = response.headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity")
            || response.headers.get_all(CONTENT_TYPE).iter().nth(1).is_some();
        if *conduct == Conduct::Watch {
            self.filter = (!is_encoded).then_some(filter);
            return Ok(());
        }
        if is_encoded {
            filter.give_up(AnswerFault::Encoded);
            response.remove_header(&CONTENT_ENCODING);
        }
        if is_encoded || (form == AnswerForm::Document && media(response) != Some(Media::Json)) {
            response.insert_header(CONTENT_TYPE, HeaderValue::from_static("application/json"))?;
        }
        for name in OF_THE_BODY {
            response.remove_header(&name);
        }
        response.remove_header(&CONTENT_LENGTH);
        response.set_version(Version::HTTP_11);
        response.insert_header(TRANSFER_ENCODING, "chunked")?;
        self.filter = Some(filter);
        Ok(())
    }

    /// How the answer comes; `None` where it is none that a client would look for a list in. What a client might take for
    /// JSON although it does not say so is read as JSON, and refused if it is something else.
    fn form(&self, response: &ResponseHeader) -> Option<AnswerForm> {
        let status = response.status;
        let has_no_body =
            matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        let is_empty = response.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        if status.is_informational() || has_no_body || is_empty {
            return None;
        }
        match media(response) {
            Some(Media::Events) => Some(AnswerForm::Events),
            Some(Media::Json) => Some(AnswerForm::Document),
            Some(Media::Other) | None if self.asked.id.is_none() || !status.is_success() => None,
            None if status == StatusCode::ACCEPTED => None,
            Some(Media::Other) | None => Some(AnswerForm::Document),
        }
    }

    /// Takes a piece of the answer, and puts in its place what goes on.
    ///
    /// # Errors
    /// When nothing more of a stream can go on.
    pub(crate) fn pass(&mut self, body: &mut Option<Bytes>, part: Part, look: Look<'_>) -> pingora::Result<()> {
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let asked = &self.asked;
        let had_fault = filter.fault();
        let mut judge = |entry: &Entry<'_>| judge(asked, entry, look);
        let out = filter.push(body.as_deref().unwrap_or_default(), part, &mut judge);
        look.pins.settle();
        if let (None, Some(fault)) = (had_fault, filter.fault()) {
            let endpoint = &*asked.endpoint.resource;
            match asked.conduct {
                Conduct::Filter => tracing::warn!(endpoint, "{fault}: it was not passed on"),
                Conduct::Watch => tracing::warn!(endpoint, "{fault}: in `enforce` it would not be passed on"),
            }
        }
        match asked.conduct {
            Conduct::Watch => Ok(()),
            Conduct::Filter if out.is_empty() && filter.is_broken_off() => {
                Err(Error::new_up(ErrorType::Custom(UNREADABLE)))
            }
            Conduct::Filter => {
                *body = (!out.is_empty()).then(|| out.into());
                Ok(())
            }
        }
    }
}

/// Tools are remembered whoever asks, so that what one caller does not see is not new when another does.
fn judge(asked: &ListsAsked, entry: &Entry<'_>, look: Look<'_>) -> Sight {
    let endpoint = &asked.endpoint;
    if entry.listed == Listed::Tools {
        look.declared.learn(&endpoint.resource, entry.name, entry.definition);
    }
    let pinned = match (endpoint.pins, entry.listed) {
        (Pins::Observe | Pins::Enforce, Listed::Tools) => {
            let verdict = look.pins.judge(&asked.site, &endpoint.resource, (entry.name, entry.definition), look.now);
            match (endpoint.pins, verdict) {
                (Pins::Off | Pins::Observe, _) | (Pins::Enforce, PinVerdict::New | PinVerdict::Same) => Sight::Shown,
                (Pins::Enforce, PinVerdict::Changed | PinVerdict::NoRoom) => Sight::Hidden,
            }
        }
        (Pins::Off, _) | (_, Listed::Resources | Listed::Templates | Listed::Prompts) => Sight::Shown,
    };
    if (look.shows)(entry.listed.rule_kind(), entry.name) { pinned } else { Sight::Hidden }
}

/// What a body says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Json,
    Events,
    Other,
}

fn media(response: &ResponseHeader) -> Option<Media> {
    let text = response.headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let media = text.split(';').next().unwrap_or_default().trim();
    Some(if media.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else if media.eq_ignore_ascii_case("text/event-stream") {
        Media::Events
    } else {
        Media::Other
    })
}

#[cfg(test)]
mod tests;
