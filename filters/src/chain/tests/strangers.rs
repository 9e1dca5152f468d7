//! Where work is asked of those who show no identity.

use config::{Challenge, Policy, Require, Route};
use http::{HeaderMap, Method};
use pow::{Difficulty, Puzzles};

use super::*;
use crate::crawler::{CRAWLERS, CrawlerVerdict};
use crate::stage::{NOW, Played, Stage, applied, bearer, headers, lines, seconds, site as stage_site, token};

const BROWSER: [(&str, &str); 3] =
    [("accept", "text/html"), ("sec-fetch-dest", "document"), ("sec-fetch-site", "none")];

/// Everything asks for a little work, `/hard/*` for more, `/agents/*` for a passport.
fn site() -> Site {
    let policy = |name: &str, bits| {
        let challenge = Challenge { bits, ..Challenge::default() };
        Arc::new(Policy { challenge, ..Policy::new(name, Require::Cleared) })
    };
    let site = stage_site();
    let at = site.defined_at.clone();
    let route = |path: &str, policy| Route {
        path: path.parse().unwrap(),
        methods: config::Methods::Any,
        policy,
        defined_at: at.clone(),
    };
    let routes = vec![route("/hard/*", policy("hard", 8)), route("/agents/*", Policy::passport())];
    Site { policy: policy("easy", 4), ..site }.with_routes(routes)
}

fn header(played: &Played, name: &str) -> String {
    let Verdict::Respond(reply) = &played.outcome.verdict else { panic!("it went on") };
    let mut found = reply.headers.iter().filter(|(found, _)| found == name);
    found.next().unwrap_or_else(|| panic!("no {name}")).1.to_str().unwrap().to_owned()
}

fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let rest = challenge.split_once(&format!("{name}=")).unwrap().1;
    rest.split(',').next().unwrap().trim_matches('"')
}

/// Solves what a refusal asks for, as `Authorization`.
fn solution(played: &Played) -> String {
    let asked = header(played, "www-authenticate");
    let text = parameter(&asked, "challenge");
    let puzzles = Puzzles::new(parameter(&asked, "puzzles").parse().unwrap()).unwrap();
    let bits = Difficulty::new(parameter(&asked, "bits").parse().unwrap()).unwrap();
    let nonces: Vec<_> = (0..puzzles.count())
        .map(|index| pow::solve_puzzle(text, (puzzles, index), bits, 0, u64::MAX).unwrap().to_string())
        .collect();
    format!("PoW challenge=\"{text}\", nonces=\"{}\"", nonces.join(","))
}

/// The clearance that a request came back with.
fn clearance(played: &Played) -> String {
    let granted = applied(&HeaderMap::new(), played.edits.response(&HeaderMap::new()));
    lines(&granted, "lime-clearance").pop().unwrap()
}

#[test]
fn a_program_solves_retries_and_keeps_a_clearance() {
    let stage = Stage::new(site());
    let asked = stage.check("/a", &[], "challenge 401 clearance_required unknown");
    let header = header(&asked, "www-authenticate");
    assert!(header.starts_with("PoW challenge=\"lime-gw1.") && header.ends_with("expires_in=120"), "{header}");
    let Verdict::Respond(reply) = &asked.outcome.verdict else { panic!() };
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let way = problem["ways_in"].as_array().unwrap().iter().find(|way| way["way"] == "proof_of_work").unwrap();
    assert_eq!((&way["bits"], &way["puzzles"], &way["expected_hashes"]), (&4.into(), &16.into(), &16.into()));

    let solution = solution(&asked);
    let played = stage.check("/a", &[("authorization", &solution)], "allow cleared");
    assert_eq!(lines(&played.at_origin, "lime-agent-trust"), ["cleared"]);
    assert!(lines(&played.at_origin, "authorization").is_empty());
    let clearance = format!("PoW clearance=\"{}\"", clearance(&played));
    stage.check("/a", &[("authorization", &solution)], "challenge 401 solution_refused (spent) unknown");
    stage.check("/b", &[("authorization", &clearance)], "allow cleared");
    stage.check("/b", &[("lime-authorization", &clearance), ("authorization", "Basic a")], "allow cleared");
    let two = [("authorization", clearance.as_str()), ("lime-authorization", clearance.as_str())];
    stage.check("/b", &two, "deny 400 credential_ambiguous unknown");
}

#[test]
fn a_program_may_ask_for_one_puzzle() {
    let stage = Stage::new(site());
    let asked = stage.play("/a", &[("lime-puzzles", "1")]);
    assert!(header(&asked, "www-authenticate").contains("puzzles=1,"));
    stage.check("/a", &[("authorization", &solution(&asked))], "allow cleared");
}

#[test]
fn a_browser_is_shown_a_page_where_it_wants_one() {
    let stage = Stage::new(site());
    let asked = stage.check("/a", &BROWSER, "challenge 403 clearance_required unknown");
    let Verdict::Respond(reply) = &asked.outcome.verdict else { panic!() };
    let page = std::str::from_utf8(&reply.body).unwrap();
    assert!(page.contains("One moment, please") && page.contains("lime-gw1."), "{page}");
    assert!(!page.contains("redir") && !header(&asked, "content-security-policy").contains("unsafe-inline"));
    assert!(header(&asked, "set-cookie").starts_with("__Host-lime-ticket=lime-gw1."));
    for (method, sent) in [
        (Method::GET, &[("accept", "text/html"), ("sec-fetch-dest", "image")][..]),
        (Method::POST, &BROWSER[..]),
        (Method::GET, &[("accept", "application/json")]),
        (Method::GET, &[]),
    ] {
        let played = stage.play_as(&method, "/a", sent);
        let Verdict::Respond(reply) = &played.outcome.verdict else { panic!() };
        assert_eq!(reply.status, 401, "{method} {sent:?}");
    }
    // An old browser says nothing of destinations.
    stage.check("/a", &[("accept", "text/html,*/*;q=0.8")], "challenge 403 clearance_required unknown");
}

#[test]
fn who_waited_is_let_in() {
    let mut stage = Stage::new(site());
    let asked = stage.play("/a", &BROWSER);
    let cookie = header(&asked, "set-cookie");
    let ticket = cookie.split(';').next().unwrap().to_owned();
    let sent = [BROWSER[0], BROWSER[1], ("cookie", ticket.as_str())];
    stage.now = NOW.plus(seconds(4));
    let early = stage.check("/a", &sent, "challenge 403 clearance_required (too_early) unknown");
    let Verdict::Respond(reply) = &early.outcome.verdict else { panic!() };
    assert!(!reply.headers.iter().any(|(name, _)| name == "set-cookie"), "the ticket is kept");
    stage.now = NOW.plus(seconds(6));
    let played = stage.check("/a", &sent, "allow cleared");
    assert!(lines(&played.at_origin, "cookie").is_empty());
    stage.check("/a", &sent, "challenge 403 clearance_required (spent) unknown");
}

#[test]
fn a_passport_needs_no_work_and_work_is_no_passport() {
    let stage = Stage::new(site());
    stage.check("/a", &[("authorization", &bearer(&token()))], "allow passport");
    let asked = stage.play("/a", &[]);
    let played = stage.check("/a", &[("authorization", &solution(&asked))], "allow cleared");
    let clearance = format!("PoW clearance=\"{}\"", clearance(&played));
    stage.check("/agents/x", &[("authorization", &clearance)], "deny 401 passport_required unknown");
    stage.check("/a", &[("authorization", "Bearer ls1.x")], "deny 401 invalid_token (seal) unknown");
}

#[test]
fn more_work_counts_for_less_and_not_the_other_way_round() {
    let stage = Stage::new(site());
    let easy = stage.play("/a", &[]);
    let easy = clearance(&stage.check("/a", &[("authorization", &solution(&easy))], "allow cleared"));
    let easy = format!("__Host-lime-clearance={easy}");
    stage.check("/hard/x", &[("cookie", &easy)], "challenge 401 clearance_required (not_enough) unknown");
    let hard = stage.play("/hard/x", &[]);
    let hard = clearance(&stage.check("/hard/x", &[("authorization", &solution(&hard))], "allow cleared"));
    let hard = format!("__Host-lime-clearance={hard}");
    stage.check("/hard/x", &[("cookie", &hard)], "allow cleared");
    stage.check("/a", &[("cookie", &hard)], "allow cleared");
}

#[test]
fn a_clearance_is_good_for_so_many_requests() {
    let challenge = Challenge { bits: 4, requests: 3, ..Challenge::default() };
    let policy = Arc::new(Policy { challenge, ..Policy::new("few", Require::Cleared) });
    let stage = Stage::new(Site { policy, ..site() });
    let asked = stage.play("/a", &[]);
    let clearance = clearance(&stage.check("/a", &[("authorization", &solution(&asked))], "allow cleared"));
    let sent = format!("PoW clearance=\"{clearance}\"");
    stage.check("/a", &[("authorization", &sent)], "allow cleared");
    stage.check("/a", &[("authorization", &sent)], "allow cleared");
    stage.check("/a", &[("authorization", &sent)], "challenge 401 clearance_required (used_up) unknown");
}

#[test]
fn what_robots_and_certificates_need_is_open_exactly() {
    let stage = Stage::new(site());
    for path in
        ["/robots.txt", "/favicon.ico", "/sitemap.xml", "/.well-known/security.txt", "/.well-known/acme-challenge/a-_9"]
    {
        stage.check(path, &[], "allow unknown");
        assert!(matches!(stage.play_as(&Method::POST, path, &[]).outcome.verdict, Verdict::Respond(_)), "{path}");
    }
    for path in
        ["/robots.txt/", "/a/robots.txt", "/x.rss", "/ROBOTS.TXT", "/.well-known/acme-challenge/", "/robots.txtx"]
    {
        stage.check(path, &[], "challenge 401 clearance_required unknown");
    }
    for path in ["/.well-known/acme-challenge/../../admin", "/robots.txt/../admin", "/.well-known/acme-challenge/a/b"] {
        let played = stage.play(path, &[]);
        assert!(matches!(played.outcome.verdict, Verdict::Respond(_)), "{path}");
    }
}

#[test]
fn a_crawler_waits_for_the_dns_and_is_never_forbidden() {
    let stage = Stage::new(site());
    let sent = [("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)"), ("accept", "text/html")];
    let first = stage.check("/a", &sent, "deny 503 crawler_unconfirmed unknown");
    let (client, crawler) = first.outcome.decision.claim.unwrap();
    assert_eq!((Some(client), crawler), (stage.client, &CRAWLERS[0]));
    assert!(!header(&first, "retry-after").is_empty());
    stage.resources.crawlers.keep(client, crawler, CrawlerVerdict::Unconfirmed);
    let second = stage.check("/a", &sent, "deny 503 crawler_unconfirmed unknown");
    assert!(second.outcome.decision.claim.is_none());
    stage.resources.crawlers.keep(client, crawler, CrawlerVerdict::Confirmed);
    stage.check("/a", &sent, "allow unknown");
}

#[test]
fn what_a_request_weighs_may_let_it_in_or_shut_it_out() {
    let policy = "require = 'cleared'\n[policy.p.challenge]\nbits = 5\nopen_under = 3\nrefuse_over = 9\n\
                  [[policy.p.challenge.weight]]\nuser_agent = '*evil*'\nmore = 5\n\
                  [[policy.p.challenge.weight]]\nuser_agent = '*kind*'\nless = 3\n\
                  [[policy.p.challenge.weight]]\nuser_agent = '*odd*'\nmore = 2\n";
    let file = format!(
        "[policy.p]\n{policy}[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\npolicy = 'p'\n"
    );
    let file = config::Gateway::parse(&file, std::path::Path::new("lime.toml"), &|_| None).unwrap();
    let stage = Stage::new(Site { mode: Mode::Enforce, ..Site::clone(&file.sites[0]) });
    stage.check("/a", &[("user-agent", "kind")], "allow unknown");
    stage.check("/a", &[("user-agent", "evil")], "deny 403 stranger_denied unknown");
    let asked = stage.check("/a", &[("user-agent", "odd")], "challenge 401 clearance_required unknown");
    assert!(header(&asked, "www-authenticate").contains("bits=7,"));
}

#[test]
fn in_observe_nobody_is_asked() {
    let stage = Stage::new(Site { mode: Mode::Observe, ..site() });
    stage.check("/a", &[], "would_deny clearance_required unknown");
    stage.check("/a", &BROWSER, "would_deny clearance_required unknown");
}

#[test]
fn a_page_that_loads_itself_and_has_no_cookie_does_so_no_more() {
    let stage = Stage::new(site());
    let refreshes = |sent: &[(&str, &str)]| {
        let played = stage.play("/a", sent);
        let Verdict::Respond(reply) = played.outcome.verdict else { panic!() };
        let page = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(page.contains("<script"), "whoever has scripts gets on");
        page.contains("http-equiv=\"refresh\"")
    };
    let by_itself = [BROWSER[0], BROWSER[1], ("sec-fetch-site", "same-origin")];
    assert!(refreshes(&BROWSER));
    assert!(!refreshes(&by_itself));
    assert!(refreshes(&[&by_itself[..], &[("sec-fetch-user", "?1")]].concat()), "somebody followed a link");
    let ticket = header(&stage.play("/a", &BROWSER), "set-cookie");
    let ticket = ticket.split(';').next().unwrap();
    assert!(refreshes(&[&by_itself[..], &[("cookie", ticket)]].concat()), "the ticket is not due yet");
    let old = [("accept", "text/html")];
    assert!(refreshes(&old));
    assert!(refreshes(&[old[0], ("referer", "https://shop.example.com/b")]));
    assert!(!refreshes(&[old[0], ("referer", "https://shop.example.com/a?x=1")]));
}

#[test]
fn what_a_path_weighs_does_not_depend_on_how_it_is_written() {
    let file = "[policy.p]\nrequire = 'cleared'\n[policy.p.challenge]\nbits = 4\nrefuse_over = 20\n\
                [[policy.p.challenge.weight]]\npath = '/search/*'\nmore = 4\n\
                [[policy.p.challenge.weight]]\npath = '/never/*'\nmore = 40\n\
                [[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\npolicy = 'p'\n";
    let file = config::Gateway::parse(file, std::path::Path::new("lime.toml"), &|_| None).unwrap();
    let stage = Stage::new(Site { mode: Mode::Enforce, ..Site::clone(&file.sites[0]) });
    for path in ["/search/x", "/%73earch/x", "/./search/x", "//search/x", "/a/../search/x", "/%2573earch/x"] {
        let asked = stage.check(path, &[], "challenge 401 clearance_required unknown");
        assert!(header(&asked, "www-authenticate").contains("bits=8,"), "{path}");
    }
    for path in ["/never/x", "/%6eever/x", "/%256eever/x"] {
        stage.check(path, &[], "deny 403 stranger_denied unknown");
    }
}

#[test]
fn where_nobody_may_wait_waiting_elsewhere_is_nothing() {
    let challenge = Challenge { bits: 4, wait: None, ..Challenge::default() };
    let strict = Arc::new(Policy { challenge, ..Policy::new("strict", Require::Cleared) });
    let base = site();
    let at = base.defined_at.clone();
    let methods = config::Methods::Any;
    let route = Route { path: "/strict/*".parse().unwrap(), methods, policy: strict, defined_at: at };
    let mut stage = Stage::new(base.with_routes(vec![route]));
    let cookie = header(&stage.play("/a", &BROWSER), "set-cookie");
    let ticket = cookie.split(';').next().unwrap().to_owned();
    let page = stage.play("/strict/x", &BROWSER);
    let Verdict::Respond(reply) = &page.outcome.verdict else { panic!() };
    assert!(!reply.headers.iter().any(|(name, _)| name == "set-cookie"));
    stage.now = NOW.plus(seconds(6));
    let sent = [BROWSER[0], BROWSER[1], ("cookie", ticket.as_str())];
    stage.check("/strict/x", &sent, "challenge 403 clearance_required (not_enough) unknown");
}

#[test]
fn a_solution_of_too_few_bits_is_not_spent() {
    let stage = Stage::new(site());
    let solution = solution(&stage.play("/a", &[]));
    stage.check("/hard/x", &[("authorization", &solution)], "challenge 401 solution_refused (not_enough) unknown");
    stage.check("/a", &[("authorization", &solution)], "allow cleared");
}

#[test]
fn nobody_keeps_an_answer_that_hands_out_a_clearance() {
    let stage = Stage::new(Site { shared_cache: SharedCache::Yes, ..site() });
    let played = stage.play("/a", &[("authorization", &solution(&stage.play("/a", &[])))]);
    let origin = headers(&[("cache-control", "public, max-age=600")]);
    let answer = applied(&origin, played.edits.response(&origin));
    assert_eq!(lines(&answer, "cache-control"), ["private, no-store"]);
}

#[test]
fn many_of_one_network_cannot_wait_at_once() {
    let mut stage = Stage::new(site());
    let tickets: Vec<String> = (0..40)
        .map(|_| header(&stage.play("/a", &BROWSER), "set-cookie").split(';').next().unwrap().to_owned())
        .collect();
    stage.now = NOW.plus(seconds(6));
    let passed = tickets.iter().filter(|ticket| {
        let sent = [BROWSER[0], BROWSER[1], ("cookie", ticket.as_str())];
        matches!(stage.play("/a", &sent).outcome.verdict, Verdict::Continue)
    });
    assert_eq!(passed.count(), 30);
}
