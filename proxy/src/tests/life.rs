//! Starting, failing and stopping.

use std::net::TcpListener;
use std::time::Duration;

use super::client::Client;
use super::origin::Origin;
use super::rig::{Rig, shop, site};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_gateway_stops_at_once_with_connections_open() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let mut rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let mut idle = rig.client().await;
    idle.request("GET", "/", &[]).await;
    assert_eq!(idle.answer().await.status, 200);
    let silent = rig.client().await;
    let took = rig.stop().await;
    // A millisecond or two; more only where the machine is busy with something else.
    assert!(took < Duration::from_secs(1), "{took:?}");
    idle.closed().await;
    drop(silent);
    assert!(TcpListener::bind(rig.address).is_ok(), "the port is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_and_a_stream_waited_for_no_longer_than_the_grace_period() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let mut rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let mut client = rig.client().await;
    client.request("GET", "/slow", &[]).await;
    super::rig::until("it is in flight", async || origin.requests() == 1).await;
    let took = rig.stop().await;
    assert!(took > Duration::from_millis(100) && took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(client.answer().await.status, 200);
    let mut rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let mut client = rig.client().await;
    client.request("GET", "/stream", &[]).await;
    client.head().await;
    let took = rig.stop().await;
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_does_not_listen_is_named_to_the_operator_and_not_to_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rig = Rig::start(folder.path(), vec![shop(nobody)]).await;
    let answer = rig.get("/", &[]).await;
    assert_eq!((answer.status, answer.reason().as_str()), (502, "upstream_refused"));
    assert!(!answer.body.contains(&nobody.to_string()), "{}", answer.body);
    let line = &rig.lines(1).await[0];
    assert_eq!(line["note"], format!("origin refused at {nobody}: is the site running? (lime.toml:4)"));
    assert_eq!((line["status"].as_u64(), line["decision"].as_str()), (Some(502), Some("error")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_hangs_up_is_a_bad_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    let answer = rig.send("POST", "/hangup", &["Content-Length: 0"]).await;
    assert_eq!((answer.status, answer.reason().as_str()), (502, "upstream_failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_a_name_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let mut named = site("https://shop.example", origin.address);
    named.origin = config::Origin::new(format!("http://localhost:{}", origin.address.port()).parse().unwrap());
    let rig = Rig::start(folder.path(), vec![named]).await;
    for _ in 0..3 {
        assert_eq!(rig.get("/", &[]).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_address_is_a_bad_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let mut named = shop(origin.address);
    named.origin = config::Origin::new("http://nowhere.invalid:3000".parse().unwrap());
    let rig = Rig::start(folder.path(), vec![named]).await;
    let answer = rig.get("/", &[]).await;
    assert_eq!((answer.status, answer.reason().as_str()), (502, "upstream_refused"));
    let note = rig.lines(1).await[0]["note"].as_str().unwrap().to_owned();
    assert!(note.contains("nowhere.invalid:3000") && note.contains("lime.toml:4"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_served_to_those_who_ask_by_address() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let rig = Rig::start(folder.path(), vec![shop(origin.address)]).await;
    rig.get("/", &[]).await;
    rig.lines(1).await;
    for (method, path, host, status) in [
        ("GET", "/livez", "127.0.0.1:9180", 200),
        ("GET", "/readyz", "localhost", 200),
        ("HEAD", "/healthz", "[::1]", 200),
        ("GET", "/metrics", "127.0.0.1", 200),
        ("GET", "/nope", "127.0.0.1", 404),
        ("POST", "/livez", "127.0.0.1", 405),
        ("GET", "/metrics", "rebind.example", 421),
        ("GET", "/livez", "shop.example", 421),
    ] {
        assert_eq!(rig.ops(method, path, host).await.status, status, "{method} {path} {host}");
    }
    let ready = rig.ops("GET", "/readyz", "localhost").await.json();
    assert_eq!((ready["status"].as_str(), ready["sites"].as_u64()), (Some("ok"), Some(1)));
    let metrics = rig.ops("GET", "/metrics", "localhost").await.body;
    let counted = r#"lime_gateway_requests_total{decision="allow",site="https://shop.example",status_class="2xx"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert_eq!(rig.get("/livez", &[]).await.status, 200, "on the world's port it is the site's path");
    let mut client = Client::connect(rig.ops).await;
    client.write(b"GET /livez HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 421);
}
