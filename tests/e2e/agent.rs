//! `lime agent ..`: what it does for its owner, and what no site can make it do.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use lime_tests::http::Reply;
use lime_tests::{Agent, Answer, Issuer, IssuerSetup, Output, Received, Registered, Stub, forge, lime};
use serde_json::{Value, json};

/// A token that leaves its issuer is a token that is lost.
const TOKEN: &str = "at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn run(api_base: &str, token: &str, arguments: &[&str]) -> Output {
    let mut command = lime(["agent"].iter().chain(arguments));
    command.env("LIME_API_BASE", api_base).env("LIME_AGENT_TOKEN", token);
    Output::of(command)
}

fn api_base(issuer: &Stub) -> String {
    format!("{}/api/v1", issuer.url)
}

/// An issuer that gives out tokens and challenges of `difficulty` bits for `site`, and remembers what it was asked.
fn friendly_issuer(difficulty: u64, site: &str) -> Stub {
    let site = site.to_owned();
    Stub::start(move |asked| match (asked.method.as_str(), asked.target.as_str()) {
        ("POST", "/api/v1/modules/oauth/token") => {
            Answer::json(200, &json!({ "access_token": "a.b.c", "token_type": "Bearer", "expires_in": 300 }))
        }
        ("GET", _) => Answer::json(
            200,
            &json!({ "ok": true, "data": { "pow_challenge": "c", "pow_difficulty": difficulty,
                "site": { "id": "s", "name": "Site", "origin": site } } }),
        ),
        _ => Answer::json(
            200,
            &json!({ "ok": true, "data": { "request_id": "r", "site_id": "s", "status": "APPROVED",
                "expires_at": "2030-01-01T00:00:00Z" } }),
        ),
    })
}

/// A site that turns away whoever brings no credential, with `ways_in`, and answers the rest by `answer`.
fn guarded(ways_in: impl Fn(&str) -> Value, answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refusal = json!({ "reason": "passport_required", "status": 401, "ways_in": ways_in(&url) });
    Stub::listen(listener, move |asked| {
        if asked.method == "GET" && asked.header("authorization").is_none() {
            Answer::problem(401, &refusal)
        } else {
            answer(asked)
        }
    })
}

fn token_at(issuer: &str) -> Value {
    json!([{ "way": "token", "at": format!("{issuer}/api/v1/modules/oauth/token"), "body": { "domain": "bank.test" } }])
}

/// Nobody but the issuer was shown the agent's token.
#[track_caller]
fn kept_home(others: &[&Stub]) {
    for received in others.iter().flat_map(|other| other.received()) {
        assert!(!format!("{received:?}").contains("at_"), "the agent token went to a site: {received:?}");
    }
}

#[test]
fn a_page_behind_a_gateway_is_fetched_with_a_token_for_its_host() {
    let issuer = friendly_issuer(4, "");
    let ways_in = token_at(&issuer.url);
    let site = guarded(move |_| ways_in.clone(), |_| Answer::text(200, "for agents"));
    let fetched = run(&api_base(&issuer), TOKEN, &["fetch", &format!("{}/agents/list", site.url)]);
    assert_eq!((fetched.code, fetched.stdout.as_str()), (0, "for agents"), "{}", fetched.stderr);
    let asked = issuer.last();
    // The host of the URL that was typed, whatever the reply says.
    assert_eq!(serde_json::from_slice::<Value>(&asked.body).unwrap(), json!({ "domain": "127.0.0.1" }));
    assert_eq!(site.last().header("authorization"), Some("Bearer a.b.c"));
    kept_home(&[&site]);
}

#[test]
fn a_page_that_nobody_guards_is_fetched_as_it_is() {
    let issuer = friendly_issuer(4, "");
    let site = Stub::saying("hello");
    let fetched = run(&api_base(&issuer), TOKEN, &["fetch", &site.url]);
    assert_eq!((fetched.code, fetched.stdout.as_str()), (0, "hello"));
    let site = Stub::start(|_| Answer::text(401, "the site's own").with("WWW-Authenticate", "Basic realm=x"));
    let fetched = run(&api_base(&issuer), TOKEN, &["fetch", &site.url]);
    assert_eq!((fetched.code, fetched.stdout.as_str()), (1, "the site's own"));
    assert!(issuer.received().is_empty(), "a 401 of somebody else is no invitation");
    kept_home(&[&site]);
}

/// Fetches a page of `site` with an agent of `issuer`; it must end without it, for this reason.
#[track_caller]
fn turned_down(issuer: &Stub, site: &Stub, reason: &str) {
    let started = Instant::now();
    let fetched = run(&api_base(issuer), TOKEN, &["fetch", &format!("{}/agents/list", site.url)]);
    assert_eq!((fetched.code, fetched.stdout.as_str()), (1, ""), "{}", fetched.stderr);
    assert!(fetched.stderr.contains(reason), "{reason} is not in {}", fetched.stderr);
    assert!(started.elapsed() < Duration::from_secs(20), "it took {:?}", started.elapsed());
    kept_home(&[site]);
}

#[test]
fn a_site_that_names_another_issuer_gets_nothing_from_ours() {
    let (issuer, foreign) = (friendly_issuer(4, ""), friendly_issuer(4, ""));
    let ways_in = token_at(&foreign.url);
    let site = guarded(move |_| ways_in.clone(), |_| Answer::text(200, "x"));
    turned_down(&issuer, &site, "is not sent elsewhere");
    assert!(issuer.received().is_empty() && foreign.received().is_empty());
}

#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    let issuer = friendly_issuer(4, "");
    let elsewhere = Stub::saying("x");
    let (ways_in, to) = (token_at(&issuer.url), format!("{}/take", elsewhere.url));
    let site = guarded(move |_| ways_in.clone(), move |_| Answer::redirect(&to));
    turned_down(&issuer, &site, "redirected to another origin");
    let to = format!("{}/take", elsewhere.url);
    let site = Stub::start(move |_| Answer::redirect(&to));
    turned_down(&issuer, &site, "redirected to another origin");
    assert!(elsewhere.received().is_empty());
    let site = Stub::start(|_| Answer::redirect("/agents/list"));
    turned_down(&issuer, &site, "more than 10 redirects");
}

/// A site with a login at the edge that is not what it seems.
fn with_login(answer: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Stub {
    guarded(|url| json!([{ "way": "login", "at": format!("{url}/.lime/login"), "method": "POST" }]), answer)
}

fn edge_login(api_base: &str, request_id: &str, poll: &str) -> Answer {
    let body = json!({ "request_id": request_id, "api_base": api_base, "expires_at": "2030-01-01T00:00:00Z",
        "poll": poll, "secret": "s" });
    Answer::json(201, &body)
}

const REQUEST: &str = "5f1b6e0e-0000-4000-8000-000000000000";

#[test]
fn more_work_than_an_honest_issuer_asks_for_is_not_done() {
    for bits in [25, 40, 64, 1_000_000] {
        let issuer = friendly_issuer(bits, "http://nowhere.test");
        let base = api_base(&issuer);
        let at = base.clone();
        let site = with_login(move |_| edge_login(&at, REQUEST, "/.lime/login/x"));
        turned_down(&issuer, &site, "more than 24 is refused");
        let logged_in = run(&base, TOKEN, &["login", REQUEST]);
        assert_eq!(logged_in.code, 1);
        assert!(logged_in.stderr.contains("more than 24 is refused"), "{}", logged_in.stderr);
        assert!(issuer.received().iter().all(|asked| asked.method == "GET"), "nothing was approved");
    }
}

#[test]
fn a_login_of_another_site_is_not_approved() {
    let issuer = friendly_issuer(4, "https://bank.test");
    let at = api_base(&issuer);
    let site = with_login(move |_| edge_login(&at, REQUEST, "/.lime/login/x"));
    turned_down(&issuer, &site, "this login is for https://bank.test");
    assert!(issuer.received().iter().all(|asked| asked.method == "GET"), "nothing was approved");
}

#[test]
fn a_login_at_another_issuer_is_not_approved() {
    let (issuer, foreign) = (friendly_issuer(4, ""), friendly_issuer(4, ""));
    let at = api_base(&foreign);
    let site = with_login(move |_| edge_login(&at, REQUEST, "/.lime/login/x"));
    turned_down(&issuer, &site, "is not sent elsewhere");
    assert!(issuer.received().is_empty() && foreign.received().is_empty());
}

#[test]
fn a_request_id_that_is_a_path_goes_nowhere() {
    let issuer = friendly_issuer(4, "");
    let at = api_base(&issuer);
    let site = with_login(move |_| edge_login(&at, "../core/agents/me/profile?", "/.lime/login/x"));
    turned_down(&issuer, &site, "not a login request id");
    let logged_in = run(&api_base(&issuer), TOKEN, &["login", "../core/agents/me/profile?"]);
    assert_eq!(logged_in.code, 1);
    assert!(issuer.received().is_empty());
}

#[test]
fn a_session_is_asked_for_where_the_page_lies_or_nowhere() {
    let elsewhere = Stub::saying("{}");
    let poll = format!("{}/.lime/login/x", elsewhere.url);
    let issuer = friendly_issuer(4, "");
    let at = api_base(&issuer);
    let site = with_login(move |_| edge_login(&at, REQUEST, &poll));
    turned_down(&issuer, &site, "unreadable answer");
    assert!(elsewhere.received().is_empty());
}

#[test]
fn a_login_offered_at_another_origin_is_not_opened() {
    let elsewhere = Stub::saying("{}");
    let at = format!("{}/.lime/login", elsewhere.url);
    let site = guarded(move |_| json!([{ "way": "login", "at": at, "method": "POST" }]), |_| Answer::text(200, "x"));
    turned_down(&friendly_issuer(4, ""), &site, "refused with status 401");
    assert!(elsewhere.received().is_empty());
}

#[test]
fn a_401_that_is_no_problem_document_of_ours_leads_nowhere() {
    let issuer = friendly_issuer(4, "");
    for body in
        ["", "null", "[]", "{\"ways_in\":7}", "{\"ways_in\":[7]}", "{\"ways_in\":[{\"way\":\"token\",\"at\":7}]}"]
    {
        let site = Stub::start(move |_| {
            Answer::Reply(401, vec![("Content-Type".into(), "application/problem+json".into())], body.into())
        });
        turned_down(&issuer, &site, "refused with status 401");
    }
    let site = Stub::start(|_| {
        Answer::Reply(401, vec![("Content-Type".into(), "application/problem+json".into())], vec![b' '; 1 << 20])
    });
    turned_down(&issuer, &site, "unreadable answer");
    assert!(issuer.received().is_empty());
}

#[test]
fn a_site_that_never_ends_a_login_is_given_up() {
    let issuer = IssuerSetup::default().setting("login_request_ttl = \"3s\"").start();
    let owner = issuer.owner();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let registered = issuer.site(&owner, &url);
    let agent = issuer.agent(&owner, &[&registered.id]);
    let id = issuer.open_login(&registered);
    let expires_at = issuer.challenge(&id).data["expires_at"].clone();
    let opened = json!({ "request_id": id, "api_base": issuer.api_base, "expires_at": expires_at,
        "poll": "/.lime/login/x", "secret": "s" });
    let refusal = json!({ "ways_in": [{ "way": "login", "at": format!("{url}/.lime/login"), "method": "POST" }] });
    let site = Stub::listen(listener, move |asked| match (asked.method.as_str(), asked.target.as_str()) {
        ("POST", _) => Answer::json(201, &opened),
        (_, "/.lime/login/x") => Answer::json(202, &json!({ "status": "pending" })).with("Retry-After", "1"),
        _ => Answer::problem(401, &refusal),
    });
    let started = Instant::now();
    let mut command = lime(["agent", "fetch", &site.url]);
    command.env("LIME_API_BASE", &issuer.api_base).env("LIME_AGENT_TOKEN", &agent.token);
    let mut fetching = lime_tests::Process::start("lime agent fetch", command);
    assert_eq!(fetching.ended().code(), Some(1));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    lime_tests::until("it says why", || fetching.said().contains("expired"));
}

fn registered() -> (Issuer, Registered, Agent) {
    let issuer = Issuer::start();
    let owner = issuer.owner();
    let site = issuer.site(&owner, "https://shop.lime.test");
    let agent = issuer.agent(&owner, &[&site.id]);
    (issuer, site, agent)
}

#[test]
fn a_login_is_approved_by_hand() {
    let (issuer, site, agent) = registered();
    let mut stream = issuer.events(&site);
    let id = issuer.open_login(&site);
    let done = run(&issuer.api_base, &agent.token, &["login", &id]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains(&site.id), "{}", done.stdout);
    assert!(done.stderr.contains("https://shop.lime.test"), "it says whose login it solves: {}", done.stderr);
    assert_eq!(forge::claims_of(&stream.passport(&id))["sub"], agent.id.as_str());
}

#[test]
fn a_login_relayed_from_another_site_is_refused_at_the_issuer_too() {
    let (issuer, _, agent) = registered();
    let victim = issuer.site(&issuer.owner(), "https://bank.test");
    let id = issuer.open_login(&victim);
    let reply: Reply = issuer.log_in(&id, &agent);
    assert_eq!((reply.status, reply.code().as_str()), (403, "SITE_NOT_ALLOWED"));
    let done = run(&issuer.api_base, &agent.token, &["login", &id]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("SITE_NOT_ALLOWED"), "{}", done.stderr);
    assert_eq!(issuer.challenge(&id).data["status"], "PENDING");
}

#[test]
fn a_token_is_printed_alone_or_as_a_header() {
    let (issuer, _, agent) = registered();
    let token = run(&issuer.api_base, &agent.token, &["token", "shop.lime.test"]);
    assert_eq!(forge::claims_of(token.stdout.trim())["domain"], "shop.lime.test");
    let header = run(&issuer.api_base, &agent.token, &["token", "shop.lime.test", "--header"]);
    assert!(header.stdout.starts_with("Authorization: Bearer ey"), "{}", header.stdout);
    let refused = run(&issuer.api_base, &agent.token, &["token", "127.0.0.1"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("invalid_target"), "{}", refused.stderr);
}

#[test]
fn what_is_missing_on_the_command_line_is_said() {
    for (arguments, words) in [
        (&["token", "shop.test"][..], "LIME_API_BASE"),
        (&["token", "shop.test", "--api-base", "https://id.test/api/v1"], "LIME_AGENT_TOKEN"),
        (&["token", "shop.test", "--api-base", "id.test"], "id.test"),
    ] {
        let output = Output::of(lime(["agent"].iter().chain(arguments)));
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{words} is not in {}", output.stderr);
    }
}
