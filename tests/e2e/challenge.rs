//! Strangers pay in work: what programs are asked for, what counts, and what never does.

use std::fs;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use lime_tests::http::{self, Reply, Request};
use lime_tests::{Answer, Gateway, Output, Stub, lime, report, until};
use pow::{Difficulty, Puzzles};
use tempfile::TempDir;

mod fleet;

const BITS: u8 = 8;

fn gateway(origin: &Stub, more: &str) -> Gateway {
    Gateway::start(|url, _| {
        format!(
            "[policy.people]\nrequire = \"cleared\"\nchallenge = {{ bits = {BITS} }}\n[[site]]\nurl = \"{url}\"\n\
             origin = \"{}\"\nmode = \"enforce\"\npolicy = \"people\"\nopen = [\"/open/*\"]\n{more}",
            origin.url
        )
    })
}

/// What a refusal asks for.
struct Asked {
    challenge: String,
    bits: u8,
    puzzles: Puzzles,
}

#[track_caller]
fn asked(reply: &Reply) -> Asked {
    assert_eq!(reply.status, 401, "{}", reply.text());
    let header = reply.headers.iter().find(|(name, value)| name == "www-authenticate" && value.starts_with("PoW "));
    let header = &header.unwrap_or_else(|| panic!("no challenge in {:?}", reply.headers)).1;
    let parameter = |name: &str| {
        let rest = header.split_once(&format!("{name}=")).unwrap().1;
        rest.split(',').next().unwrap().trim_matches('"').to_owned()
    };
    Asked {
        challenge: parameter("challenge"),
        bits: parameter("bits").parse().unwrap(),
        puzzles: Puzzles::new(parameter("puzzles").parse().unwrap()).unwrap(),
    }
}

impl Asked {
    fn nonces(&self) -> String {
        let bits = Difficulty::new(self.bits).unwrap();
        let nonce = |index| pow::solve_puzzle(&self.challenge, (self.puzzles, index), bits, 0, u64::MAX).unwrap();
        (0..self.puzzles.count()).map(|index| nonce(index).to_string()).collect::<Vec<_>>().join(",")
    }

    fn solved(&self) -> String {
        self.with(&self.nonces())
    }

    fn with(&self, nonces: &str) -> String {
        format!("PoW challenge=\"{}\", nonces=\"{nonces}\"", self.challenge)
    }
}

fn post(gateway: &Gateway, authorization: &str) -> Request {
    http::request("POST", &format!("{}/.lime/pow", gateway.url)).header("Lime-Authorization", authorization)
}

#[track_caller]
fn refused(reply: &Reply, reason: &str) {
    assert_eq!((reply.status, reply.reason().as_str()), (401, reason), "{}", reply.text());
    asked(reply);
}

#[test]
fn a_program_works_once_and_then_goes_on() {
    let origin = Stub::saying("from the site");
    let gateway = gateway(&origin, "");
    assert_eq!(gateway.get("/open/x").send().status, 200);
    let first = gateway.get("/a").send();
    refused(&first, "clearance_required");
    assert_eq!(origin.count("/a"), 0);
    let asked = asked(&first);
    assert_eq!((asked.bits, asked.puzzles), (BITS, Puzzles::Sixteen));

    let reply = gateway.get("/a").header("Authorization", asked.solved()).send();
    assert_eq!((reply.status, reply.text().as_str()), (200, "from the site"));
    assert_eq!(origin.last().header("lime-agent-trust"), Some("cleared"));
    assert_eq!(origin.last().header("authorization"), None);
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    for _ in 0..5 {
        let request = gateway.get("/b").header("Lime-Authorization", &clearance).header("Authorization", "Basic YTpi");
        assert_eq!(request.send().status, 200);
        assert_eq!(origin.last().header("authorization"), Some("Basic YTpi"));
    }
    let cookie = reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(gateway.get("/c").header("Cookie", format!("a=b; {cookie}")).send().status, 200);
    assert_eq!(origin.last().header("cookie"), Some("a=b"));
    refused(&gateway.get("/a").header("Authorization", asked.solved()).send(), "solution_refused");
    assert_eq!(gateway.counted("lime_gateway_challenges_solved_total"), 1);
    assert!(gateway.counted("lime_gateway_challenges_issued_total") >= 2);
    assert_eq!(gateway.counted("lime_gateway_challenge_bits"), u64::from(BITS));
}

#[test]
fn a_body_is_sent_again_with_the_solution() {
    let origin = Stub::start(|request| Answer::Reply(200, Vec::new(), request.body.clone()));
    let gateway = gateway(&origin, "");
    let send = || http::request("POST", &format!("{}/a", gateway.url)).body("an order");
    let asked = asked(&send().send());
    let reply = send().header("Authorization", asked.solved()).send();
    assert_eq!((reply.status, reply.text().as_str()), (200, "an order"));
}

#[test]
fn of_a_thousand_parallel_posts_of_one_proof_one_is_cleared() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    let solved = asked(&gateway.get("/a").send()).solved();
    let together = Barrier::new(1000);
    let cleared: usize = thread::scope(|scope| {
        let one = || {
            together.wait();
            usize::from(post(&gateway, &solved).send().status == 200)
        };
        let thread = || thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, one).unwrap();
        let threads: Vec<_> = (0..1000).map(|_| thread()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(cleared, 1);
}

#[test]
fn across_a_restart_a_proof_is_never_taken_twice() {
    let origin = Stub::saying("x");
    let mut gateway = gateway(&origin, "");
    let (first, second) = (asked(&gateway.get("/a").send()), asked(&gateway.get("/a").send()));
    let reply = post(&gateway, &first.solved()).send();
    assert_eq!(reply.status, 200);
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    gateway.restart();
    for proof in [first.solved(), second.solved()] {
        let reply = post(&gateway, &proof).send();
        refused(&reply, "solution_refused");
        assert!(reply.text().contains("began anew"), "{}", reply.text());
    }
    assert_eq!(gateway.get("/a").header("Authorization", clearance).send().status, 200, "a clearance lives on");
}

#[test]
fn what_is_no_solution_is_refused_with_a_new_challenge() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    let asked = asked(&gateway.get("/a").send());
    let nonces = asked.nonces();
    let nonces: Vec<&str> = nonces.split(',').collect();
    let mut swapped = nonces.clone();
    swapped.swap(0, 15);
    let fifteen = nonces[..15].join(",");
    let first = nonces[0];
    let hash_of_the_client =
        format!("PoW challenge=\"{}\", nonces=\"{}\", hash=\"0000\"", asked.challenge, nonces.join(","));
    let easier = format!("PoW challenge=\"{}\", nonces=\"{}\", bits=\"0\"", asked.challenge, nonces.join(","));
    let mut altered = asked.challenge.clone().into_bytes();
    altered[40] = if altered[40] == b'A' { b'B' } else { b'A' };
    let altered = format!("PoW challenge=\"{}\", nonces=\"{}\"", String::from_utf8(altered).unwrap(), nonces.join(","));
    for bad in [
        asked.with(&swapped.join(",")),
        asked.with(&fifteen),
        asked.with(&format!("{},1", nonces.join(","))),
        asked.with(&vec![first; 16].join(",")),
        asked.with(&nonces.join(" ")),
        asked.with(&nonces.join(", ")),
        asked.with(&format!("0x10,{}", nonces[1..].join(","))),
        asked.with(&format!("6.5,{}", nonces[1..].join(","))),
        asked.with(&format!("-1,{}", nonces[1..].join(","))),
        asked.with(&format!("1e3,{}", nonces[1..].join(","))),
        asked.with(&format!("99999999999999999999999,{}", nonces[1..].join(","))),
        asked.with(""),
        asked.with("0"),
        asked.with(&"1,".repeat(8000)),
        hash_of_the_client,
        easier,
        altered,
        format!("PoW challenge=\"{}=\", nonces=\"{}\"", asked.challenge, nonces.join(",")),
        "PoW challenge=\"lime-gw1.\", nonces=\"1\"".to_owned(),
        "PoW".to_owned(),
        "PoW x".to_owned(),
    ] {
        refused(&gateway.get("/a").header("Authorization", &bad).send(), "solution_refused");
        refused(&post(&gateway, &bad).send(), "solution_refused");
    }
    // None of them used it up.
    assert_eq!(gateway.get("/a").header("Authorization", asked.solved()).send().status, 200);
    assert_eq!(origin.count("/a"), 1);
}

#[test]
fn a_clearance_that_was_altered_or_made_up_is_none() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    let reply = post(&gateway, &asked(&gateway.get("/a").send()).solved()).send();
    let clearance = reply.header("lime-clearance").unwrap().to_owned();
    for place in (0..clearance.len()).step_by(3) {
        let mut altered = clearance.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let sent = format!("PoW clearance=\"{altered}\"");
        refused(&gateway.get("/a").header("Authorization", sent).send(), "clearance_required");
        let cookie = format!("lime-clearance={altered}");
        assert_eq!(gateway.get("/a").header("Cookie", cookie).send().status, 401);
    }
    let challenge = asked(&gateway.get("/a").send()).challenge;
    for text in [challenge.clone(), challenge.replace("lime-gw1.", "lc1."), format!("{clearance}="), String::new()] {
        let sent = format!("PoW clearance=\"{text}\"");
        assert_eq!(gateway.get("/a").header("Authorization", sent).send().status, 401, "{text}");
    }
    assert_eq!(origin.count("/a"), 0);
}

#[test]
fn what_was_made_for_one_host_is_nothing_at_another() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "also = [\"*.lime.test\"]\n");
    let at = |host: &str, path: &str| gateway.get(path).header("Host", host);
    let one = asked(&at("one.lime.test", "/a").send());
    let reply = at("two.lime.test", "/a").header("Authorization", one.solved()).send();
    refused(&reply, "solution_refused");
    // Case, port and a final dot are the same host.
    let reply = at("ONE.lime.test.:80", "/a").header("Authorization", one.solved()).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    assert_eq!(at("one.lime.test", "/b").header("Authorization", &clearance).send().status, 200);
    refused(&at("two.lime.test", "/b").header("Authorization", &clearance).send(), "clearance_required");
}

#[test]
fn a_network_changes_once_for_a_little_more_and_is_not_asked_for_ever() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| {
        format!(
            "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[policy.people]\nrequire = \"cleared\"\n\
             challenge = {{ bits = {BITS} }}\n[[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\n\
             policy = \"people\"\n",
            origin.url
        )
    });
    let from = |client: &str| gateway.get("/a").header("X-Forwarded-For", client);
    let first = asked(&from("192.0.2.1").send());
    let reply = from("192.0.2.1").header("Authorization", first.solved()).send();
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    assert_eq!(from("192.0.2.200").header("Authorization", &clearance).send().status, 200, "a neighbour");
    let elsewhere = from("2001:db8::1").header("Authorization", &clearance).send();
    refused(&elsewhere, "clearance_required");
    let again = asked(&elsewhere);
    assert_eq!(again.bits, BITS + 2);
    let reply = from("2001:db8::1").header("Authorization", again.solved()).send();
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    for client in ["192.0.2.1", "2001:db8::1", "198.51.100.9"] {
        assert_eq!(from(client).header("Authorization", &clearance).send().status, 200, "{client}");
    }
    // A stranger may say what he likes of himself.
    assert_eq!(gateway.get("/a").header("X-Forwarded-For", "\u{e9}").send().status, 401);
}

#[test]
fn a_crawler_is_looked_up_and_told_to_come_again() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| {
        format!(
            "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[[site]]\nurl = \"{url}\"\norigin = \"{}\"\n\
             mode = \"enforce\"\npolicy = \"cleared\"\n",
            origin.url
        )
    });
    let as_google = |client: &str| {
        let request = gateway.get("/a").header("X-Forwarded-For", client).header("Accept", "text/html");
        request.header("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)").send()
    };
    // Nobody answers here, so the networks it came from are the next best word.
    let reply = as_google("66.249.66.1");
    assert!([200, 503].contains(&reply.status), "{}", reply.status);
    until("the crawler passes", || as_google("66.249.66.1").status == 200);
    for _ in 0..3 {
        let reply = as_google("192.0.2.1");
        assert_eq!((reply.status, reply.reason().as_str()), (503, "crawler_unconfirmed"));
        assert!(reply.header("retry-after").is_some() && reply.header("x-robots-tag").is_none());
    }
}

#[test]
fn what_robots_need_is_open_and_no_path_beside_it() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    for path in ["/robots.txt", "/favicon.ico", "/sitemap.xml", "/.well-known/security.txt"] {
        assert_eq!(gateway.get(path).send().status, 200, "{path}");
        assert_eq!(http::request("HEAD", &format!("{}{path}", gateway.url)).send().status, 200, "{path}");
    }
    assert_eq!(gateway.get("/.well-known/acme-challenge/abc_-1").send().status, 200);
    for path in [
        "/robots.txt/../admin",
        "/robots.txt%2f..%2fadmin",
        "/.well-known/acme-challenge/../admin",
        "/robots.txt;x",
        "//robots.txt",
        "/feed.rss",
        "/admin?/robots.txt",
    ] {
        let reply = gateway.get(path).send();
        assert!(reply.status == 401 || reply.status == 400, "{path}: {}", reply.status);
    }
    for method in ["POST", "PUT", "OPTIONS", "PROPFIND", "DELETE"] {
        assert_eq!(http::request(method, &format!("{}/robots.txt", gateway.url)).send().status, 401, "{method}");
    }
}

#[test]
fn the_command_and_twenty_lines_of_python_get_in() {
    let origin = Stub::saying("from the site");
    let gateway = gateway(&origin, "");
    let url = format!("{}/a", gateway.url);
    let output = lime(["agent", "fetch", &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from the site", "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("8 bits of work"), "{output:?}");
    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/solve.py")).arg(&url);
    let output = Output::of(python);
    assert_eq!((output.code, output.stdout.trim()), (0, "from the site"), "{}", output.stderr);
}

#[test]
fn an_explanation_says_how_hard_it_would_be_and_why() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("lime.toml");
    let text = "[policy.people]\nrequire = \"cleared\"\n[policy.people.challenge]\nbits = 16\n\
                [[policy.people.challenge.weight]]\nuser_agent = \"*python*\"\nmore = 3\n\
                [[site]]\nurl = \"https://a.example\"\norigin = \"http://127.0.0.1:3000\"\nmode = \"enforce\"\n\
                policy = \"people\"\n";
    fs::write(&file, text).unwrap();
    let config = file.to_str().unwrap();
    let explained = |agent: &str| {
        let header = format!("User-Agent: {agent}");
        let arguments = ["explain", "--json", "GET", "https://a.example/x", "-H", &header, "-c", config];
        let output = lime(arguments).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let found = explained("Python-urllib/3");
    assert_eq!((&found["decision"], &found["reason"]), (&"challenge".into(), &"clearance_required".into()));
    assert_eq!(found["bits"], 19);
    assert!(found["bits_because"].to_string().contains("+3 user_agent = *python*"), "{found}");
    assert_eq!(explained("Mozilla/5.0")["bits"], 16);
}

#[test]
fn a_flood_of_strangers_leaves_memory_flat() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    let flood = |rounds: usize| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // A program is told, a browser shown.
                    let page = || gateway.get("/a").header("Accept", "text/html");
                    (0..rounds / 2).for_each(|_| {
                        assert_eq!(gateway.get("/a").send().status, 401);
                        assert_eq!(page().send().status, 403);
                    });
                });
            }
        });
    };
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", gateway.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // Pools and the allocator's own pages grow to what the load asks for, and on a busy machine that takes more than one
    // flood. What is kept for a stranger would be kept again in each: one that adds nothing says that nothing is.
    let mut grown = Vec::new();
    flood(500);
    let flat = (0..6).any(|_| {
        let (before, started) = (memory(), std::time::Instant::now());
        flood(2_500);
        let (took, after) = (started.elapsed(), memory());
        let rate = 10_000.0 / took.as_secs_f64();
        report(&format!("challenges: {rate:.0} a second over new connections, memory {before} -> {after} KiB"));
        grown.push(after.saturating_sub(before));
        after < before + 1024
    });
    assert!(flat, "each flood of 10,000 left more behind, in KiB: {grown:?}");
}

#[test]
fn the_last_connections_are_for_those_who_are_known_or_have_worked() {
    let origin = Stub::saying("x");
    let gateway = Gateway::start(|url, _| {
        format!(
            "[server]\nconnections_max = 20\n[policy.people]\nrequire = \"cleared\"\nchallenge = {{ bits = {BITS} }}\n\
             [[site]]\nurl = \"{url}\"\norigin = \"{}\"\nmode = \"enforce\"\npolicy = \"people\"\nopen = [\"/open/*\"]\n",
            origin.url
        )
    });
    let reply = post(&gateway, &asked(&gateway.get("/a").send()).solved()).send();
    let clearance = format!("PoW clearance=\"{}\"", reply.header("lime-clearance").unwrap());
    assert_eq!(gateway.get("/open/x").send().status, 200);
    let idle: Vec<_> = (0..17).map(|_| http::connect(gateway.address()).unwrap()).collect();
    until("they are counted", || gateway.counted("lime_gateway_connections") >= 17);
    let reply = gateway.get("/open/x").send();
    assert_eq!((reply.status, reply.reason().as_str()), (503, "overloaded"));
    assert_eq!(reply.header("connection"), Some("close"));
    // He may still get in by work.
    asked(&gateway.get("/a").send());
    assert_eq!(gateway.get("/a").header("Authorization", &clearance).send().status, 200);
    // Whoever only holds a place of the last ones makes room soon.
    let more: Vec<_> = (0..3).map(|_| http::connect(gateway.address()).unwrap()).collect();
    until("there is room for one who has worked", || {
        gateway.get("/a").header("Authorization", &clearance).send().status == 200
    });
    drop((idle, more));
    until("there is room again", || gateway.get("/open/x").send().status == 200);
}

#[test]
fn no_way_of_asking_gets_round_the_question() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    for (method, headers) in [
        ("GET", &[("User-Agent", "")][..]),
        ("GET", &[("User-Agent", "not a browser")]),
        ("GET", &[("User-Agent", "Mozilla/5.0"), ("Accept", "application/json")]),
        ("GET", &[("Accept", "application/rss+xml")]),
        ("GET", &[("Range", "bytes=0-1")]),
        ("GET", &[("Connection", "Upgrade"), ("Upgrade", "websocket")]),
        ("GET", &[("Purpose", "prefetch"), ("Sec-Purpose", "prefetch")]),
        ("GET", &[("X-Forwarded-For", "66.249.66.1"), ("X-Original-URI", "/open/x"), ("X-Rewrite-URL", "/open/x")]),
        ("GET", &[("Lime-Agent-Trust", "passport"), ("Lime-Clearance", "lc1.x")]),
        ("GET", &[("X-HTTP-Method-Override", "OPTIONS")]),
        ("HEAD", &[]),
        ("OPTIONS", &[]),
        ("PROPFIND", &[]),
        ("POST", &[("Expect", "100-continue")]),
        ("PUT", &[("Cookie", "lime-clearance=lc1.AAAA; lime-clearance=lc1.BBBB; lime-ticket=lime-gw1.x")]),
    ] {
        let mut request = http::request(method, &format!("{}/a", gateway.url));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = request.send();
        assert_eq!(reply.status, 401, "{method} {headers:?}: {}", reply.text());
    }
    let old = http::raw(gateway.address(), b"GET /a HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    assert_eq!(old.status, 401);
    assert_eq!(origin.received().len(), 0);
    // A language that nobody speaks is answered, and what is said comes back nowhere.
    for language in ["und", "x-<script>", &"x-y,".repeat(2000), "en;q=NaN", "*;q=0"] {
        let page = gateway.get("/%22%3E%3Cscript%3E?x=%3C/script%3E").header("Accept-Language", language);
        let page = page.header("Accept", "text/html").header("Sec-Fetch-Dest", "document").send();
        assert_eq!(page.status, 403, "{language}");
        assert!(page.text().contains("lang=\"en\"") && !page.text().contains("x-<script>"), "{language}");
        assert_eq!(page.text().matches("</script>").count(), 3);
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn a_passport_stands_beside_work_and_before_it() {
    let origin = Stub::saying("x");
    let gateway = gateway(&origin, "");
    // The site's own credentials are the site's, work or not.
    assert_eq!(gateway.get("/a").header("Authorization", "Basic YTpi").send().status, 401);
    let solved = asked(&gateway.get("/a").send()).solved();
    let both = gateway.get("/a").header("Authorization", &solved).header("Lime-Authorization", "Bearer ls1.x");
    assert_eq!(both.send().reason(), "credential_ambiguous");
    let beside = gateway.get("/a").header("Authorization", "Basic YTpi").header("Lime-Authorization", &solved);
    assert_eq!(beside.send().status, 200);
    assert_eq!(origin.last().header("authorization"), Some("Basic YTpi"));
}
