//! What people see: the page instead of a problem document, and the help at `/.lime/help`. No scripts, nothing loaded
//! from anywhere, and a policy (CSP) that would not let it.

use askama::Template;
use bytes::Bytes;
use config::Site;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::refusal::{WayIn, explanation, ways_in};
use crate::{Accepts, Reason, Reply};

/// The style of all pages. Its hash stands in [`CSP`]; a test holds the two together.
const STYLE: &str = include_str!("../templates/style.css");

const CSP: &str = "default-src 'none'; style-src 'sha256-Hja8KMaV/9cX/OhzLWm0fy25RwDan2fMQJfvOquiSFk='; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The headers of every page but for `Cache-Control`.
pub(crate) fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    style: &'static str,
    title: &'a str,
    status: u16,
    host: Option<&'a str>,
    lead: &'static str,
    advice: &'static str,
    contact: Option<Contact<'a>>,
    request_id: &'a str,
    explanation: Option<String>,
}

/// The page for a request that was turned away.
pub(crate) fn refusal(site: Option<&Site>, reason: Reason, request_id: &str) -> Bytes {
    let (lead, advice) = for_people(reason);
    let page = RefusalPage {
        style: STYLE,
        title: reason.title(),
        status: reason.status().as_u16(),
        host: site.map(|site| site.url.host()),
        lead,
        advice,
        contact: site.and_then(|site| site.contact.as_deref()).map(Contact::of),
        request_id,
        explanation: site.map(|site| explanation(site, reason)),
    };
    rendered(&page)
}

/// What a person wants to know: what this is, and what to do. Programs get other words.
const fn for_people(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::PassportRequired => (
            "You have reached a part of this site that is reserved for AI agents that identify themselves.",
            "Nothing is wrong on your side. If you were looking for something else, go back to where you came from. If an \
             agent should be working here for you, its developer finds out how below.",
        ),
        Reason::InvalidToken => (
            "This browser, or the agent in it, sent a credential that does not count here any longer.",
            "Load the page again. If an agent works here for you, let it log in anew.",
        ),
        Reason::InsufficientScope | Reason::OwnerLevelTooLow | Reason::AgentDenied | Reason::CallDenied => (
            "The agent in this browser is known here, and it may not use this part of the site.",
            "If it should, the operator of the site can let it in.",
        ),
        Reason::ClearanceRequired | Reason::SolutionRefused | Reason::StrangerDenied | Reason::CrawlerUnconfirmed => (
            "This part of the site does not answer to programs that nobody knows.",
            "If you are a person, load the page again, in a browser. If a program works here for you, its developer finds \
             out below how it gets in.",
        ),
        Reason::RateLimited => (
            "More was asked of this site than it gives at a time.",
            "Nothing is wrong on your side. Try again in a minute.",
        ),
        Reason::IssuerUnavailable => (
            "This part of the site is reserved for AI agents, and they cannot be checked just now.",
            "Nothing is wrong on your side. Try again in a few seconds.",
        ),
        Reason::NotFound | Reason::LoginOff | Reason::MethodNotAllowed => {
            ("There is nothing for people at this address.", "Go back, or start at the front page of the site.")
        }
        Reason::LoginSecretInvalid | Reason::LoginExpired | Reason::LoginLimited | Reason::LoginRefused => (
            "This address is where AI agents log in to the site, and this login did not come about.",
            "If an agent works here for you, let it start again.",
        ),
        Reason::HostUnknown | Reason::HostInvalid => (
            "The address leads here, but no site of this name is served here.",
            "Check the address for a slip. If it is right, its owner has to correct where it leads.",
        ),
        Reason::MessageInvalid
        | Reason::HeaderMismatch
        | Reason::HeaderRepeated
        | Reason::MessageTooLarge
        | Reason::MediaTypeUnsupported
        | Reason::OriginDenied
        | Reason::SessionUnknown
        | Reason::TokenInQuery
        | Reason::MessageUnseen => (
            "This address is where programs talk to the site, and the request was not as they write it.",
            "If a program works here for you, its developer finds out below what was wrong.",
        ),
        Reason::CredentialAmbiguous
        | Reason::PathAmbiguous
        | Reason::PathInvalid
        | Reason::HeaderTooLarge
        | Reason::HeaderTimeout
        | Reason::HeaderReserved
        | Reason::FramingInvalid => (
            "The request was not in a form that this site can accept.",
            "If you followed a link, start at the front page instead. If it happens again, clear the cookies of this site.",
        ),
        Reason::Overloaded
        | Reason::UpstreamRefused
        | Reason::UpstreamFailed
        | Reason::UpstreamTimeout
        | Reason::Internal => {
            ("The site does not answer at the moment.", "Nothing is wrong on your side. Try again in a minute.")
        }
    }
}

/// Whom to ask, as a link where it is one.
pub(crate) struct Contact<'a> {
    pub(crate) text: &'a str,
    pub(crate) link: Option<String>,
}

impl<'a> Contact<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        let is_address = text.contains('@') && !text.contains([' ', ':', '?', '&', '/']);
        let link = match (is_url, is_address) {
            (true, _) => Some(text.to_owned()),
            (false, true) => Some(format!("mailto:{text}")),
            (false, false) => None,
        };
        Self { text, link }
    }
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage<'a> {
    style: &'static str,
    help: Help<'a>,
}

#[derive(Template)]
#[template(path = "help.md", escape = "none")]
struct HelpText<'a> {
    help: Help<'a>,
}

/// What the help says, in whichever form.
struct Help<'a> {
    host: Option<&'a str>,
    url: Option<&'a str>,
    issuer: Option<&'a str>,
    ways_in: Vec<WayIn<'a>>,
    contact: Option<Contact<'a>>,
    reasons: &'static [Reason],
}

/// `GET /.lime/help`: how agents get in at a site, and what every refusal means. A page for people, Markdown for
/// programs.
#[must_use]
pub fn help(site: Option<&Site>, accepts: Accepts) -> Reply {
    let help = Help {
        host: site.map(|site| site.url.host()),
        url: site.map(|site| site.url.as_str()),
        issuer: site.and_then(|site| site.issuers.first()).map(|issuer| issuer.url.as_str()),
        ways_in: site.map(ways_in).unwrap_or_default(),
        contact: site.and_then(|site| site.contact.as_deref()).map(Contact::of),
        reasons: Reason::ALL,
    };
    let (mut headers, body) = match accepts {
        Accepts::Html => (headers().to_vec(), rendered(&HelpPage { style: STYLE, help })),
        Accepts::Document => {
            let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
            (vec![(CONTENT_TYPE, kind)], rendered(&HelpText { help }))
        }
    };
    headers.push((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
    headers.push((http::header::VARY, HeaderValue::from_static("accept")));
    Reply { status: StatusCode::OK, headers, body }
}

/// Rendering into memory fails only if a template itself does, which none here can; a bare status is still right.
fn rendered(page: &impl Template) -> Bytes {
    page.render().unwrap_or_default().into()
}

/// A run of text, and whether it is code.
struct Span<'a> {
    text: &'a str,
    is_code: bool,
}

/// Splits at backquotes: every second run is code.
fn spans(text: &str) -> impl Iterator<Item = Span<'_>> {
    text.split('`').enumerate().map(|(place, text)| Span { text, is_code: place % 2 == 1 })
}

#[cfg(test)]
mod tests;
