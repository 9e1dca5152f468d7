//! What most tests of the gateway begin with: an issuer, a site behind a gateway, an agent that may log in there.

use std::fs;
use std::time::Duration;

use lime_tests::http::{self, Reply, Request};
use lime_tests::{Agent, Gateway, Issuer, Registered, within};
use serde_json::Value;

/// The host of every gateway here, and so the domain of its tokens.
pub(crate) const DOMAIN: &str = "127.0.0.1";

pub(crate) struct Scene {
    pub(crate) issuer: Issuer,
    pub(crate) owner: String,
    pub(crate) site: Registered,
    pub(crate) agent: Agent,
    pub(crate) gateway: Gateway,
}

/// A login that was opened at the edge.
pub(crate) struct EdgeLogin {
    pub(crate) id: String,
    pub(crate) poll: String,
    pub(crate) secret: String,
    pub(crate) opened: Value,
}

impl Scene {
    /// `origin` behind a gateway that protects `/agents/*` and takes tokens and logins.
    pub(crate) fn new(origin: &str) -> Self {
        Self::with(Issuer::start(), origin, "")
    }

    /// The same, with lines added to the site's configuration. A `[server]` table may follow them.
    pub(crate) fn with(issuer: Issuer, origin: &str, settings: &str) -> Self {
        let owner = issuer.owner();
        let mut site = None;
        let gateway = Gateway::start(|url, folder| {
            let registered = issuer.site(&owner, url);
            fs::write(folder.join("site.token"), &registered.token).unwrap();
            site = Some(registered);
            let issuer = &issuer.url;
            format!(
                "[[site]]\nurl = \"{url}\"\norigin = \"{origin}\"\nmode = \"enforce\"\nprotect = [\"/agents/*\"]\n\
                 issuer = \"{issuer}\"\ncredential = {{ file = \"site.token\" }}\nlogin = \"edge\"\n{settings}"
            )
        });
        let site = site.unwrap();
        let agent = issuer.agent(&owner, &[&site.id]);
        Self { issuer, owner, site, agent, gateway }
    }

    /// A token of the agent for the site.
    pub(crate) fn token(&self) -> String {
        self.issuer.token(&self.agent, DOMAIN)
    }

    /// Asks for a protected page.
    pub(crate) fn protected(&self) -> Request {
        self.gateway.get("/agents/list.txt")
    }

    /// Opens a login at the edge.
    #[track_caller]
    pub(crate) fn open_login(&self) -> EdgeLogin {
        let reply = self.post_login();
        assert_eq!(reply.status, 201, "{}", reply.text());
        let opened = reply.json();
        let text = |name: &str| opened[name].as_str().unwrap().to_owned();
        EdgeLogin { id: text("request_id"), poll: text("poll"), secret: text("secret"), opened }
    }

    pub(crate) fn post_login(&self) -> Reply {
        http::request("POST", &format!("{}/.lime/login", self.gateway.url)).send()
    }

    /// Asks for the outcome of a login at the edge.
    pub(crate) fn poll(&self, login: &EdgeLogin) -> Reply {
        self.gateway.get(&login.poll).bearer(&login.secret).send()
    }

    /// Asks for the outcome of a login until there is one.
    #[track_caller]
    pub(crate) fn outcome(&self, login: &EdgeLogin) -> Reply {
        within(Duration::from_secs(10), "an outcome of the login", || {
            Some(self.poll(login)).filter(|reply| reply.status != 202)
        })
    }

    /// A session of the agent at the site.
    #[track_caller]
    pub(crate) fn session(&self) -> String {
        let login = self.open_login();
        let approved = self.issuer.log_in(&login.id, &self.agent);
        assert_eq!(approved.status, 200, "{}", approved.text());
        let outcome = self.outcome(&login);
        assert_eq!(outcome.status, 200, "{}", outcome.text());
        outcome.json()["session"].as_str().unwrap().to_owned()
    }
}

/// Status and reason of an answer.
#[track_caller]
pub(crate) fn refused(reply: &Reply, status: u16, reason: &str) {
    assert_eq!((reply.status, reply.reason().as_str()), (status, reason), "{:?} {}", reply.headers, reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}
