use std::path::Path;

use super::*;
use crate::{ConfigError, Gateway, Site};

const START: &str = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\n\
                     issuer = 'https://id.example'\n";

fn parse(lines: &str) -> Result<Gateway, ConfigError> {
    let policies = "\n[policy.read]\nrequire = 'passport'\n[policy.write]\nrequire = 'passport'\nscopes = 'w'\n";
    Gateway::parse(&format!("{START}{lines}{policies}"), Path::new("lime.toml"), &|_| None)
}

#[track_caller]
fn site(lines: &str) -> Arc<Site> {
    parse(lines).unwrap_or_else(|error| panic!("{error}")).sites.pop().unwrap()
}

#[track_caller]
fn refuse(lines: &str, problem: &str) {
    assert_eq!(parse(lines).unwrap_err().to_string(), problem);
}

fn route(path: &str, methods: &str, policy: &str) -> String {
    let methods = if methods.is_empty() { String::new() } else { format!("methods = {methods}\n") };
    format!("[[site.route]]\npath = '{path}'\n{methods}policy = '{policy}'\n")
}

#[test]
fn the_most_specific_route_counts_whatever_the_order_of_lines() {
    let mut routes = [
        route("/*", "", "read"),
        route("/api/*", "", "open"),
        route("/api/orders/*", "", "read"),
        route("/api/orders/*", "['POST', 'DELETE']", "write"),
        route("/api/orders/latest", "", "open"),
        route("/feed", "['GET']", "open"),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let site = site(&format!("policy = 'passport'\n{}", routes.concat()));
        for (method, path, policy) in [
            ("GET", "/", "read"),
            ("GET", "/api", "open"),
            ("GET", "/api/", "open"),
            ("GET", "/apis", "read"),
            ("GET", "/api/orders", "read"),
            ("GET", "/api/orders/7", "read"),
            ("PUT", "/api/orders/7", "read"),
            ("POST", "/api/orders/7", "write"),
            ("DELETE", "/api/orders/", "write"),
            ("POST", "/api/orders/latest", "open"),
            ("GET", "/api/orders/latest/", "open"),
            ("GET", "/feed", "open"),
            ("HEAD", "/feed", "open"),
            ("POST", "/feed", "read"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(&*site.route(path.as_bytes(), &method).policy.name, policy, "{method} {path}");
        }
    }
}

#[test]
fn a_path_without_a_route_asks_for_what_the_site_says() {
    let site = site(&format!("policy = 'read'\n{}", route("/open/*", "", "open")));
    let matched = site.route(b"/x", &Method::GET);
    assert_eq!((&*matched.policy.name, matched.route.is_none()), ("read", true));
    assert!(site.protects());
}

#[test]
fn routes_that_cannot_be_told_apart_are_refused() {
    let tie = |first: &str, second: &str| {
        format!("policy = 'open'\n{}{}", route("/a", first, "read"), route("/a", second, "open"))
    };
    refuse(
        &tie("", ""),
        "lime.toml:10:1: the route at lime.toml:10 never counts: the one at lime.toml:7 has the path /a for every method too: \
         remove one of the two",
    );
    refuse(
        &tie("['GET', 'POST']", "['POST']"),
        "lime.toml:11:1: the route at lime.toml:11 never counts: the one at lime.toml:7 has the path /a for POST too: \
         remove one of the two",
    );
    for (first, second) in [("['GET']", "['HEAD']"), ("['HEAD']", "['GET']")] {
        let error = parse(&tie(first, second)).unwrap_err().to_string();
        assert!(error.contains("has the path /a for HEAD too"), "{error}");
    }
    assert!(parse(&tie("['GET']", "")).is_ok());
    assert!(parse(&tie("['GET']", "['POST']")).is_ok());
}

#[test]
fn what_is_open_may_stand_beside_what_is_protected() {
    let found = site("protect = '/*'\nopen = ['/feed.xml', '/public/*']\n");
    for (path, policy) in [("/feed.xml", "open"), ("/public/a", "open"), ("/feed.xm", "passport")] {
        assert_eq!(&*found.route(path.as_bytes(), &Method::GET).policy.name, policy, "{path}");
    }
    let found = site(&format!("policy = 'read'\nopen = '/feed.xml'\n{}", route("/a/*", "", "write")));
    for (path, policy) in [("/feed.xml", "open"), ("/a/b", "write"), ("/x", "read")] {
        assert_eq!(&*found.route(path.as_bytes(), &Method::GET).policy.name, policy, "{path}");
    }
    refuse(
        "protect = ['/a']\nopen = ['/a']\n",
        "lime.toml:6:1: the route at lime.toml:6 never counts: the one at lime.toml:5 has the path /a for every method \
         too: remove one of the two",
    );
}

#[test]
fn a_site_with_routes_says_what_all_else_asks_for() {
    refuse(
        &route("/a", "", "read"),
        "lime.toml:5:1: a site with routes says what every other path asks for: write `policy = \"open\"`, or another",
    );
    let both = format!("protect = '/b'\n{}", route("/a", "", "read"));
    assert!(parse(&both).unwrap_err().to_string().starts_with("lime.toml:5:11: `protect` is short for routes"));
    let both = "protect = '/b'\npolicy = 'open'\n";
    assert!(parse(both).unwrap_err().to_string().starts_with("lime.toml:5:11: `protect` is short for routes"));
}

#[test]
fn what_no_route_can_be_is_refused_with_a_remedy() {
    refuse(
        &format!("policy = 'open'\n{}", route("/a", "", "wirte")),
        "lime.toml:8:10: `policy`: there is no policy `wirte`: did you mean \"write\"?",
    );
    refuse(
        "policy = 'nothing-like-it'\n",
        "lime.toml:5:10: `policy`: there is no policy `nothing-like-it`: write [policy.nothing-like-it] with its keys, or \
         one of `cleared`, `closed`, `open`, `passport`, `read`, `write`",
    );
    for (methods, problem) in [
        ("['get']", "methods are written in capitals: write \"GET\""),
        ("['TRACE']", "`TRACE` is never served: leave it out"),
        ("['A B']", "`A B` is no method: write one like \"POST\""),
    ] {
        refuse(
            &format!("policy = 'open'\n{}", route("/a", methods, "read")),
            &format!("lime.toml:8:12: `methods`: {problem}"),
        );
    }
    refuse(
        &format!("policy = 'open'\n{}", route("/a", "[]", "read")),
        "lime.toml:8:11: `methods = []` is for no request: name some, or leave it out for all",
    );
}

#[test]
fn a_request_finds_its_route_among_fifty_in_under_a_microsecond() {
    let routes: String = (0..50).map(|n| route(&format!("/api/v1/resources-{n}/*"), "", "read")).collect();
    let site = site(&format!("policy = 'open'\n{routes}"));
    let rounds = 10_000;
    let started = std::time::Instant::now();
    for _ in 0..rounds {
        let found = site.route(std::hint::black_box(b"/api/v1/resources-49/77/items"), &Method::GET);
        assert!(std::hint::black_box(found).route.is_some());
    }
    // Fivefold room: this runs beside other tests, and unoptimized for the most part.
    assert!(
        started.elapsed().as_nanos() / rounds < 5_000,
        "{:?} each",
        started.elapsed() / u32::try_from(rounds).unwrap()
    );
}
