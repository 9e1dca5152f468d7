use std::net::IpAddr;

use http::header::{ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, Method};

/// A request as the chain sees it, borrowed from whoever read it off the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The host it is for, in lower case without port and final dot.
    pub host: &'a str,
    /// The path as it was received, byte for byte, without the query.
    pub path: &'a [u8],
    /// The headers as they were received.
    pub headers: &'a HeaderMap,
    /// Who asks: the peer, or whom a trusted proxy names; `None` where so many may stand behind the address that it says
    /// nothing.
    pub client: Option<IpAddr>,
    /// The name of this request in logs and refusals.
    pub request_id: &'a str,
}

impl Request<'_> {
    /// Whether a browser asks, for a page of another origin, what it may ask for (CORS preflight). Such a request carries
    /// no credential and gets nothing; whether to allow what follows is the origin's to say.
    pub(crate) fn is_preflight(&self) -> bool {
        *self.method == Method::OPTIONS
            && self.headers.contains_key(ORIGIN)
            && self.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }
}

/// In which form a client would rather be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// A page for a person.
    Html,
    /// A document for a program.
    Document,
}

impl Accepts {
    /// Reads `Accept` (RFC 9110 §12.5.1). A page is for those who would rather have `text/html` than JSON, as browsers
    /// say of themselves; `*/*` and a draw are a program's.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut html, mut json) = (Wish::default(), Wish::default());
        for line in headers.get_all(ACCEPT) {
            for range in line.to_str().unwrap_or_default().split(',') {
                let (range, weight) = weighted(range);
                html.hear(range, weight, &["*/*", "text/*", "text/html"]);
                json.hear(range, weight, &["*/*", "application/*", "application/json"]);
                json.hear(range, weight, &["*/*", "application/*", "application/problem+json"]);
            }
        }
        if html.weight > json.weight { Self::Html } else { Self::Document }
    }
}

/// The weight of a media type, in thousandths, as the most specific range says it.
#[derive(Default)]
struct Wish {
    specificity: usize,
    weight: u16,
}

impl Wish {
    fn hear(&mut self, range: &str, weight: u16, ranges: &[&str]) {
        let Some(specificity) = ranges.iter().position(|known| range.eq_ignore_ascii_case(known)) else { return };
        if specificity + 1 > self.specificity {
            *self = Self { specificity: specificity + 1, weight };
        } else if specificity + 1 == self.specificity {
            self.weight = self.weight.max(weight);
        }
    }
}

/// A media range and its `q` in thousandths; a `q` that is no number counts as 0.
fn weighted(range: &str) -> (&str, u16) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1000, thousandths))
}

/// `0`, `0.8`, `0.125`, `1`, `1.000` (RFC 9110 §12.4.2).
fn thousandths(quality: &str) -> u16 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let digits = digits.map(|digit| char::from(digit).to_digit(10).and_then(|digit| u16::try_from(digit).ok()));
    let fraction = digits.reduce(|sum, digit| Some(sum? * 10 + digit?)).flatten();
    let whole = whole.parse::<u16>().ok().filter(|whole| *whole <= 1);
    match (whole, fraction) {
        (Some(whole), Some(fraction)) => (whole * 1000 + fraction).min(1000),
        (None, _) | (_, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(accept: &[&str], expected: Accepts) {
        let mut headers = HeaderMap::new();
        for line in accept {
            headers.append(ACCEPT, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        assert_eq!(Accepts::of(&headers), expected, "{accept:?}");
    }

    #[test]
    fn a_browser_is_shown_a_page() {
        check(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Accepts::Html);
        check(
            &["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"],
            Accepts::Html,
        );
        check(&["text/html"], Accepts::Html);
        check(&["TEXT/HTML ; q=0.5"], Accepts::Html);
        check(&["text/html, */*; q=0.01"], Accepts::Html);
        check(&["application/json;q=0.3", "text/html;q=0.4"], Accepts::Html);
    }

    #[test]
    fn a_program_is_given_a_document() {
        check(&[], Accepts::Document);
        check(&["*/*"], Accepts::Document);
        check(&["application/json"], Accepts::Document);
        check(&["application/problem+json, text/html"], Accepts::Document);
        check(&["text/html, application/json"], Accepts::Document);
        check(&["text/markdown, text/html, */*"], Accepts::Document);
        check(&["text/html;q=0.2, application/json;q=0.9"], Accepts::Document);
        check(&["text/html;q=0"], Accepts::Document);
        check(&["text/html;q=maybe"], Accepts::Document);
        check(&["text/html;q=9"], Accepts::Document);
        check(&["text/html;q=0.5, application/*"], Accepts::Document);
        check(&["text/html\u{e9}", ""], Accepts::Document);
    }
}
