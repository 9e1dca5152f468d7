//! The languages of the challenge page: a file of `challenge/locales` each.

use std::sync::LazyLock;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Most ranges of `Accept-Language` that are read; no browser sends as many.
const RANGES_MAX: usize = 32;

const FILES: [&str; 6] = [
    include_str!("../challenge/locales/en.json"),
    include_str!("../challenge/locales/ar.json"),
    include_str!("../challenge/locales/de.json"),
    include_str!("../challenge/locales/es.json"),
    include_str!("../challenge/locales/fr.json"),
    include_str!("../challenge/locales/ja.json"),
];

/// What stands in the page in one language.
#[derive(Debug, Deserialize)]
pub(crate) struct Texts {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) now_working: String,
    pub(crate) progress: String,
    pub(crate) why: String,
    pub(crate) why_robots: String,
    pub(crate) why_private: String,
    pub(crate) no_script_wait: String,
    pub(crate) no_script: String,
    pub(crate) late: String,
    pub(crate) wait_button: String,
    pub(crate) trouble_again: String,
    pub(crate) check_cookies: String,
    pub(crate) check_clock: String,
    pub(crate) check_extensions: String,
    pub(crate) try_again: String,
    pub(crate) agents: String,
    pub(crate) contact: String,
    pub(crate) request: String,
}

/// A language, and what the page says in it.
#[derive(Debug, Deserialize)]
pub(crate) struct Locale {
    /// Its tag (BCP 47).
    pub(crate) lang: String,
    /// Which way it is written: `ltr` or `rtl`.
    pub(crate) dir: String,
    #[serde(flatten)]
    pub(crate) texts: Texts,
    /// What the script says: all of the file that begins `now_` or `trouble_`.
    #[serde(skip)]
    pub(crate) said: Map<String, Value>,
}

static LOCALES: LazyLock<Vec<Locale>> = LazyLock::new(|| FILES.iter().filter_map(|file| read(file)).collect());

/// A test reads all of them.
fn read(file: &str) -> Option<Locale> {
    let mut locale: Locale = serde_json::from_str(file).ok()?;
    let all: Map<String, Value> = serde_json::from_str(file).ok()?;
    locale.said = all.into_iter().filter(|(key, _)| key.starts_with("now_") || key.starts_with("trouble_")).collect();
    Some(locale)
}

/// The language that a client would rather read (RFC 9110 §12.5.4), English where it says none that there is.
pub(crate) fn of(headers: &HeaderMap) -> Option<&'static Locale> {
    let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut best: Option<(f32, &'static Locale)> = None;
    for range in lines.flat_map(|line| line.split(',')).take(RANGES_MAX) {
        let mut parts = range.split(';').map(str::trim);
        let language = parts.next().and_then(|range| range.split('-').next()).unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse::<f32>().ok());
        let found = LOCALES.iter().find(|locale| locale.lang.eq_ignore_ascii_case(language));
        if let (Some(weight), Some(found)) = (weight.filter(|weight| (0.001..=1.0).contains(weight)), found)
            && best.is_none_or(|(other, _)| weight > other)
        {
            best = Some((weight, found));
        }
    }
    best.map(|(_, locale)| locale).or_else(|| LOCALES.first())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_bytes(accept.as_bytes()).unwrap());
        assert_eq!(of(&headers).unwrap().lang, expected, "{accept}");
    }

    #[test]
    fn the_language_is_one_that_the_client_reads() {
        check("de-AT,de;q=0.9,en;q=0.5", "de");
        check("en;q=0.5, fr;q=0.8", "fr");
        check("nl, ja;q=0.1", "ja");
        check("AR", "ar");
        check("nl", "en");
        check("es;q=0, en", "en");
    }

    #[test]
    fn a_hostile_header_is_answered_in_english() {
        for accept in
            ["", "und", "x-", "*", "de;q=NaN", "de;q=inf", "de;q=-1", ";;;,,,", "\u{e9}", &"x-y,".repeat(4000)]
        {
            check(accept, "en");
        }
    }

    #[test]
    fn every_language_says_everything() {
        assert_eq!(LOCALES.len(), FILES.len(), "a file cannot be read");
        let keys = |file: &str| -> BTreeSet<String> {
            serde_json::from_str::<Map<String, Value>>(file).unwrap().keys().cloned().collect()
        };
        for file in FILES {
            assert_eq!(keys(file), keys(FILES[0]));
        }
        assert_eq!(LOCALES.iter().filter(|locale| locale.dir == "rtl").count(), 1);
    }
}
