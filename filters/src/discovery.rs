//! How agents get in at a site, before they are refused: `/.well-known/lime` for programs. The same in words is the Markdown
//! of [`help`](crate::help), which `/.lime/auth.md` serves to whoever asks.
//!
//! Which paths are protected is not told: a list of them would be a list of what to try.

use config::{IssuerKind, Site};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::Reply;
use crate::refusal::{WayIn, ways_in};

#[derive(Serialize)]
struct Discovery<'a> {
    /// Of this document: members are added without changing it.
    version: u8,
    site: &'a str,
    issuers: Vec<Issuer<'a>>,
    ways_in: Vec<WayIn<'a>>,
    help: String,
    auth_md: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<&'a str>,
}

#[derive(Serialize)]
struct Issuer<'a> {
    issuer: &'a str,
    kind: &'static str,
}

/// `GET /.well-known/lime`. Every URL in it is made from the site's configuration.
#[must_use]
pub fn discovery(site: &Site) -> Reply {
    let issuers = site.issuers.iter().map(|issuer| Issuer {
        issuer: issuer.url.as_str(),
        kind: match issuer.kind {
            IssuerKind::Lime => "lime",
            IssuerKind::OAuth { .. } => "oauth",
        },
    });
    let document = Discovery {
        version: 1,
        site: site.url.as_str(),
        issuers: issuers.collect(),
        ways_in: ways_in(site),
        help: format!("{}/.lime/help", site.url),
        auth_md: format!("{}/.lime/auth.md", site.url),
        contact: site.contact.as_deref(),
    };
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    // Text and lists of text: nothing in it can fail to be written.
    Reply { status: StatusCode::OK, headers, body: serde_json::to_vec(&document).unwrap_or_default().into() }
}

#[cfg(test)]
mod tests {
    use config::Login;
    use serde_json::{Value, json};

    use super::*;
    use crate::stage::{lime, site};

    #[track_caller]
    fn document(site: &Site) -> Value {
        let reply = discovery(site);
        assert_eq!(reply.status, StatusCode::OK);
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[test]
    fn an_agent_learns_whose_passports_count_and_how_to_get_one() {
        let issuers = vec![lime("https://id.example.net")];
        let site = Site { issuers, login: Login::Edge, contact: Some("agents@example.com".into()), ..site() };
        let expected = json!({
            "version": 1,
            "site": "https://shop.example.com",
            "issuers": [{ "issuer": "https://id.example.net", "kind": "lime" }],
            "ways_in": [
                { "way": "token", "at": "https://id.example.net/api/v1/modules/oauth/token",
                  "body": { "domain": "shop.example.com" } },
                { "way": "login", "at": "https://shop.example.com/.lime/login", "method": "POST" },
            ],
            "help": "https://shop.example.com/.lime/help",
            "auth_md": "https://shop.example.com/.lime/auth.md",
            "contact": "agents@example.com",
        });
        assert_eq!(document(&site), expected);
    }

    #[test]
    fn a_site_that_asks_for_nothing_says_so_and_no_path_is_told() {
        let site = Site { issuers: Vec::new(), login: Login::Off, contact: None, ..site() };
        let said = document(&site);
        assert_eq!((&said["issuers"], &said["ways_in"]), (&json!([]), &json!([])));
        assert!(said.get("contact").is_none());
        assert!(!said.to_string().contains("/agents"), "{said}");
    }
}
