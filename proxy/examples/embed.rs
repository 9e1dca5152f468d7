//! A Pingora proxy of one's own that becomes a gateway by calling the gate from its callbacks. It takes requests at the
//! address of its first argument and sends them where the first site of `lime.toml` is.
//!
//! `cargo run -p lime-proxy --example embed -- 127.0.0.1:8000 lime.toml`

use std::{env, error::Error, path::Path};

use async_trait::async_trait;
use lime_proxy::{Context, Gate, Gateway};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::{HttpPeer, Opt, Server, http_proxy_service};
use pingora::proxy::{ProxyHttp, Session};

struct Mine {
    gate: Gate,
    origin: String,
}

#[async_trait]
impl ProxyHttp for Mine {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        self.gate.new_context()
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<()> {
        self.gate.early_request_filter(session, ctx);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<bool> {
        self.gate.request_filter(session, ctx).await
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(&*self.origin, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        s: &mut Session,
        r: &mut RequestHeader,
        c: &mut Context,
    ) -> pingora::Result<()> {
        self.gate.upstream_request_filter(s, r, c)
    }

    async fn response_filter(&self, s: &mut Session, r: &mut ResponseHeader, c: &mut Context) -> pingora::Result<()> {
        self.gate.response_filter(s, r, c).await
    }

    async fn logging(&self, session: &mut Session, _: Option<&pingora::Error>, ctx: &mut Context) {
        self.gate.logging(session, ctx);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (listen, file) = (env::args().nth(1).ok_or("LISTEN")?, env::args().nth(2).ok_or("FILE")?);
    let config = config::Gateway::load(Path::new(&file), &|name| env::var(name).ok())?;
    let origin = config.sites.iter().flat_map(|site| &site.origin.targets).next().ok_or("no site")?.address();
    let gateway = Gateway::prepare(config)?;
    let gate = gateway.gate();
    // Keys and revocations are followed on a runtime of their own.
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.spawn(gateway.keep_up_to_date(|| {}));
    let mut server = Server::new(Some(Opt::default()))?;
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Mine { gate, origin });
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever()
}
