//! The page in front of a page: a browser works there for a moment, and goes on.

use askama::Template;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::Site;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::challenge::Made;
use crate::locale::{self, Locale, Texts};
use crate::page::Contact;
use crate::refusal::explanation;
use crate::{Reason, Reply, assets};

const STYLE: &str = include_str!("../challenge/page.css");

/// `X-Robots-Tag`.
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The page of one site. Made once for a configuration.
#[derive(Debug)]
pub(crate) struct Interstitial {
    /// The site's colour, as a style.
    theme: Option<String>,
    csp: HeaderValue,
}

/// What one visitor is shown.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) made: &'a Made,
    /// Seconds after which a page that is loaded again passes, for those without scripts.
    pub(crate) wait_seconds: Option<u64>,
    /// Whether loading it again has led nowhere.
    pub(crate) gave_up: bool,
    /// The clearance that was sent and is not enough: only another one is worth loading the page again for.
    pub(crate) had: Option<String>,
}

#[derive(Template)]
#[template(path = "challenge.html")]
struct Page<'a> {
    lang: &'a str,
    dir: &'a str,
    t: &'a Texts,
    style: &'static str,
    theme: Option<&'a str>,
    site_name: &'a str,
    logo: Option<&'a str>,
    contact: Option<Contact<'a>>,
    request_id: &'a str,
    host: &'a str,
    data: String,
    scripts: [String; 2],
    wait_seconds: Option<u64>,
    /// Loading it again has led nowhere.
    gave_up: bool,
    explanation: String,
}

/// What the script is told.
#[derive(Serialize)]
struct Data<'a> {
    challenge: &'a str,
    bits: u8,
    puzzles: u8,
    expires_in: u64,
    worker: String,
    solver: String,
    wasm: String,
    wasm_simd: String,
    post: &'static str,
    had: Option<&'a str>,
    texts: &'a Map<String, Value>,
}

impl Interstitial {
    pub(crate) fn new(site: &Site) -> Self {
        let theme = site.page.color.as_ref().map(|color| format!(":root{{--accent:{color}}}"));
        let hash =
            |style: &str| format!("'sha256-{}'", STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes())));
        let styles = std::iter::once(STYLE).chain(theme.as_deref()).map(hash).collect::<Vec<_>>().join(" ");
        let csp = format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; \
             img-src 'self'; style-src {styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let csp = HeaderValue::from_str(&csp).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { theme, csp }
    }

    /// The page, at the URL that was asked for: 403, since caches and feed readers would keep a 200.
    pub(crate) fn page(&self, site: &Site, headers: &HeaderMap, request_id: &str, shown: &Shown<'_>) -> Reply {
        let locale = locale::of(headers);
        let body = locale.map(|locale| self.render(site, locale, request_id, shown)).unwrap_or_default();
        let headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (CONTENT_SECURITY_POLICY, self.csp.clone()),
            // What comes after is to know where the visitor came from, not this page.
            (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (VARY, HeaderValue::from_static("accept, accept-language, authorization, cookie, sec-fetch-dest")),
            (ROBOTS, HeaderValue::from_static("noindex")),
        ];
        Reply { status: StatusCode::FORBIDDEN, headers, body: body.into() }
    }

    fn render(&self, site: &Site, locale: &Locale, request_id: &str, shown: &Shown<'_>) -> String {
        let Shown { made, wait_seconds, gave_up, had } = shown;
        let data = Data {
            challenge: &made.text,
            bits: made.bits,
            puzzles: made.puzzles.count(),
            expires_in: made.lifetime.as_secs(),
            worker: assets::url("worker.js"),
            solver: assets::url("solver.js"),
            wasm: assets::url("solver.wasm"),
            wasm_simd: assets::url("solver-simd.wasm"),
            post: "/.lime/pow",
            had: had.as_deref(),
            texts: &locale.said,
        };
        let page = Page {
            lang: &locale.lang,
            dir: &locale.dir,
            t: &locale.texts,
            style: STYLE,
            theme: self.theme.as_deref(),
            site_name: site.page.name.as_deref().unwrap_or(site.url.host()),
            logo: site.page.logo.as_deref(),
            contact: site.contact.as_deref().map(Contact::of),
            request_id,
            host: site.url.host(),
            data: in_a_script(&data),
            scripts: [assets::url("solve.js"), assets::url("page.js")],
            wait_seconds: *wait_seconds,
            gave_up: *gave_up,
            explanation: explanation(site, Reason::ClearanceRequired),
        };
        page.render().unwrap_or_default()
    }
}

/// JSON that ends no script and begins none.
fn in_a_script(data: &Data<'_>) -> String {
    serde_json::to_string(data).unwrap_or_default().replace('<', "\\u003c")
}
