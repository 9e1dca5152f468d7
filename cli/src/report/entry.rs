//! A line of an access log, in whichever of the formats that are read.

use serde::Deserialize;
use serde_json::Value;

/// What a line tells of a request. What its format does not have is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub(super) at: Option<i64>,
    pub(super) client: Option<String>,
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) bytes: u64,
    pub(super) user_agent: String,
    /// An agent that showed a passport.
    pub(super) agent: Option<String>,
    pub(super) decision: String,
    pub(super) reason: Option<String>,
    pub(super) mode: String,
}

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Access lines of a Lime gateway
    Lime,
    /// Caddy's access log, JSON
    Caddy,
    /// The combined format of nginx and Apache
    Combined,
}

impl Entry {
    /// `None` for a line that is not of the format, or not about a request.
    pub(super) fn read(line: &str, format: Format) -> Option<Self> {
        match format {
            Format::Lime => Self::lime(line),
            Format::Caddy => Self::caddy(line),
            Format::Combined => Self::combined(line),
        }
    }

    fn lime(line: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line {
            ts: String,
            msg: String,
            method: String,
            path: String,
            status: Option<u16>,
            #[serde(default)]
            bytes: u64,
            client_ip: Option<String>,
            user_agent: Option<String>,
            agent_id: Option<String>,
            decision: String,
            reason: Option<String>,
            mode: Option<String>,
        }
        let line: Line = serde_json::from_str(line).ok().filter(|line: &Line| line.msg == "request")?;
        Some(Self {
            at: rfc3339(&line.ts),
            client: line.client_ip,
            method: line.method,
            path: line.path,
            status: line.status.unwrap_or_default(),
            bytes: line.bytes,
            user_agent: line.user_agent.unwrap_or_default(),
            agent: line.agent_id,
            decision: line.decision,
            reason: line.reason,
            mode: line.mode.unwrap_or_default(),
        })
    }

    fn caddy(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let request = line.get("request")?;
        let text = |name: &str| request.get(name)?.as_str();
        let uri = text("uri")?;
        let user_agent = request.pointer("/headers/User-Agent/0").and_then(Value::as_str).unwrap_or_default();
        let client = text("client_ip").or_else(|| text("remote_ip")).map(str::to_owned);
        Some(Self {
            // Seconds with a fraction; what is past the whole ones is of no use here.
            at: line.get("ts").and_then(Value::as_f64).and_then(|ts| format!("{ts:.0}").parse().ok()),
            client,
            method: text("method")?.to_owned(),
            path: without_query(uri),
            status: line.get("status")?.as_u64().and_then(|status| u16::try_from(status).ok())?,
            bytes: line.get("size").and_then(Value::as_u64).unwrap_or_default(),
            user_agent: user_agent.to_owned(),
            ..Self::default()
        })
    }

    /// `ADDRESS - USER [TIME] "METHOD TARGET VERSION" STATUS BYTES "REFERER" "USER AGENT"`
    fn combined(line: &str) -> Option<Self> {
        let (client, rest) = line.split_once(' ')?;
        let (_, rest) = rest.split_once('[')?;
        let (time, rest) = rest.split_once(']')?;
        let (request, rest) = quoted(rest)?;
        let mut numbers = rest.split_ascii_whitespace();
        let status = numbers.next()?.parse().ok()?;
        let bytes = numbers.next()?.parse().unwrap_or_default();
        let (_, rest) = quoted(rest)?;
        let user_agent = quoted(rest).map(|(text, _)| text).unwrap_or_default();
        // What was no request is logged as it came.
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Some(Self {
            at: clf_time(time),
            client: Some(client.to_owned()),
            method: method.to_owned(),
            path: without_query(target),
            status,
            bytes,
            user_agent: if user_agent == "-" { String::new() } else { user_agent },
            ..Self::default()
        })
    }
}

fn without_query(target: &str) -> String {
    target.split('?').next().unwrap_or_default().to_owned()
}

/// The next text in quotes, with its escapes undone, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (_, rest) = text.split_once('"')?;
    let mut found = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((found, rest.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                // nginx writes bytes as \xHH. Those that are text are ASCII; others are of no use here.
                'x' => {
                    let digits: String = characters.by_ref().take(2).map(|(_, digit)| digit).collect();
                    found.push(u8::from_str_radix(&digits, 16).ok().map_or('\u{fffd}', char::from));
                }
                other => found.push(other),
            },
            other => found.push(other),
        }
    }
    None
}

/// `2026-11-25T08:55:44.111Z`
pub(super) fn rfc3339(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize, most: i64| {
        text.get(from..to)?.parse().ok().filter(|number: &i64| (0..=most).contains(number))
    };
    let date = (number(0, 4, 9999)?, number(5, 7, 12)?, number(8, 10, 31)?);
    Some(seconds(date.0, date.1, date.2, number(11, 13, 23)?, number(14, 16, 59)?, number(17, 19, 60)?))
}

/// `10/Oct/2000:13:55:36 -0700`
fn clf_time(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let month = MONTHS.iter().position(|month| Some(*month) == text.get(3..6))?;
    let month = i64::try_from(month).ok()? + 1;
    let local = seconds(number(7, 11)?, month, number(0, 2)?, number(12, 14)?, number(15, 17)?, number(18, 20)?);
    let (sign, zone) = (text.get(21..22)?, number(22, 24)? * 3600 + number(24, 26)? * 60);
    Some(if sign == "-" { local + zone } else { local - zone })
}

/// Seconds since 1970 of a date of the proleptic Gregorian calendar, in UTC.
const fn seconds(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    // Years that begin in March, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    ((days * 24 + hour) * 60 + minute) * 60 + second
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"192.0.2.7 - - [25/Nov/2026:10:00:01 +0100] "GET /a%20b?x=1 HTTP/1.1" 200 512 "https://x/" "Mozilla/5.0 (X; \x22Y\x22)""#;

    #[test]
    fn each_format_is_read() {
        let entry = Entry::read(COMBINED, Format::Combined).unwrap();
        assert_eq!((entry.at, entry.client.as_deref()), (Some(1_795_597_201), Some("192.0.2.7")));
        assert_eq!((entry.method.as_str(), entry.path.as_str()), ("GET", "/a%20b"));
        assert_eq!((entry.status, entry.bytes, entry.user_agent.as_str()), (200, 512, "Mozilla/5.0 (X; \"Y\")"));
        let lime = r#"{"ts":"2026-11-25T09:00:01.080Z","level":"info","msg":"request","request_id":"1","site":"s","method":"GET","path":"/x","status":401,"duration_ms":0.1,"bytes":7,"client_ip":"192.0.2.7","user_agent":"curl/8","agent_trust":"unknown","decision":"deny","reason":"passport_required","mode":"enforce"}"#;
        let entry = Entry::read(lime, Format::Lime).unwrap();
        assert_eq!((entry.at, entry.reason.as_deref()), (Some(1_795_597_201), Some("passport_required")));
        let caddy = r#"{"level":"info","ts":1795597201.25,"msg":"handled request","request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/x?y","headers":{"User-Agent":["curl/8"]}},"status":200,"size":9}"#;
        let entry = Entry::read(caddy, Format::Caddy).unwrap();
        assert_eq!((entry.at, entry.path.as_str(), entry.user_agent.as_str()), (Some(1_795_597_201), "/x", "curl/8"));
    }

    #[test]
    fn what_is_no_line_is_none_and_stops_nobody() {
        for line in [
            "",
            "x",
            "{}",
            "[]",
            "{\"msg\":\"request\"}",
            "\" \" [",
            "1.2.3.4 - - [x] \"",
            "1 - - [25/Nov/2026:10:00:01 +0100] \"\\x",
        ] {
            for format in [Format::Lime, Format::Caddy, Format::Combined] {
                assert_eq!(Entry::read(line, format), None, "{line}");
            }
        }
        // Neither a date that is none nor a request that is none loses the line.
        let odd = COMBINED
            .replace("25/Nov/2026:10:00:01 +0100", "yesterday")
            .replace("GET /a%20b?x=1 HTTP/1.1", "\\x16\\x03");
        let entry = Entry::read(&odd, Format::Combined).unwrap();
        assert_eq!((entry.at, entry.path.as_str(), entry.status), (None, "", 200));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-25T09:00:01Z", 1_795_597_201),
        ] {
            assert_eq!(rfc3339(text), Some(expected), "{text}");
        }
    }
}
