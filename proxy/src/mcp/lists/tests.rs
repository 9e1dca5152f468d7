use std::path::Path;

use config::Place;

use super::*;
use crate::secret::Secret;
use crate::state::StateFiles;

const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a"},{"name":"hidden"}]}}"#;
const FILTERED: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a"}]}}"#;

struct Rig {
    pins: PinStore,
    declared: Declared,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::open(None, folder.path()).unwrap();
        let files = Arc::new(StateFiles::new(folder.path().to_owned(), &secret));
        Self { pins: PinStore::open(files), declared: Declared::default(), _folder: folder }
    }

    /// What passes of a body that comes in two pieces.
    fn passed(&self, asked: ListsAsked, response: &mut ResponseHeader, answer: &str) -> String {
        let mut lists = Lists::new(asked);
        lists.begin(response).unwrap();
        let shows = |_: RuleKind, name: &str| name != "hidden";
        let (pins, declared, now) = (&self.pins, &self.declared, UnixTime::from_secs(1));
        let look = Look { shows: &shows, pins, declared, now };
        let (first, second) = answer.as_bytes().split_at(answer.len() / 2);
        let mut passed = Vec::new();
        for (piece, part) in [(Some(first), Part::Some), (Some(second), Part::Some), (None, Part::Last)] {
            let mut body = piece.map(Bytes::copy_from_slice);
            lists.pass(&mut body, part, look).unwrap();
            passed.extend_from_slice(&body.unwrap_or_default());
        }
        String::from_utf8(passed).unwrap()
    }
}

fn asked(id: Option<&str>, conduct: Conduct, pins: Pins) -> ListsAsked {
    let place = Place { file: Path::new("lime.toml").into(), line: 7 };
    let site = "https://tools.example".parse().unwrap();
    let endpoint = McpEndpoint { pins, ..McpEndpoint::new(&site, "/mcp".parse().unwrap(), place) };
    let (id, cache_scope) = (id.map(Box::from), CacheScope::WhereSaid);
    ListsAsked { endpoint: Arc::new(endpoint), site: "https://tools.example".into(), id, cache_scope, conduct }
}

fn answered(status: u16, fields: &[(&'static str, &str)]) -> ResponseHeader {
    let mut response = ResponseHeader::build(status, None).unwrap();
    for (name, value) in fields {
        response.insert_header(*name, *value).unwrap();
    }
    response
}

fn is_hidden(store: &PinStore, tool: &str) -> bool {
    store.hidden_at("https://tools.example/mcp").is_some_and(|tools| tools.hides(tool))
}

#[test]
fn a_list_is_passed_on_as_its_caller_may_see_it() {
    let rig = Rig::new();
    let length = LIST.len().to_string();
    let mut response = answered(
        200,
        &[("content-type", "application/json; charset=utf-8"), ("content-length", &length), ("etag", "\"x\"")],
    );
    let asked = asked(Some("7"), Conduct::Filter, Pins::Off);
    assert_eq!(rig.passed(asked.clone(), &mut response, LIST), FILTERED);
    for gone in ["content-length", "etag"] {
        assert!(!response.headers.contains_key(gone), "{gone} is not true any longer");
    }
    assert_eq!(response.headers["transfer-encoding"], "chunked");
    let mut response = answered(200, &[("content-type", "Text/Event-Stream")]);
    let events = format!("id: 1\ndata: {LIST}\n\n");
    assert_eq!(rig.passed(asked, &mut response, &events), format!("id: 1\ndata: {FILTERED}\n\n"));
}

#[test]
fn what_might_be_taken_for_a_list_is_read_as_one_or_refused() {
    let rig = Rig::new();
    let asked = |id| asked(id, Conduct::Filter, Pins::Off);
    for fields in [&[][..], &[("content-type", "text/plain")], &[("content-type", "text/html")]] {
        let mut response = answered(200, fields);
        assert_eq!(rig.passed(asked(Some("7")), &mut response, LIST), FILTERED);
        assert_eq!(response.headers["content-type"], "application/json");
    }
    let mut response = answered(200, &[("content-type", "text/event-stream"), ("content-encoding", "gzip")]);
    let refused = rig.passed(asked(Some("7")), &mut response, "\u{1f}hidden");
    assert!(refused.contains("-32603") && !refused.contains("hidden"), "{refused}");
    assert_eq!(response.headers["content-type"], "application/json");
    assert!(!response.headers.contains_key("content-encoding"));
    // Of two lines, which one counts is the reader's to choose.
    for (name, second) in [("content-encoding", "gzip"), ("content-type", "application/json")] {
        let mut response = answered(200, &[("content-type", "text/event-stream"), ("content-encoding", "identity")]);
        response.append_header(name, second).unwrap();
        let refused = rig.passed(asked(Some("7")), &mut response, "\u{1f}hidden");
        assert!(refused.contains("-32603") && !refused.contains("hidden"), "{refused}");
        assert_eq!(response.headers.get_all("content-type").iter().count(), 1);
    }
    for (id, status, fields, body) in [
        (Some("7"), 500, &[("content-type", "text/html")][..], "<p>broken"),
        (Some("7"), 202, &[], ""),
        (None, 405, &[("content-type", "text/plain")], "no streams here"),
        (None, 200, &[("content-type", "text/plain")], "no stream"),
    ] {
        let mut response = answered(status, fields);
        let before = response.headers.clone();
        assert_eq!(rig.passed(asked(id), &mut response, body), body);
        assert_eq!(response.headers, before);
    }
}

#[test]
fn a_site_that_observes_gets_what_the_server_sent() {
    let rig = Rig::new();
    let length = LIST.len().to_string();
    let mut response = answered(200, &[("content-type", "application/json"), ("content-length", &length)]);
    let before = response.headers.clone();
    assert_eq!(rig.passed(asked(Some("7"), Conduct::Watch, Pins::Enforce), &mut response, LIST), LIST);
    assert_eq!(response.headers, before);
    let changed = LIST.replacen("{\"name\":\"a\"}", "{\"name\":\"a\",\"title\":\"b\"}", 1);
    let mut response = answered(200, &[("content-type", "application/json")]);
    assert_eq!(rig.passed(asked(Some("7"), Conduct::Watch, Pins::Enforce), &mut response, &changed), changed);
    assert!(is_hidden(&rig.pins, "a"), "but what it saw is remembered");
}

#[test]
fn a_changed_tool_is_left_out_only_where_pins_are_enforced() {
    let changed = LIST.replacen("{\"name\":\"a\"}", "{\"name\":\"a\",\"title\":\"b\"}", 1);
    let none = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}"#;
    let shown = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a","title":"b"}]}}"#;
    for (pins, expected) in [(Pins::Off, shown), (Pins::Observe, shown), (Pins::Enforce, none)] {
        let rig = Rig::new();
        let pass = |answer: &str| {
            let mut response = answered(200, &[("content-type", "application/json")]);
            rig.passed(asked(Some("7"), Conduct::Filter, pins), &mut response, answer)
        };
        assert_eq!(pass(LIST), FILTERED, "{pins:?}");
        assert_eq!(pass(&changed), expected, "{pins:?}");
        assert_eq!(is_hidden(&rig.pins, "a"), pins != Pins::Off);
    }
}

#[test]
fn a_definition_that_can_be_read_in_two_ways_is_pinned_as_it_is_written() {
    let rig = Rig::new();
    let twice = r#"{"id":7,"result":{"tools":[{"name":"a","annotations":{"x":1,"x":2}},{"name":"b"}]}}"#;
    let other = twice.replacen("\"x\":2", "\"x\":3", 1);
    let without = r#"{"id":7,"result":{"tools":[{"name":"b"}]}}"#;
    for (answer, expected) in [(twice, twice), (twice, twice), (&*other, without)] {
        let mut response = answered(200, &[("content-type", "application/json")]);
        assert_eq!(rig.passed(asked(Some("7"), Conduct::Filter, Pins::Enforce), &mut response, answer), expected);
    }
    assert!(is_hidden(&rig.pins, "a"), "nor can it be called");
}
