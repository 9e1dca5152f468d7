use config::Site;

use super::*;
use crate::stage::site;

fn protecting(patterns: &[&str]) -> Site {
    site().protecting(patterns.iter().map(|pattern| pattern.parse().unwrap()))
}

/// The name of the policy.
fn judged(site: &Site, path: &[u8]) -> Result<String, Reason> {
    judge(site, &Method::GET, path).map(|asks| asks.as_str().to_owned())
}

#[track_caller]
fn check(path: &str, expected: Result<&str, Reason>) {
    assert_eq!(
        judged(&protecting(&["/agents/*", "/admin"]), path.as_bytes()).as_deref(),
        expected.as_ref().copied(),
        "{path:?}"
    );
}

#[test]
fn a_plain_path_is_what_it_says() {
    for path in ["/", "/agent", "/agentsx", "/x/agents/list", "/admin/x", "/AGENTS/x", "/a.b/c..d", "/a/b.html", "/ä"]
    {
        check(path, Ok("open"));
    }
    for path in ["/agents", "/agents/", "/agents/list", "/agents/a.b", "/admin", "/admin/"] {
        check(path, Ok("passport"));
    }
    for path in ["/.lime", "/.lime/", "/.lime/help"] {
        check(path, Ok("gateway"));
    }
    check("/.limes", Ok("open"));
}

#[test]
fn what_no_path_may_carry_is_invalid() {
    for path in ["", "agents", "*", "/a b", "/a\\b", "/a\0", "/a\r\nb", "/a\tb", "/\u{7f}", "http://x/y"] {
        check(path, Err(Reason::PathInvalid));
    }
    for path in ["/a%00b", "/a%2500b", "/agents/%00", "/x/%00/../y"] {
        check(path, Err(Reason::PathInvalid));
    }
}

#[test]
fn odd_paths_of_one_policy_pass_as_they_are() {
    let open = [
        "/a%20b",
        "/wiki/Caf%C3%A9",
        "/a%2fb",
        "//a",
        "/a//b",
        "/a/./b",
        "/a/../b",
        "/files/a;v=1/b",
        "/q%3Fa=b",
        "/50%",
        "/%zz",
        "/a%2",
        "/c%23",
        "/dots...",
        "/x..",
        "/a/..",
        "/a/b%5Cc",
        "/agents%20x",
        "/xagents;a",
    ];
    for path in open {
        check(path, Ok("open"));
    }
    for path in
        ["/agents/a%20b", "/agents//x", "/agents/./x", "/agents/x;v=1", "/agents/x/../y", "/agents/a%2fb", "/agents/"]
    {
        check(path, Ok("passport"));
    }
}

#[test]
fn a_path_whose_readings_differ_in_policy_is_ambiguous() {
    let ambiguous = [
        "/public/../agents/x",
        "/public/%2e%2e/agents/x",
        "/public/.%2E/agents/x",
        "/public/%252e%252e/agents/x",
        "/public/..;/agents/x",
        "/public/..;a=b/agents",
        "/public/..%2fagents/x",
        "/public%2f..%2fagents",
        "/x../agents/x",
        "/agents/../x",
        "/agents/%2e%2e/x",
        "/agents/..",
        "/agents%2fx",
        "/agents%252fx",
        "/agents%5cx",
        "/agents%255Cx",
        "//agents/x",
        "///agents",
        "/./agents/x",
        "/%61gents/x",
        "/%2561gents/x",
        "/agents;x",
        "/agents;x/y",
        "/agents%3bx",
        "/agents%3fx",
        "/agents%23x",
        "/admin%3Fx=/public/",
        "/admin#/public",
        "/admin%23/public",
        "/admin;",
        "/admin//",
        "/admin/.",
        "/admin/%2e",
        "/admin//..",
        "//x/agents/list",
        "//x%2fagents",
        "/%2f/agents",
        "/public/%5c../%5cagents/..%5Cagents",
        "/%2elime/login",
        "/x/../.lime/login",
        "//.lime",
        "/.lime%2fx",
        "/.lime/../x",
        "/..;/.lime",
        // Resolved after the first decoding, decoded again after that.
        "/agents%252fx/../../agents/x",
        "/a%252f../agents",
    ];
    for path in ambiguous {
        check(path, Err(Reason::PathAmbiguous));
    }
}

#[test]
fn with_everything_protected_only_our_own_pages_can_be_mistaken() {
    let site = protecting(&["/*"]);
    for path in ["/", "/a/../b", "/%2e%2e/x", "//x", "/;"] {
        assert_eq!(judged(&site, path.as_bytes()).as_deref(), Ok("passport"), "{path}");
    }
    assert_eq!(judged(&site, b"/x/../.lime/"), Err(Reason::PathAmbiguous));
}

#[test]
fn the_work_on_one_path_is_bounded() {
    let site = protecting(&["/agents/*"]);
    for unit in ["/%252e%252e;x//", "/a%2f..;/", "/%25%32%65/", "%255c%252f%253b.", "/..%252f..;%23/a../"] {
        let mut path = b"/".to_vec();
        while path.len() < 32 * 1024 {
            path.extend_from_slice(unit.as_bytes());
        }
        assert!(judged(&site, &path).is_err(), "{unit}");
    }
    let long = format!("/{}", "a%20".repeat(5000));
    assert_eq!(judged(&site, long.as_bytes()).as_deref(), Ok("open"), "long and honest");
}

/// A small generator (xorshift64*), so that each run tries the same paths.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(rolled).unwrap() % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// Hides `plain` from a gateway in a way that some server undoes.
fn disguised(plain: &str, dice: &mut Dice) -> String {
    let mut path = plain.to_owned();
    for _ in 0..=dice.roll(3) {
        let slashes: Vec<_> = path.match_indices('/').map(|(place, _)| place).collect();
        let slash = slashes[dice.roll(slashes.len())];
        let (front, back) = path.split_at(slash);
        path = match dice.roll(7) {
            0 => format!("{front}/{back}"),
            1 => format!("{front}/.{back}"),
            2 => format!("{front}/{}/..{back}", dice.pick(&["x", "public", "a.b"])),
            3 if slash > 0 => format!("{front};v=1{back}"),
            4 if slash > 0 => format!("{front}\\{}", back.trim_start_matches('/')),
            5 => format!("/{}/..{path}", dice.pick(&["x", "static"])),
            _ => format!("{path}#x"),
        };
    }
    // What is raw in an intermediate form must be encoded on the wire; the rest may be.
    let mut wire = String::new();
    for (place, character) in path.char_indices() {
        let must = matches!(character, '\\' | '#');
        match dice.roll(6) {
            0 if place > 0 => wire.push_str(&format!("%{:02x}", u32::from(character))),
            1 if place > 0 => wire.push_str(&format!("%25{:02X}", u32::from(character))),
            _ if must => wire.push_str(&format!("%{:02X}", u32::from(character))),
            _ => wire.push(character),
        }
    }
    wire
}

#[test]
fn a_disguised_protected_path_is_never_open() {
    let site = protecting(&["/agents/*", "/admin"]);
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for _ in 0..20_000 {
        let plain = dice.pick(&["/agents/list", "/agents", "/admin", "/agents/a/b"]);
        let wire = disguised(plain, &mut dice);
        assert_ne!(judged(&site, wire.as_bytes()).as_deref(), Ok("open"), "{plain} as {wire}");
    }
}

/// Servers as they are known to read, written apart from the steps above.
fn as_servers_read(path: &str) -> Vec<String> {
    let decode = |text: &str| {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        let mut place = 0;
        while place < bytes.len() {
            let pair = bytes.get(place + 1..place + 3).and_then(|pair| std::str::from_utf8(pair).ok());
            match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| bytes[place] == b'%') {
                Some(byte) => {
                    out.push(byte);
                    place += 3;
                }
                None => {
                    out.push(bytes[place]);
                    place += 1;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let resolve = |text: &str| {
        let mut kept = Vec::new();
        for segment in text.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
            if segment == ".." {
                kept.pop();
            } else {
                kept.push(segment);
            }
        }
        format!("/{}", kept.join("/"))
    };
    let cut = |text: &str| {
        let segments = text.split('/').map(|segment| segment.split(';').next().unwrap());
        segments.collect::<Vec<_>>().join("/")
    };
    let nginx = resolve(&decode(path));
    let tomcat = resolve(&decode(&cut(path)));
    let careless = resolve(&decode(&decode(path)));
    let windows = resolve(&decode(path).replace('\\', "/"));
    let behind_nginx = resolve(&decode(&nginx));
    vec![path.to_owned(), nginx, tomcat, careless, windows, behind_nginx]
}

#[test]
fn a_path_that_passes_is_of_one_policy_to_every_server() {
    let site = protecting(&["/agents/*", "/admin/*"]);
    let mut dice = Dice(0x0dd_ba11);
    let parts = [
        "/", "//", ".", "..", "agents", "admin", "x", "public", ";", ";v=1", "%2f", "%2F", "%252f", "%2e", "%2e%2e",
        "%252E", "%5c", "%3b", "%61gents", "a%64min", "%", "%25", "..;", "...",
    ];
    let mut passed = 0;
    for _ in 0..50_000 {
        let mut path = String::from("/");
        for _ in 0..=dice.roll(7) {
            path.push_str(dice.pick(&parts));
        }
        let Ok(policy) = judged(&site, path.as_bytes()) else { continue };
        passed += 1;
        for reading in as_servers_read(&path) {
            assert_eq!(
                policy_of(&site, &Method::GET, reading.as_bytes()).unwrap().map_or("gateway", |policy| &*policy.name),
                policy,
                "{path} read as {reading}"
            );
        }
    }
    assert!(passed > 10_000, "{passed}");
}
