//! The gate in somebody else's proxy.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use config::{Gateway as Config, McpEndpoint, Server, Site, Unlisted};
use filters::Reason;
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::HttpPeer;
use pingora::proxy::{FailToProxy, ProxyHttp, Session, http_proxy_service};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use tokio::sync::{oneshot, watch};

use super::client::Client;
use super::issuer::Issuer;
use super::origin::Origin;
use super::rig::guarded;
use crate::{Context, Gate, Gateway};

/// A proxy of somebody's own; whether it lets messages be judged is its gate's to say.
struct Theirs {
    gate: Gate,
    origin: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        self.gate.new_context()
    }

    async fn early_request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<()> {
        self.gate.early_request_filter(session, context);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        self.gate.request_filter(session, context).await
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.origin, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.upstream_request_filter(session, upstream, context)?;
        let timeout = session.get_read_timeout().unwrap().as_secs();
        upstream.insert_header("X-Read-Timeout", timeout.to_string())?;
        upstream.insert_header("X-Theirs", "1")
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.request_body_filter(session, body, end_of_stream, context).await
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &pingora::Error, context: &mut Context) -> FailToProxy {
        let note = error.etype().as_str().to_owned();
        let error_code = self.gate.fail_to_proxy(session, context, Some(Reason::UpstreamFailed), note).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.response_filter(session, response, context).await
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<std::time::Duration>> {
        self.gate.response_body_filter(body, end_of_stream, context).map(|()| None)
    }

    async fn logging(&self, session: &mut Session, _: Option<&pingora::Error>, context: &mut Context) {
        self.gate.logging(session, context);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_proxy_becomes_a_gateway_by_calling_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, issuer) = (Origin::start().await, Issuer::start().await);
    let server = Server::new(folder.path().join("state"));
    let site = guarded(origin.address, issuer.address);
    let mut endpoint = McpEndpoint::new(&site.url, "/mcp".parse().unwrap(), site.defined_at.clone());
    endpoint.unlisted = Unlisted::Deny;
    let sites = vec![Site { mcp: vec![Arc::new(endpoint)], ..site }];
    let gateway = Gateway::prepare_with_log(Config::new(server, sites), std::io::sink()).unwrap();
    let gate = gateway.gate();
    let (ready, is_ready) = oneshot::channel();
    tokio::spawn(gateway.keep_up_to_date(move || ready.send(()).unwrap()));
    is_ready.await.unwrap();
    let (_shutdown, is_shutdown) = watch::channel(false);
    let serve = |gate| serve(Theirs { gate, origin: origin.address }, is_shutdown.clone());
    let address = serve(gate.clone().judging_messages());

    let mut client = Client::connect(address).await;
    client.request("GET", "/agents/x", &[]).await;
    assert_eq!(client.answer().await.status, 401);
    client.request("GET", "/agents/x", &[&issuer.bearer("agent-1")]).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("X-Theirs: 1") && answer.body.contains("agent-1"), "{}", answer.body);

    let upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
    for (fields, seconds) in [(&[][..], 60), (&upgrade[..], 310), (&[][..], 60)] {
        client.request("GET", "/plain", fields).await;
        let answer = client.answer().await;
        assert!(answer.body.contains(&format!("X-Read-Timeout: {seconds}\r\n")), "{fields:?}: {}", answer.body);
    }

    // Messages of an MCP endpoint, one that is long and one that does not say how long it is.
    let message = |method: &str| {
        let filling = "x".repeat(100_000);
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"x":"{filling}"}}}}"#)
    };
    for (method, is_let_in) in [("ping", true), ("x/y", false)] {
        let body = message(method);
        for (framing, wire) in [
            (format!("Content-Length: {}", body.len()), body.clone()),
            ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())),
        ] {
            let mut client = Client::connect(address).await;
            let fields = ["Content-Type: application/json", &framing, &issuer.bearer("agent-1")];
            client.request("POST", "/mcp", &fields).await;
            client.write(wire.as_bytes()).await;
            let answer = client.answer().await;
            assert_eq!(answer.status, 200, "{method} {framing}");
            assert_eq!(answer.body.contains(&body), is_let_in, "{method} {framing}");
            assert_eq!(answer.body.contains("Method not found"), !is_let_in, "{method} {framing}");
        }
    }

    // A proxy that does not say that it lets messages be judged gets none through.
    let mut client = Client::connect(serve(gate)).await;
    let fields = ["Content-Type: application/json", "Content-Length: 2", &issuer.bearer("agent-1")];
    client.request("POST", "/mcp", &fields).await;
    client.write(b"{}").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("message_unseen"), "{}", answer.body);
}

/// Where a proxy of somebody's own listens from now on.
fn serve(theirs: Theirs, is_shutdown: watch::Receiver<bool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let mut service = http_proxy_service(&Arc::new(ServerConf::default()), theirs);
    service.add_tcp(&address.to_string());
    let mut fds = Fds::new();
    fds.add(address.to_string(), listener.into_raw_fd());
    tokio::spawn(async move { service.start_service(Some(Arc::new(Mutex::new(fds))), is_shutdown, 1).await });
    address
}
