//! HTTPS from certificate files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use config::{Certificate, Gateway as Config, Place, Server, Tls};

use http::Request;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::origin::Origin;
use super::rig::{Rig, shop};
use crate::{Error, Gateway};

/// Self-signed for `shop.example`, for these tests only.
pub(super) fn tls(key: &str) -> Tls {
    let file = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(name);
    let defined_at = Place { file: Path::new("lime.toml").into(), line: 3 };
    let certificate = Certificate { chain: file("shop.example.crt"), key: file(key), defined_at };
    Tls { listen: vec![Tls::LISTEN], certificates: vec![certificate] }
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_served_with_the_certificate_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let with_tls = |server: &mut Server| server.tls = Some(tls("shop.example.key"));
    let mut rig = Rig::start_with(folder.path(), vec![shop(origin.address)], with_tls).await;
    let address = rig.tls.unwrap();
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .resolve("shop.example", address)
        .build()
        .unwrap();
    let url = format!("https://shop.example:{}/a", address.port());
    let body = client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(body.starts_with("GET /a HTTP/1.1\r\n"), "{body}");
    assert!(body.to_lowercase().contains("x-forwarded-proto: https\r\n"), "{body}");
    let took = rig.stop().await;
    assert!(took.as_millis() < 1000, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_the_certificates_is_found_before_the_first_connection() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    for key in ["other.key", "nowhere.key", "shop.example.crt"] {
        let mut server = Server::new(folder.path().join("state"));
        server.tls = Some(tls(key));
        let refused = Gateway::prepare(Config::new(server, vec![shop(origin.address)]));
        assert!(matches!(refused, Err(Error::Certificate { .. })), "{key}: {refused:?}");
    }
}

pub(super) async fn h2(rig: &Rig) -> h2::client::SendRequest<Bytes> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&tls("").certificates[0].chain).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(rig.tls.unwrap()).await.unwrap();
    let name = "shop.example".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    client
}

async fn get(client: &h2::client::SendRequest<Bytes>, url: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let request = fields.iter().fold(Request::get(url), |request, (name, value)| request.header(*name, *value));
    let request = request.body(()).unwrap();
    let (answer, _) = client.clone().ready().await.unwrap().send_request(request, true).unwrap();
    let (head, mut body) = answer.await.unwrap().into_parts();
    let mut text = Vec::new();
    while let Some(piece) = body.data().await {
        text.extend_from_slice(&piece.unwrap());
    }
    (head.status.as_u16(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_held_to_the_same_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let with_tls = |server: &mut Server| server.tls = Some(tls("shop.example.key"));
    let mut rig = Rig::start_with(folder.path(), vec![shop(origin.address)], with_tls).await;
    let client = h2(&rig).await;
    let (status, body) = get(&client, "https://shop.example/a?b", &[("lime_agent_id", "spoofed")]).await;
    assert_eq!(status, 200);
    assert!(body.starts_with("GET /a?b HTTP/1.1\r\n") && !body.contains("spoofed"), "{body}");
    assert!(body.to_lowercase().contains("\nhost: shop.example\r\n"), "{body}");
    assert!(body.to_lowercase().contains("\nx-forwarded-host: shop.example\r\n"), "{body}");
    let (status, body) = get(&client, "https://other.example/", &[("x", "y")]).await;
    assert_eq!((status, body.contains("host_unknown")), (421, true), "{body}");
    let (status, _) = get(&client, "https://shop.example/", &[("x", &"x".repeat(40_000))]).await;
    assert_eq!(status, 431);
    assert_eq!(origin.requests(), 1);
    let took = rig.stop().await;
    assert!(took.as_millis() < 1000, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_that_came_apart_over_http_2_reach_the_origin_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await;
    let with_tls = |server: &mut Server| server.tls = Some(tls("shop.example.key"));
    let rig = Rig::start_with(folder.path(), vec![shop(origin.address)], with_tls).await;
    let cookies = [("cookie", "a=1"), ("cookie", "__Host-lime=ls1.a.b"), ("cookie", "b=2; c=3"), ("cookie", "d=4")];
    let (status, body) = get(&h2(&rig).await, "https://shop.example/", &cookies).await;
    assert_eq!(status, 200);
    let lines: Vec<_> = body.lines().filter(|line| line.to_lowercase().starts_with("cookie:")).collect();
    assert_eq!(lines.len(), 1, "{body}");
    assert!(lines[0].ends_with(": a=1; b=2; c=3; d=4"), "{body}");
}
