//! The browser of an owner: follows redirects, keeps cookies, and fills in forms whatever they look like.

use std::collections::BTreeMap;

use lime_tests::http::{self, Reply, Request};
use lime_tests::records;

use super::scene::{PASSWORD, USER};

const PAGES_MAX: usize = 20;

/// One browser, with its cookies.
#[derive(Clone, Default)]
pub(super) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// Where a way through the pages ended.
#[derive(Debug)]
pub(super) enum End {
    /// The client was called back: where, and with which parameters.
    Callback(String, BTreeMap<String, String>),
    /// A page with nothing to press, or an error.
    Page(Reply),
}

/// What is pressed on the page of consent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Press {
    Allow,
    Deny,
    /// It is left open.
    Nothing,
}

/// A form of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) action: String,
    /// Every field with a name: its type and its value.
    pub(super) fields: Vec<(String, String, String)>,
    /// Names and values of its buttons.
    pub(super) buttons: Vec<(String, String)>,
}

impl Form {
    fn asks_for_a_password(&self) -> bool {
        self.fields.iter().any(|(_, kind, _)| kind == "password")
    }

    /// What it sends, with a button pressed.
    pub(super) fn filled(&self, button: Option<(&str, &str)>) -> Vec<(String, String)> {
        let field = |(name, kind, value): &(String, String, String)| match kind.as_str() {
            "password" => Some((name.clone(), PASSWORD.to_owned())),
            "checkbox" | "radio" => None,
            _ if name == "user" => Some((name.clone(), USER.to_owned())),
            _ => Some((name.clone(), value.clone())),
        };
        let button = button.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.fields.iter().filter_map(field).chain(button).collect()
    }
}

impl Browser {
    /// From an authorization URL to wherever it leads.
    pub(super) fn authorize(&mut self, url: &str, press: Press) -> End {
        let mut reply = self.get(url);
        let base = origin(url);
        for _ in 0..PAGES_MAX {
            if let Some(location) = reply.header("location") {
                let next = if location.starts_with('/') { format!("{base}{location}") } else { location.to_owned() };
                if origin(&next) != base {
                    return called_back(&next);
                }
                reply = self.get(&next);
                continue;
            }
            let forms = forms(&reply.text());
            let asks = |form: &&Form| form.buttons.iter().any(|(name, _)| name == "decision");
            let (form, button) = if let Some(form) = forms.iter().find(|form| form.asks_for_a_password()) {
                (form, None)
            } else if let Some(form) = forms.iter().find(asks).filter(|_| press != Press::Nothing) {
                (form, Some(("decision", if press == Press::Allow { "allow" } else { "deny" })))
            } else {
                return End::Page(reply);
            };
            reply = self.post(&format!("{base}{}", form.action), &form.filled(button));
        }
        panic!("no end after {PAGES_MAX} pages");
    }

    /// The page of consent, and the form on it.
    #[track_caller]
    pub(super) fn asked(&mut self, url: &str) -> (Reply, Form) {
        match self.authorize(url, Press::Nothing) {
            End::Page(reply) => {
                assert_eq!(reply.status, 200, "{}", reply.text());
                let all = forms(&reply.text());
                let form = all.into_iter().find(|form| form.buttons.iter().any(|(name, _)| name == "decision"));
                (reply.clone(), form.unwrap_or_else(|| panic!("nobody is asked: {}", reply.text())))
            }
            End::Callback(url, _) => panic!("nobody is asked: called back at {url}"),
        }
    }

    pub(super) fn get(&mut self, url: &str) -> Reply {
        let request = http::get(url).header("Accept", "text/html").header("Sec-Fetch-Site", "none");
        self.send(request.header("Sec-Fetch-Mode", "navigate"))
    }

    /// Posts a form as the page it stands on does.
    pub(super) fn post(&mut self, url: &str, fields: &[(String, String)]) -> Reply {
        self.post_from(&origin(url), "same-origin", url, fields)
    }

    /// Posts a form as a page of this origin does.
    pub(super) fn post_from(&mut self, from: &str, site: &str, url: &str, fields: &[(String, String)]) -> Reply {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = http::request("POST", url).header("Accept", "text/html").header("Origin", from);
        let request = request.header("Sec-Fetch-Site", site).header("Content-Type", FORM);
        self.send(request.body(encoded(&fields)))
    }

    fn send(&mut self, request: Request) -> Reply {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header("Cookie", cookies.join("; ")) };
        let reply = request.send();
        for (_, line) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = line.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            records::secret(value);
            if value.is_empty() || line.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

fn called_back(url: &str) -> End {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = BTreeMap::new();
    for (name, value) in pairs {
        let before = found.insert(name.to_owned(), decoded(value));
        assert_eq!(before, None, "{name} comes twice: {url}");
    }
    if let Some(code) = found.get("code") {
        records::secret(code);
    }
    End::Callback(place.to_owned(), found)
}

/// Scheme, host and port of a URL.
pub(super) fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_else(|| panic!("no URL: {url}"));
    format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap())
}

/// A form's body, or a query.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    pairs.join("&")
}

pub(super) fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A value of a query, as it was meant.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = more.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, more) = match byte {
            Some(byte) => (byte, &more[2..]),
            None if *first == b'+' => (b' ', more),
            None => (*first, more),
        };
        bytes.push(byte);
        rest = more;
    }
    String::from_utf8(bytes).unwrap()
}

/// The forms of a page, as far as pages without scripts have them.
pub(super) fn forms(page: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut is_open = false;
    for tag in page.split('<').skip(1) {
        let name = tag.split(|c: char| c.is_whitespace() || c == '>').next().unwrap().to_ascii_lowercase();
        let text = |wanted: &str| attribute(tag, wanted).unwrap_or_default();
        match name.as_str() {
            "form" => {
                forms.push(Form { action: text("action"), ..Form::default() });
                is_open = true;
            }
            "/form" => is_open = false,
            "button" if is_open => forms.last_mut().unwrap().buttons.push((text("name"), text("value"))),
            "input" if is_open && text("type") == "submit" => {
                forms.last_mut().unwrap().buttons.push((text("name"), text("value")));
            }
            "input" if is_open => forms.last_mut().unwrap().fields.push((text("name"), text("type"), text("value"))),
            _ => {}
        }
    }
    forms
}

/// The value of an attribute in quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    let (_, rest) = tag.split_once(&start)?;
    let value = rest.split('"').next()?;
    Some(plain(value))
}

/// A text without character references.
fn plain(text: &str) -> String {
    let named = [("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&#60;", "<")];
    let more = [("&gt;", ">"), ("&#62;", ">"), ("&#38;", "&"), ("&amp;", "&")];
    named.iter().chain(&more).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
