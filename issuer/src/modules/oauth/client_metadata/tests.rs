//! Real documents over real TLS on loopback, which has to be allowed for that.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::document::DocumentAuth;
use super::*;

mod server;

use server::{Server, certificate};

/// Documents of a server, which may be fetched.
fn allowed(server: &Server) -> ClientDocuments {
    documents(&[&format!("127.0.0.1:{}", server.port)], Some(certificate()))
}

fn documents(allow: &[&str], ca: Option<PathBuf>) -> ClientDocuments {
    server::install_provider();
    let allow = allow.iter().map(|host| host.parse().unwrap()).collect();
    ClientDocuments::new(&config::ClientDocuments { allow, ca }).unwrap()
}

fn id_at(server: &Server) -> String {
    format!("https://127.0.0.1:{}/client.json", server.port)
}

fn document(client_id: &str) -> Value {
    json!({ "client_id": client_id, "client_name": "Notes", "redirect_uris": ["http://127.0.0.1/cb"] })
}

/// A whole answer with this body.
fn answer(headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn good(server: &Server, headers: &str) -> String {
    answer(headers, &document(&id_at(server)).to_string())
}

#[tokio::test]
async fn a_client_is_found_by_its_url() {
    let server = Server::start().await;
    server.says(good(&server, ""));
    let found = allowed(&server).find(&id_at(&server)).await.unwrap();
    assert_eq!((found.client_id.as_str(), found.name.as_str()), (id_at(&server).as_str(), "Notes"));
    let head = server.asked();
    assert!(head.starts_with("GET /client.json HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("\r\naccept: application/json\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("accept-encoding"), "{head}");
}

#[tokio::test]
async fn a_document_is_kept_as_it_says() {
    for (headers, fresh, over) in [
        ("", 299, 300),
        ("Cache-Control: max-age=60\r\n", 59, 60),
        ("Cache-Control: max-age=10000000\r\n", 86_399, 86_400),
        ("Cache-Control: no-cache\r\n", 0, 0),
        ("Cache-Control: no-store\r\n", 0, 0),
    ] {
        let server = Server::start().await;
        server.says(good(&server, headers));
        let (documents, now) = (allowed(&server), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        documents.find_at(&id_at(&server), now).await.unwrap();
        if fresh > 0 {
            documents.find_at(&id_at(&server), after(fresh)).await.unwrap();
        }
        assert_eq!(server.requests(), 1, "{headers}");
        documents.find_at(&id_at(&server), after(over)).await.unwrap();
        assert_eq!(server.requests(), 2, "{headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_ask_at_once_share_one_fetch() {
    let server = Server::start().await;
    server.says(good(&server, "Cache-Control: no-store\r\n"));
    let (documents, id) = (Arc::new(allowed(&server)), id_at(&server));
    let gate = server.hold().await;
    let finds: Vec<_> = (0..50)
        .map(|_| {
            let (documents, id) = (Arc::clone(&documents), id.clone());
            tokio::spawn(async move { documents.find(&id).await })
        })
        .collect();
    while documents.documents.waiting(&id) < 50 {
        tokio::task::yield_now().await;
    }
    drop(gate);
    for find in finds {
        find.await.unwrap().unwrap();
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn every_hostile_answer_has_its_refusal_and_is_never_kept() {
    let server = Server::start().await;
    let id = id_at(&server);
    let mut other = document(&id);
    other["client_id"] = json!(format!("{id}x"));
    let mut nameless = document(&id);
    nameless["client_name"] = Value::Null;
    let long = "x".repeat(5 * 1024 * 1024);
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let redirect = |status: u16| {
        (
            format!("HTTP/1.1 {status} X\r\nLocation: {id}\r\nContent-Length: 0\r\n\r\n"),
            DocumentRefusal::Redirect(status),
        )
    };
    let status =
        |status: u16| (format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"), DocumentRefusal::Status(status));
    let typed = |kind: &str| good(&server, "").replace("application/json", kind);
    for (text, refusal) in [
        redirect(301),
        redirect(302),
        redirect(307),
        redirect(308),
        status(201),
        status(204),
        status(404),
        status(429),
        status(500),
        (answer("", &long), DocumentRefusal::TooLarge(10_240)),
        (format!("{chunked}500000\r\n{long}\r\n0\r\n\r\n"), DocumentRefusal::TooLarge(10_240)),
        (answer("", &" ".repeat(10_241)), DocumentRefusal::TooLarge(10_240)),
        (answer("", &" ".repeat(10_240)), DocumentRefusal::NotJson),
        (answer("", "<html>"), DocumentRefusal::NotJson),
        (answer("", "[]"), DocumentRefusal::NotJson),
        (answer("", &other.to_string()), DocumentRefusal::OtherClient),
        (answer("", &nameless.to_string()), DocumentRefusal::Missing("client_name")),
        (typed("text/html"), DocumentRefusal::NotJsonType),
        (typed("text/json"), DocumentRefusal::NotJsonType),
        (good(&server, "").replace("Content-Type", "X-Type"), DocumentRefusal::NotJsonType),
        (answer("", "{}").replace("Length: 2", "Length: 9"), DocumentRefusal::Unreachable),
        ("nonsense\r\n\r\n".to_owned(), DocumentRefusal::Unreachable),
    ] {
        let documents = allowed(&server);
        server.says(text);
        let before = server.requests();
        assert_eq!(documents.find(&id).await.unwrap_err(), refusal);
        assert_eq!(server.requests() - before, 1, "{refusal}");
        server.says(typed("application/vnd.client+json; charset=utf-8"));
        documents.find(&id).await.unwrap();
        assert_eq!(server.requests() - before, 2, "{refusal}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_given_up_after_five_seconds() {
    let server = Server::start().await;
    let documents = allowed(&server);
    server.says(good(&server, ""));
    let gate = server.hold().await;
    let began = Instant::now();
    assert_eq!(documents.find(&id_at(&server)).await.unwrap_err(), DocumentRefusal::TooSlow);
    assert!((5..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    drop(gate);
    documents.find(&id_at(&server)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_of_the_internet() {
    let server = Server::start().await;
    server.says(good(&server, ""));
    let port = server.port;
    let documents = documents(&[], Some(certificate()));
    for address in ["127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1", "0.0.0.0", "[fd00::1]", "[::ffff:7f00:1]"] {
        let refusal = documents.find(&format!("https://{address}:{port}/client.json")).await.unwrap_err();
        let address = address.trim_matches(['[', ']']).parse().unwrap();
        assert_eq!(refusal, DocumentRefusal::AddressNotPublic(address));
    }
    let refusal = documents.find(&format!("https://localhost:{port}/client.json")).await.unwrap_err();
    assert_eq!(refusal, DocumentRefusal::HostNotPublic);
    let refusal = documents.find("https://nowhere.invalid/client.json").await.unwrap_err();
    assert_eq!(refusal, DocumentRefusal::HostUnknown);
    assert_eq!((server.requests(), server.connections()), (0, 0));
}

#[tokio::test]
async fn a_host_is_allowed_as_it_is_named_and_with_its_port() {
    let server = Server::start().await;
    let id = format!("https://localhost:{}/client.json", server.port);
    server.says(answer("", &document(&id).to_string()));
    let documents = documents(&[&format!("localhost:{}", server.port), "127.0.0.1:1"], Some(certificate()));
    documents.find(&id).await.unwrap();
    let refusal = documents.find(&id_at(&server)).await.unwrap_err();
    assert_eq!(refusal, DocumentRefusal::AddressNotPublic("127.0.0.1".parse().unwrap()));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_host_without_a_certificate_that_counts_is_not_asked() {
    let server = Server::start().await;
    server.says(good(&server, ""));
    let documents = documents(&[&format!("127.0.0.1:{}", server.port)], None);
    assert_eq!(documents.find(&id_at(&server)).await.unwrap_err(), DocumentRefusal::Unreachable);
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn the_last_good_document_counts_through_an_outage_of_a_day() {
    let server = Server::start().await;
    server.says(good(&server, ""));
    let (documents, id, now) = (allowed(&server), id_at(&server), Instant::now());
    let after = |seconds| now + Duration::from_secs(seconds);
    documents.find_at(&id, now).await.unwrap();
    server.says("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n".to_owned());
    documents.find_at(&id, after(300)).await.unwrap();
    documents.find_at(&id, after(359)).await.unwrap();
    assert_eq!(server.requests(), 2, "a host that failed is left alone for a minute");
    documents.find_at(&id, after(86_399)).await.unwrap();
    assert_eq!(documents.find_at(&id, after(86_400)).await.unwrap_err(), DocumentRefusal::Status(503));
}

#[tokio::test]
async fn a_document_that_was_taken_back_is_forgotten() {
    let server = Server::start().await;
    server.says(good(&server, ""));
    let (documents, id, now) = (allowed(&server), id_at(&server), Instant::now());
    documents.find_at(&id, now).await.unwrap();
    let later = now + Duration::from_mins(5);
    server.says("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert_eq!(documents.find_at(&id, later).await.unwrap_err(), DocumentRefusal::Status(404));
    server.says("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert_eq!(documents.find_at(&id, later).await.unwrap_err(), DocumentRefusal::Status(503));
}

#[tokio::test]
async fn a_host_is_not_asked_more_often_than_a_minute_allows() {
    let server = Server::start().await;
    let (documents, id, now) = (allowed(&server), id_at(&server), Instant::now());
    server.says("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned());
    for _ in 0..30 {
        assert_eq!(documents.find_at(&id, now).await.unwrap_err(), DocumentRefusal::Status(404));
    }
    assert_eq!(documents.find_at(&id, now).await.unwrap_err(), DocumentRefusal::Busy);
    assert_eq!(server.requests(), 30);
}

#[tokio::test]
async fn keys_beside_a_document_are_fetched_under_the_same_guard_and_kept_for_minutes() {
    let server = Server::start().await;
    let (documents, id, now) = (allowed(&server), id_at(&server), Instant::now());
    let keys = |at: &str| {
        let mut document = document(&id);
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["jwks_uri"] = json!(at);
        answer("Cache-Control: no-store\r\n", &document.to_string())
    };
    let found = async |at: &str| {
        server.says(keys(at));
        let DocumentAuth::PrivateKeyJwt(keys) = documents.find(&id).await.unwrap().auth.clone() else {
            panic!("no keys")
        };
        keys
    };
    let inside = found("https://169.254.169.254/jwks.json").await;
    let refusal = documents.keys(&inside).await.unwrap_err();
    assert_eq!(refusal, DocumentRefusal::AddressNotPublic("169.254.169.254".parse().unwrap()));

    let beside = found(&format!("https://127.0.0.1:{}/jwks.json", server.port)).await;
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let private = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" }] });
    for (text, refusal) in [
        (private.to_string(), DocumentRefusal::Secret("jwks")),
        (json!({ "keys": [] }).to_string(), DocumentRefusal::Keys),
        ("x".repeat(65_537), DocumentRefusal::TooLarge(65_536)),
    ] {
        server.says(answer("", &text));
        assert_eq!(documents.keys_at(&beside, now).await.unwrap_err(), refusal);
    }
    server.says(answer("Cache-Control: max-age=86400\r\n", &json!({ "keys": [key] }).to_string()));
    let before = server.requests();
    documents.keys_at(&beside, now).await.unwrap();
    documents.keys_at(&beside, now + Duration::from_secs(299)).await.unwrap();
    assert_eq!(server.requests() - before, 1);
    documents.keys_at(&beside, now + Duration::from_mins(5)).await.unwrap();
    assert_eq!(server.requests() - before, 2);
}

#[test]
fn authorities_that_cannot_be_read_are_found_at_the_start() {
    server::install_provider();
    let key = certificate().with_extension("key");
    for path in [PathBuf::from("/nowhere.pem"), key] {
        let config = config::ClientDocuments { allow: Vec::new(), ca: Some(path) };
        assert!(matches!(ClientDocuments::new(&config), Err(Error::Authorities { .. })));
    }
}

#[test]
fn a_client_id_is_a_url_or_it_is_not() {
    for (client_id, expected) in [("https://app.example/c", true), ("http://app.example/c", true), ("c1", false)] {
        assert_eq!(ClientDocuments::is_one(client_id), expected, "{client_id}");
    }
}
