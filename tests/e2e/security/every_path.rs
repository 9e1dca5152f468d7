//! Group P over thousands of paths that nobody wrote: what is decided is decided on the bytes that are forwarded, and no
//! reading of them leads past a passport.

use std::collections::HashMap;
use std::time::Duration;

use lime_tests::http::Reply;
use lime_tests::readings::readings;
use lime_tests::{Dice, Reached, Wire, within};
use serde_json::Value;

use super::Shop;

const CASES: usize = 8_000;

/// What paths are put together from: whatever some server reads in its own way.
const PIECES: [&[u8]; 60] = [
    b"/",
    b"/",
    b"/",
    b"//",
    b"///",
    b"agents",
    b"agents",
    b"agents",
    b"agents/",
    b"agents/x",
    b"AGENTS",
    b"agent",
    b"s",
    b"agents.",
    b"public",
    b"public",
    b"x",
    b"index.html",
    b".",
    b"..",
    b"...",
    b"/../",
    b"/./",
    b"/..",
    b"%2e",
    b"%2E",
    b"%2e%2e",
    b".%2e",
    b"%252e%252e",
    b"%2f",
    b"%2F",
    b"%252f",
    b"%25%32%66",
    b"%5c",
    b"%5C",
    b"\\",
    b";",
    b";a=b",
    b"..;",
    b"..;/",
    b"%3b",
    b"%3B",
    b"%3f",
    b"%23",
    b"%00",
    b"%61gents",
    b"a%67ents",
    b"%2561gents",
    b"%61%67%65%6e%74%73",
    b".lime",
    b"%2elime",
    b"/.lime/help",
    b"\xc3\xa9",
    b"\xc0\xaf",
    b"%c0%af",
    b"%",
    b"%2",
    b"%zz",
    b"~!$&'()*+,=:@|{}",
    b"evil.test",
];

const QUERIES: [&[u8]; 6] = [b"", b"", b"?", b"?a=/agents/x", b"?/../agents", b"?%2e%2e%2fagents%00"];

/// Every name of this machine, which are one site.
const HOSTS: [&str; 8] =
    ["127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::1]:8080", "127.0.0.1:"];

fn path(dice: &mut Dice) -> Vec<u8> {
    let mut path = b"/".to_vec();
    for _ in 0..=dice.below(6) {
        path.extend_from_slice(dice.of(&PIECES));
    }
    path
}

/// A client that comes again when it was sent away.
struct Client<'a> {
    shop: &'a Shop,
    wire: Wire,
    authorization: String,
}

impl<'a> Client<'a> {
    fn new(shop: &'a Shop, authorization: String) -> Self {
        Self { shop, wire: shop.wire(), authorization }
    }

    fn ask(&mut self, target: &[u8], host: &str) -> Reply {
        let head = format!(" HTTP/1.1\r\nHost: {host}\r\n{}\r\n", self.authorization);
        let reply = self.wire.send([b"GET ", target, head.as_bytes()].concat()).reply();
        if reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.wire = self.shop.wire();
        }
        reply
    }
}

/// What was sent and what became of it.
struct Case {
    target: Vec<u8>,
    host: &'static str,
    is_known: bool,
}

impl Case {
    fn path(&self) -> &[u8] {
        self.target.split(|byte| *byte == b'?').next().unwrap()
    }
}

/// P6: of thousands of paths, what reaches the origin is what was sent and what the access line says was decided on, and
/// none that some origin reads as protected gets there without a passport.
#[test]
fn the_path_that_is_judged_is_the_path_that_is_forwarded() {
    let shop = Shop::new();
    let mut dice = Dice::new();
    let mut stranger = Client::new(&shop, String::new());
    let mut known = Client::new(&shop, format!("Authorization: Bearer {}\r\n", shop.token()));
    let mut through: HashMap<String, Case> = HashMap::new();
    let mut refused = 0;
    for _ in 0..CASES {
        let (path, query, host, is_known) = (path(&mut dice), dice.of(&QUERIES), dice.of(&HOSTS), dice.below(4) == 0);
        let case = Case { target: [&path, query].concat(), host, is_known };
        let shown = String::from_utf8_lossy(&case.target).into_owned();
        // One in eight as a whole URL, which names the host again.
        let prefix = if dice.below(8) == 0 { format!("http://{host}") } else { String::new() };
        let client = if is_known { &mut known } else { &mut stranger };
        let reply = client.ask(&[prefix.as_bytes(), &case.target].concat(), host);
        let reached = Reached::of(&reply.body);
        match (reply.status, reply.reason().as_str()) {
            (200, "") if reached.method() == "GET" => {
                assert_eq!(String::from_utf8_lossy(reached.target()), shown);
                assert_eq!(reached.target(), case.target);
                assert_eq!(reached.value("host").as_deref(), Some(case.host), "{shown}");
                through.insert(reached.value("x-request-id").unwrap(), case);
            }
            // Our own pages, which are never forwarded.
            (200, "") => assert!(path.starts_with(b"/.lime/help"), "{shown}"),
            (400, "path_ambiguous" | "path_invalid") | (404, "not_found") => refused += 1,
            (401, "passport_required") => {
                assert!(!is_known && is_protected(&path), "{shown}");
                refused += 1;
            }
            (status, reason) => panic!("{status} {reason} for {shown}: {}", reply.text()),
        }
    }
    assert!(through.len() > CASES / 5 && refused > CASES / 5, "{} through, {refused} refused", through.len());
    for case in through.values() {
        let ways_in = readings(case.path()).into_iter().filter(|reading| is_protected(reading));
        let ways_in: Vec<_> = ways_in.map(|reading| String::from_utf8_lossy(&reading).into_owned()).collect();
        let shown = String::from_utf8_lossy(&case.target);
        assert!(case.is_known || ways_in.is_empty(), "{shown} got through, and may be read as {ways_in:?}");
    }
    as_in_the_log(&shop, &through);
}

/// Each access line has the path that the origin saw, and the decision that let it through.
fn as_in_the_log(shop: &Shop, through: &HashMap<String, Case>) {
    let lines: HashMap<String, Value> = within(Duration::from_secs(30), "all are logged", || {
        let said = shop.gateway.process.said();
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.map(|line| (line["request_id"].as_str().unwrap_or_default().to_owned(), line));
        Some(lines.collect()).filter(|lines: &HashMap<_, _>| through.keys().all(|id| lines.contains_key(id)))
    });
    for (id, case) in through {
        let line = &lines[id];
        assert_eq!(line["path"], logged(case.path()), "{line}");
        assert_eq!(line["decision"], "allow", "{line}");
        let policy = if is_protected(case.path()) { "passport" } else { "open" };
        assert_eq!(line["policy"], policy, "{line}");
    }
}

/// A path as the log writes it: what is no UTF-8 as `\xXX`.
fn logged(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

fn is_protected(path: &[u8]) -> bool {
    path == b"/agents" || path.starts_with(b"/agents/")
}

/// P5, P6: every character there is in ASCII, and some beyond it, in a path and in a query, is forwarded as it came or
/// refused with a reason.
#[test]
fn every_byte_is_forwarded_as_it_came_or_refused() {
    let shop = Shop::new();
    let mut client = Client::new(&shop, String::new());
    let mut refused = [Vec::new(), Vec::new()];
    let ascii = (0..=0x7f).filter(|byte| !b"\r\n?".contains(byte)).map(|byte| vec![byte]);
    let beyond = [&b"\x80"[..], b"\xc0\xaf", b"\xff", b"\xc3\xa9", b"\xf0\x9f\x8d\x8b"].map(<[u8]>::to_vec);
    for bytes in ascii.chain(beyond) {
        for (place, before) in [&b"/a"[..], b"/a?"].into_iter().enumerate() {
            let target = [before, &bytes, b"b"].concat();
            let reply = client.ask(&target, "127.0.0.1");
            if reply.status == 200 {
                assert_eq!(Reached::of(&reply.body).target(), target);
            } else {
                assert_eq!(reply.status, 400, "{bytes:x?}");
                assert!(["path_invalid", "framing_invalid"].contains(&reply.reason().as_str()), "{bytes:x?}");
                refused[place].push(bytes.clone());
            }
        }
    }
    let control = (0..=b' ').filter(|byte| !b"\r\n".contains(byte)).chain([0x7f]);
    let odd = |more: &[u8]| {
        let mut odd: Vec<u8> = control.clone().chain(more.iter().copied()).collect();
        odd.sort_unstable();
        let no_text = [&b"\x80"[..], b"\xc0\xaf", b"\xff"].map(<[u8]>::to_vec);
        odd.into_iter().map(|byte| vec![byte]).chain(no_text).collect::<Vec<_>>()
    };
    assert_eq!(refused, [odd(b"#<>\\`"), odd(b"#<>\"")]);
}

/// P6: the model of origins that these tests hold against the gateway reads paths as origins do.
#[test]
fn the_model_of_an_origin_reads_what_origins_read() {
    for path in [
        "/public/../agents/x",
        "/%61gents",
        "/%2561gents/x",
        "//agents/x",
        "/agents;x/y",
        "/x/..;/agents/y",
        "/x%2f..%2fagents",
        "/.%2e/agents/",
        "/x%5c..%5cagents%5cy",
    ] {
        assert!(readings(path.as_bytes()).iter().any(|reading| is_protected(reading)), "{path}");
    }
    for path in ["/public", "/agentsx", "/x/agents", "/%252561gents", "/AGENTS/x", "/agents%2"] {
        assert!(!readings(path.as_bytes()).iter().any(|reading| is_protected(reading)), "{path}");
    }
}
