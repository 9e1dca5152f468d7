//! Client documents (CIMD): good ones, hostile ones, and places that nobody may send the issuer to (A14, A15).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lime_tests::http;
use lime_tests::{Certificate, TlsStub, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Client, REDIRECT, Tokens};
use super::owner::{Browser, End, FORM, Press, encoded, percent};
use super::scene::{Scene, Setup, added};

/// A page of an error must come before a person gives up.
const PATIENCE: Duration = Duration::from_secs(15);

fn document(id: &str) -> Value {
    json!({
        "client_id": id,
        "client_name": "Documented",
        "redirect_uris": ["http://127.0.0.1/callback", "https://app.example/cb"],
        "token_endpoint_auth_method": "none",
    })
}

fn reply(to: &mut dyn Write, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    write!(to, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n", body.len())?;
    to.write_all(body)
}

const JSON: &str = "Content-Type: application/json\r\n";

/// Of the key of the client at `/keyed`, and of another one.
const OWN_SEED: [u8; 32] = [7; 32];
const OTHER_SEED: [u8; 32] = [8; 32];

fn key(seed: [u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

/// What a client signs to say who it is (RFC 7523).
fn assertion(scene: &Scene, client: &Client, seed: [u8; 32], jti: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": client.id, "sub": client.id, "aud": scene.issuer.url, "exp": now + 60, "iat": now, "jti": jti,
    });
    let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA", "typ": "JWT" })), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(key(seed).sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Says what the path asks for. `port` is its own, known once it listens.
fn host(target: &str, port: u16, to: &mut dyn Write) -> io::Result<()> {
    let id = format!("https://localhost:{port}{target}");
    let with = |name: &str, value: Value| {
        let mut document = document(&id);
        document[name] = value;
        document.to_string()
    };
    match target {
        "/good" => reply(to, "200 OK", JSON, document(&id).to_string().as_bytes()),
        "/keyed" => {
            let x = URL_SAFE_NO_PAD.encode(key(OWN_SEED).public_key().as_ref());
            let mut document = document(&id);
            document["token_endpoint_auth_method"] = json!("private_key_jwt");
            document["jwks"] = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] });
            reply(to, "200 OK", JSON, document.to_string().as_bytes())
        }
        "/other-id" => reply(to, "200 OK", JSON, with("client_id", json!("https://other.example/x")).as_bytes()),
        "/no-id" => reply(to, "200 OK", JSON, with("client_id", Value::Null).as_bytes()),
        "/no-redirects" => reply(to, "200 OK", JSON, with("redirect_uris", json!([])).as_bytes()),
        "/bad-redirect" => reply(to, "200 OK", JSON, with("redirect_uris", json!(["http://evil.example/"])).as_bytes()),
        "/secret" => reply(to, "200 OK", JSON, with("client_secret", json!("s")).as_bytes()),
        "/not-json" => reply(to, "200 OK", JSON, b"<h1>hello</h1>"),
        "/redirect" => reply(to, "302 Found", "Location: /good\r\n", b""),
        "/error" => reply(to, "500 Oh", JSON, b"{}"),
        "/missing" => reply(to, "404 No", JSON, b"{}"),
        "/huge" => reply(to, "200 OK", JSON, with("client_name", json!("x".repeat(5 << 20))).as_bytes()),
        "/endless" => {
            write!(to, "HTTP/1.1 200 OK\r\n{JSON}Connection: close\r\n\r\n{{\"client_name\":\"")?;
            loop {
                to.write_all(&[b'x'; 4096])?;
            }
        }
        "/slow" => {
            write!(to, "HTTP/1.1 200 OK\r\n{JSON}Content-Length: 1000\r\n\r\n{{")?;
            to.flush()?;
            // A byte now and then: no single wait is long.
            let end = Instant::now() + Duration::from_secs(60);
            while Instant::now() < end {
                thread::park_timeout(Duration::from_millis(200));
                to.write_all(b" ")?;
                to.flush()?;
            }
            Ok(())
        }
        _ => reply(to, "200 OK", JSON, document(&id).to_string().as_bytes()),
    }
}

fn hosting() -> (Scene, TlsStub, TlsStub) {
    let folder = TempDir::new().unwrap();
    let certificate = Certificate::make(folder.path(), &["localhost", "127.0.0.1"]);
    let start = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let port = std::sync::Mutex::new((receiver, None));
        let stub = TlsStub::start(&certificate, move |target, to| {
            let port = {
                let mut port = port.lock().unwrap();
                let known = port.1.unwrap_or_else(|| port.0.recv().unwrap());
                port.1 = Some(known);
                known
            };
            host(target, port, to)
        });
        sender.send(stub.port).unwrap();
        stub
    };
    let (allowed, forbidden) = (start(), start());
    let setup = Setup { documents_at: vec![format!("localhost:{}", allowed.port)], ..Setup::default() };
    (Scene::believing(certificate.clone(), folder, setup), allowed, forbidden)
}

fn client(id: &str) -> Client {
    Client { id: id.to_owned(), redirect: REDIRECT.to_owned() }
}

/// The page that says why nobody is asked.
#[track_caller]
fn refused(scene: &Scene, id: &str) -> String {
    let began = Instant::now();
    match Browser::default().authorize(&client(id).url(scene, &[]), Press::Allow) {
        End::Page(reply) => {
            assert!(reply.status >= 400, "{id}: {} {}", reply.status, reply.text());
            assert_eq!(reply.header("location"), None, "{id}");
            assert!(began.elapsed() < PATIENCE, "{id}: {:?}", began.elapsed());
            reply.text()
        }
        End::Callback(place, query) => panic!("{id}: {place} {query:?}"),
    }
}

#[test]
fn a_client_with_a_document_needs_no_registration() {
    let (scene, host, _) = hosting();
    let client = client(&format!("https://localhost:{}/good", host.port));
    let (page, _) = Browser::default().asked(&client.url(&scene, &[]));
    assert!(page.text().contains("Documented") && page.text().contains("localhost"), "{}", page.text());
    let tokens = client.tokens(&scene, "mcp:read");
    assert_eq!(lime_tests::forge::claims_of(&tokens.access)["client_id"], client.id);
    added(&scene.add(&tokens.access));
    let newer = Tokens::of(&client.refresh(&scene, &tokens.refresh, &[]));
    added(&scene.add(&newer.access));
    let elsewhere = client.url(&scene, &[("redirect_uri", Some("https://evil.example/cb"))]);
    assert!(matches!(Browser::default().authorize(&elsewhere, Press::Allow), End::Page(_)));
}

#[test]
fn an_operator_sees_a_client_with_a_document_and_takes_from_it_what_it_has() {
    let (scene, host, _) = hosting();
    let client = client(&format!("https://localhost:{}/good", host.port));
    let listed = || scene.issuer.list(&["client", "list"]).into_iter().find(|line| line["id"] == *client.id);
    assert_eq!(listed(), None);
    let tokens = client.tokens(&scene, "mcp:read");
    let line = listed().expect("it is listed");
    assert_eq!((line["name"].as_str(), line["auth"].as_str()), (Some("Documented"), Some("document")));
    scene.issuer.operate(&["client", "remove", &client.id]);
    super::client::refused(&client.refresh(&scene, &tokens.refresh, &[]), 400, "invalid_grant");
    until("its token is refused", || scene.add(&tokens.access).status == 401);
    assert_eq!(listed(), None);
    assert_ne!(scene.issuer.try_operate(&["client", "remove", &client.id]).code, 0);
    client.tokens(&scene, "mcp:read");
}

#[test]
fn a_client_with_a_key_in_its_document_signs_with_it() {
    let (scene, host, _) = hosting();
    let at = |path: &str| client(&format!("https://localhost:{}{path}", host.port));
    let (keyed, public) = (at("/keyed"), at("/good"));
    let code = keyed.code(&scene, "mcp:read");
    const TYPE: (&str, Option<&str>) =
        ("client_assertion_type", Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    let own = assertion(&scene, &keyed, OWN_SEED, "one");
    let others = assertion(&scene, &keyed, OTHER_SEED, "two");
    super::client::refused(&keyed.redeem(&scene, &code, &[]), 401, "invalid_client");
    let showing =
        |client: &Client, assertion: &str| client.redeem(&scene, &code, &[TYPE, ("client_assertion", Some(assertion))]);
    super::client::refused(&showing(&keyed, &others), 401, "invalid_client");
    let of_public = assertion(&scene, &public, OWN_SEED, "three");
    super::client::refused(&showing(&public, &of_public), 401, "invalid_client");
    let reply = showing(&keyed, &own);
    added(&scene.add(&Tokens::of(&reply).access));
    super::client::refused(&showing(&keyed, &own), 401, "invalid_client");
    // Basic is for those who have a secret.
    let basic = STANDARD.encode(format!("{}:secret", percent(&keyed.id)));
    let request = http::request("POST", &scene.oauth("token")).header("Content-Type", FORM);
    let request = request.header("Authorization", format!("Basic {basic}"));
    let reply = request.body(encoded(&[("grant_type", "authorization_code"), ("code", &code)])).send();
    super::client::refused(&reply, 401, "invalid_client");
    assert!(reply.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Basic")), "{reply:?}");
}

#[test]
fn a_document_that_is_not_one_is_refused_each_for_its_own_reason() {
    let (scene, host, _) = hosting();
    let mut told: BTreeMap<String, &str> = BTreeMap::new();
    let paths = ["/other-id", "/no-redirects", "/not-json", "/redirect", "/error", "/huge", "/slow", "/bad-redirect"];
    let more = ["/no-id", "/secret", "/missing", "/endless"];
    for path in paths.iter().chain(&more) {
        let id = format!("https://localhost:{}{path}", host.port);
        let before = host.asked().len();
        let page = refused(&scene, &id);
        assert_eq!(host.asked().len() - before, 1, "{path}");
        // What differs between two pages beside the reason is the path, wherever it stands.
        let reason = page.replace(path.trim_start_matches('/'), "");
        let same = told.insert(reason, path).filter(|_| paths.contains(path));
        assert_eq!(same, None, "{path} is refused in the words of another");
    }
    assert!(!host.asked().iter().any(|target| target == "/good"), "a redirect was followed");
}

#[test]
fn an_error_is_not_remembered_and_a_document_is() {
    let (scene, host, _) = hosting();
    let bad = format!("https://localhost:{}/error", host.port);
    refused(&scene, &bad);
    refused(&scene, &bad);
    let count = |path: &str| host.asked().iter().filter(|target| *target == path).count();
    assert_eq!(count("/error"), 2);
    let good = client(&format!("https://localhost:{}/good", host.port));
    for _ in 0..5 {
        Browser::default().asked(&good.url(&scene, &[]));
    }
    assert_eq!(count("/good"), 1);
}

#[test]
fn a_document_that_cannot_be_had_now_is_no_reason_to_forget_a_client() {
    let (scene, host, _) = hosting();
    let at = |path: &str| client(&format!("https://localhost:{}{path}", host.port));
    let reply = at("/error").refresh(&scene, "nonsense", &[]);
    super::client::refused(&reply, 503, "temporarily_unavailable");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    super::client::refused(&at("/missing").refresh(&scene, "nonsense", &[]), 401, "invalid_client");
    for (path, status) in [("/error", 503), ("/missing", 400)] {
        match Browser::default().authorize(&at(path).url(&scene, &[]), Press::Allow) {
            End::Page(reply) => assert_eq!(reply.status, status, "{path} {}", reply.text()),
            End::Callback(place, query) => panic!("{path}: {place} {query:?}"),
        }
    }
}

#[test]
fn the_issuer_is_sent_nowhere_that_is_not_the_internet() {
    let (scene, _, forbidden) = hosting();
    let port = forbidden.port;
    let mut told = BTreeMap::new();
    for id in [
        format!("https://127.0.0.1:{port}/x"),
        // Resolves to this machine.
        format!("https://localhost:{port}/x"),
        format!("https://LOCALHOST:{port}/x"),
        format!("https://[::1]:{port}/x"),
        format!("https://[::ffff:127.0.0.1]:{port}/x"),
        format!("https://2130706433:{port}/x"),
        format!("https://0x7f000001:{port}/x"),
        format!("https://0.0.0.0:{port}/x"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/x".to_owned(),
        "https://192.168.0.1/x".to_owned(),
        "https://100.64.0.1/x".to_owned(),
        "https://[fd00::1]/x".to_owned(),
        "https://[fe80::1]/x".to_owned(),
    ] {
        told.insert(id.clone(), refused(&scene, &id));
    }
    assert_eq!(forbidden.asked(), Vec::<String>::new());
    for (id, page) in told {
        let lead = lead(&page);
        assert!(lead.contains("of the internet") || lead.contains("URL"), "{id}: {lead}");
        assert!(!page.contains("os error") && !page.contains("connect"), "{id}: how a network answers is told: {page}");
    }
}

/// The sentence on a page that says what is wrong.
#[track_caller]
fn lead(page: &str) -> &str {
    let (_, rest) = page.split_once("<p class=\"lead\">").unwrap_or_else(|| panic!("{page}"));
    rest.split("</p>").next().unwrap()
}

#[test]
fn every_hostile_document_is_refused_in_words_of_its_own() {
    let (scene, allowed, forbidden) = hosting();
    let (at, from) = (allowed.port, forbidden.port);
    let mut told = BTreeMap::new();
    for (id, words) in [
        (format!("https://127.0.0.1:{from}/x"), "127.0.0.1, which is not an address of the internet"),
        ("https://169.254.169.254/x".to_owned(), "169.254.169.254, which is not an address of the internet"),
        (format!("https://[::1]:{from}/x"), "::1, which is not an address of the internet"),
        (format!("https://localhost:{from}/x"), "its host has an address that is not one of the internet"),
        (format!("https://localhost:{at}/redirect"), "answers with a redirect (302)"),
        (format!("https://localhost:{at}/huge"), "longer than 10240 bytes"),
        (format!("https://localhost:{at}/slow"), "took longer than 5 seconds"),
        (format!("https://localhost:{at}/other-id"), "the document of another client"),
        (format!("https://localhost:{at}/not-json"), "not one JSON object"),
    ] {
        let page = refused(&scene, &id);
        assert!(lead(&page).contains(words), "{id}: {}", lead(&page));
        assert_eq!(told.insert(lead(&page).to_owned(), id), None);
    }
    assert_eq!((told.len(), forbidden.asked().len(), allowed.asked().len()), (9, 0, 5));
}

#[test]
fn an_id_that_is_no_https_url_with_a_path_is_nobody() {
    let (scene, host, _) = hosting();
    let port = host.port;
    for id in [
        format!("http://localhost:{port}/good"),
        format!("https://localhost:{port}"),
        format!("https://localhost:{port}/"),
        format!("https://localhost:{port}/good#part"),
        format!("https://user@localhost:{port}/good"),
        format!("https://localhost:{port}/x/../good"),
        format!("https://localhost:{port}/./good"),
        format!("ftp://localhost:{port}/good"),
    ] {
        refused(&scene, &id);
    }
    assert_eq!(host.asked(), Vec::<String>::new());
}

#[test]
fn many_who_ask_at_once_make_few_fetches() {
    let (scene, host, _) = hosting();
    let good = client(&format!("https://localhost:{}/good", host.port));
    let url = good.url(&scene, &[]);
    let at_once = |browser: &Browser| {
        thread::scope(|scope| {
            let running: Vec<_> = (0..20).map(|_| scope.spawn(|| browser.clone().get(&url))).collect();
            running.into_iter().map(|running| running.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let strangers = at_once(&Browser::default());
    assert!(strangers.iter().all(|page| page.status == 200 && page.text().contains("password")));
    assert_eq!(host.asked(), Vec::<String>::new(), "for strangers nothing is fetched");
    let mut owner = Browser::default();
    owner.asked(&Client::register(&scene).url(&scene, &[]));
    assert!(at_once(&owner).iter().all(|page| page.status == 200 && page.text().contains("Documented")));
    assert_eq!(host.asked().len(), 1, "for all who ask at once it is fetched once");
}
