//! An issuer that does as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use passport::{
    AccessToken, Audience, LoginPassport, OwnerLevel, Passport as _, PassportVersion, ResourceToken, SigningKey,
    jwks_document,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::client::{fill, read_head};
use crate::clock::now;

/// Two keys, made once: making one takes a moment.
pub(crate) fn key(index: usize) -> &'static SigningKey {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..2).map(|_| SigningKey::generate().unwrap()).collect())[index]
}

#[derive(Clone)]
pub(super) struct Issuer {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<String>,
    accepting: Arc<Mutex<Option<JoinHandle<()>>>>,
}

struct State {
    keys: Vec<usize>,
    manner: Manner,
    jwks_asked: usize,
    logins_asked: usize,
    rows: Vec<Value>,
    /// Answers 410 to positions before this one.
    floor: usize,
    max_age: u64,
}

/// How it answers when asked for its keys or for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Well,
    Failing,
    Hanging,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            keys: vec![0],
            manner: Manner::Well,
            jwks_asked: 0,
            logins_asked: 0,
            rows: Vec::new(),
            floor: 0,
            max_age: 300,
        };
        let issuer = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(state)),
            events: broadcast::channel(64).0,
            accepting: Arc::default(),
        };
        let task = tokio::spawn(issuer.clone().accept(listener));
        *issuer.accepting.lock() = Some(task);
        issuer
    }

    async fn accept(self, listener: TcpListener) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(self.clone().serve(stream));
        }
    }

    /// Closes its port and every connection.
    pub(super) async fn stop(&self) {
        let task = self.accepting.lock().take();
        if let Some(task) = task {
            task.abort();
            task.await.unwrap_err();
        }
    }

    pub(super) async fn start_again(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let task = tokio::spawn(self.clone().accept(listener));
        *self.accepting.lock() = Some(task);
    }

    pub(super) fn set_manner(&self, manner: Manner) {
        self.state.lock().manner = manner;
    }

    pub(super) fn publish(&self, keys: &[usize]) {
        self.state.lock().keys = keys.to_vec();
    }

    pub(super) fn set_max_age(&self, seconds: u64) {
        self.state.lock().max_age = seconds;
    }

    pub(super) fn jwks_asked(&self) -> usize {
        self.state.lock().jwks_asked
    }

    pub(super) fn logins_asked(&self) -> usize {
        self.state.lock().logins_asked
    }

    /// Adds a row to the log, and tells those who listen.
    pub(super) fn revoke(&self, kind: &str, id: &str, suspended: bool) {
        let row = {
            let mut state = self.state.lock();
            let seq = state.rows.len() + 1;
            let row =
                json!({ "seq": seq, "kind": kind, "id": id, "not_before": now().as_secs(), "suspended": suspended });
            state.rows.push(row.clone());
            row
        };
        let mut event = row;
        event["type"] = json!("revocation");
        self.say(&event);
    }

    pub(super) fn forget_rows_before(&self, position: usize) {
        self.state.lock().floor = position;
    }

    /// As from a backup that was made after so many rows.
    pub(super) fn set_back(&self, rows: usize) {
        self.state.lock().rows.truncate(rows);
    }

    pub(super) fn say(&self, event: &Value) {
        // Nobody may be listening.
        self.events.send(format!("data: {event}\n\n")).unwrap_or_default();
    }

    /// An access token of `agent` for `shop.example`.
    pub(super) fn token(&self, agent: &str, signed_by: usize) -> String {
        let now = now();
        let token = AccessToken {
            iss: self.url(),
            aud: AccessToken::audience(),
            sub: agent.parse().unwrap(),
            iat: now,
            exp: now.plus(Duration::from_secs(300)),
            nbf: None,
            jti: "jti-1".parse().unwrap(),
            domain: "shop.example".to_owned(),
            owner: Some("owner-1".parse().unwrap()),
            owner_level: OwnerLevel::new(2),
            scope: None,
        };
        key(signed_by).sign(&token).unwrap()
    }

    /// What an OAuth client holds for a resource.
    pub(super) fn resource_bearer(&self, resource: &str, scope: &str, lives: Duration) -> String {
        let now = now();
        let token = ResourceToken {
            iss: self.url(),
            aud: Audience::One(resource.to_owned()),
            sub: "agent-1".parse().unwrap(),
            iat: now,
            exp: now.plus(lives),
            nbf: None,
            jti: "jti-1".parse().unwrap(),
            client_id: "client-1".to_owned(),
            scope: Some(scope.to_owned()),
            owner: "owner-1".parse().unwrap(),
            owner_level: OwnerLevel::new(2),
        };
        format!("Authorization: Bearer {}", key(0).sign(&token).unwrap())
    }

    pub(super) fn bearer(&self, agent: &str) -> String {
        format!("Authorization: Bearer {}", self.token(agent, 0))
    }

    /// What an agent's approval makes it say.
    pub(super) fn approve(&self, request: &str, site: &str, agent: &str, signed_by: usize) {
        let now = now();
        let passport = LoginPassport {
            iss: self.url(),
            aud: LoginPassport::audience(),
            sub: agent.parse().unwrap(),
            iat: now,
            exp: now.plus(Duration::from_secs(120)),
            nbf: None,
            jti: format!("jti-{request}").parse().unwrap(),
            request_id: request.parse().unwrap(),
            site_id: site.parse().unwrap(),
            user_id: "owner-1".parse().unwrap(),
            user_kyc_level: OwnerLevel::new(1),
            passport_version: PassportVersion,
        };
        let jwt = key(signed_by).sign(&passport).unwrap();
        self.say(&json!({
            "type": "approved", "login_request_id": request, "site_id": site, "agent_passport_jwt": jwt,
        }));
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn serve(self, mut stream: TcpStream) -> Option<()> {
        let mut unread = Vec::new();
        loop {
            let head = read_head(&mut stream, &mut unread).await?;
            let mut words = head.split(' ');
            let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
            if let Some((_, length)) = head.split_once("content-length: ") {
                let length: usize = length.lines().next()?.parse().ok()?;
                while unread.len() < length {
                    fill(&mut stream, &mut unread).await?;
                }
                unread.drain(..length);
            }
            let path = target.strip_prefix("/api/v1")?;
            if path == "/modules/gateway/events" && head.contains("x-site-token: bad") {
                let body = r#"{"ok":false,"error":{"code":"SITE_TOKEN_INVALID"}}"#;
                let answer = format!("HTTP/1.1 401 X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.ok()?;
                continue;
            }
            if path == "/modules/gateway/events" {
                return self.stream(stream).await;
            }
            let (status, body, more) = self.answer(&method, path).await;
            let answer = format!("HTTP/1.1 {status} X\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    async fn answer(&self, method: &str, path: &str) -> (u16, String, String) {
        let manner = self.state.lock().manner;
        let ok = |data: Value| (200, json!({ "ok": true, "data": data }).to_string(), String::new());
        match (method, path.split('?').next().unwrap()) {
            ("GET", "/core/.well-known/jwks.json") => {
                self.state.lock().jwks_asked += 1;
                misbehave(manner).await;
                if manner == Manner::Failing {
                    return (500, "no".to_owned(), String::new());
                }
                let state = self.state.lock();
                let more = format!("Cache-Control: public, max-age={}\r\n", state.max_age);
                (200, jwks_document(state.keys.iter().map(|index| key(*index).jwk())), more)
            }
            ("GET", "/modules/gateway/sites") => ok(json!({ "sites": [
                { "site_id": "site-0", "name": "Other", "origin": "https://other.example" },
                { "site_id": "site-1", "name": "Shop", "origin": "https://shop.example" },
            ]})),
            ("GET", "/modules/gateway/revocations") => self.log(path),
            ("POST", "/modules/agent-login/requests") => {
                let count = {
                    let mut state = self.state.lock();
                    state.logins_asked += 1;
                    state.logins_asked
                };
                misbehave(manner).await;
                if manner == Manner::Failing {
                    return (
                        403,
                        json!({ "ok": false, "error": { "code": "SITE_SUSPENDED" } }).to_string(),
                        String::new(),
                    );
                }
                let expires_at = crate::clock::Timestamp::from(now().plus(Duration::from_secs(300))).to_string();
                let data = json!({ "login_request_id": format!("request-{count}"), "status": "PENDING", "expires_at": expires_at });
                (201, json!({ "ok": true, "data": data }).to_string(), String::new())
            }
            _ => (404, json!({ "ok": false, "error": { "code": "NOT_FOUND" } }).to_string(), String::new()),
        }
    }

    fn log(&self, path: &str) -> (u16, String, String) {
        let state = self.state.lock();
        let after: usize = path.split_once("after=").map_or(0, |(_, seq)| seq.parse().unwrap());
        if path.contains("after=") && (after < state.floor || after > state.rows.len()) {
            let gone = json!({ "ok": false, "error": { "code": "REVOCATIONS_GONE" } });
            return (410, gone.to_string(), String::new());
        }
        // Two a page, so that a gateway has to ask again.
        let page: Vec<Value> = state.rows.iter().skip(after).take(2).cloned().collect();
        let seq = after + page.len();
        let data = json!({ "revocations": page, "seq": seq, "more": seq < state.rows.len() });
        (200, json!({ "ok": true, "data": data }).to_string(), String::new())
    }

    async fn stream(self, mut stream: TcpStream) -> Option<()> {
        let mut events = self.events.subscribe();
        let seq = self.state.lock().rows.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{head}data: {{\"type\":\"position\",\"seq\":{seq}}}\n\n").as_bytes()).await.ok()?;
        let mut unread = Vec::new();
        loop {
            tokio::select! {
                event = events.recv() => stream.write_all(event.ok()?.as_bytes()).await.ok()?,
                gone = fill(&mut stream, &mut unread) => gone?,
            }
        }
    }
}

async fn misbehave(manner: Manner) {
    if manner == Manner::Hanging {
        std::future::pending::<()>().await;
    }
}
