//! For how long an answer counts (RFC 9111 §4.2).

use std::time::{Duration, SystemTime};

use reqwest::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, HeaderName};

/// How long what says nothing is kept.
const UNSAID: Duration = Duration::from_mins(5);

/// What may be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing: it is for this once.
    Never,
    /// Taken from memory for so long.
    For(Duration),
}

/// What the headers of an answer that came `now` allow.
pub(super) fn keep(headers: &HeaderMap, now: SystemTime) -> Keep {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives: Vec<_> =
        lines.flat_map(|line| line.split(',')).map(|directive| directive.trim().to_ascii_lowercase()).collect();
    let has =
        |name: &str| directives.iter().any(|directive| directive == name || directive.starts_with(&format!("{name}=")));
    if has("no-store") {
        return Keep::Never;
    }
    if has("no-cache") {
        return Keep::For(Duration::ZERO);
    }
    let age = seconds(text(headers, AGE).unwrap_or_default()).unwrap_or_default();
    // A time that cannot be read has passed (RFC 9111 §4.2.1, §5.3).
    if let Some(max_age) = directives.iter().find_map(|directive| directive.strip_prefix("max-age=")) {
        return Keep::For(seconds(max_age.trim_matches('"')).unwrap_or_default().saturating_sub(age));
    }
    let Some(expires) = text(headers, EXPIRES) else { return Keep::For(UNSAID) };
    let date = text(headers, DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    let left = httpdate::parse_http_date(expires).ok().and_then(|expires| expires.duration_since(date).ok());
    Keep::For(left.unwrap_or_default().saturating_sub(age))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_as_it_says() {
        const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
        let minutes = |minutes| Keep::For(Duration::from_mins(minutes));
        let cases: [(&[(HeaderName, &str)], Keep); 17] = [
            (&[], minutes(5)),
            (&[(CACHE_CONTROL, "public, max-age=600")], minutes(10)),
            (&[(CACHE_CONTROL, "Max-Age=\"600\"")], minutes(10)),
            (&[(CACHE_CONTROL, "public"), (CACHE_CONTROL, "max-age=600")], minutes(10)),
            (&[(CACHE_CONTROL, "max-age=600"), (AGE, "120")], minutes(8)),
            (&[(CACHE_CONTROL, "max-age=60"), (AGE, "120")], minutes(0)),
            (&[(CACHE_CONTROL, "max-age=soon")], minutes(0)),
            (&[(CACHE_CONTROL, "max-age=-1")], minutes(0)),
            (&[(CACHE_CONTROL, "s-maxage=600")], minutes(5)),
            (&[(CACHE_CONTROL, "no-cache, max-age=600")], minutes(0)),
            (&[(CACHE_CONTROL, "no-cache=\"set-cookie\"")], minutes(0)),
            (&[(CACHE_CONTROL, "max-age=600, no-store")], Keep::Never),
            (&[(CACHE_CONTROL, "max-age=600"), (EXPIRES, EPOCH)], minutes(10)),
            (&[(EXPIRES, "Thu, 01 Jan 1970 00:10:00 GMT"), (DATE, EPOCH)], minutes(10)),
            (&[(EXPIRES, "Thu, 01 Jan 1970 01:00:00 GMT")], minutes(60)),
            (&[(EXPIRES, EPOCH), (DATE, "Thu, 01 Jan 1970 00:10:00 GMT")], minutes(0)),
            (&[(EXPIRES, "0")], minutes(0)),
        ];
        for (headers, expected) in cases {
            let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).fold(
                HeaderMap::new(),
                |mut headers, (name, value): (HeaderName, reqwest::header::HeaderValue)| {
                    headers.append(name, value);
                    headers
                },
            );
            assert_eq!(keep(&headers, SystemTime::UNIX_EPOCH), expected, "{headers:?}");
        }
    }
}
