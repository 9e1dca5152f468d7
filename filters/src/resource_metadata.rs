//! `/.well-known/oauth-protected-resource`: for which resource a token has to be, and who gives it out (RFC 9728).

use config::{McpEndpoint, Site};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_TYPE,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::Reply;

/// Where it is for a site that is one resource.
const ROOT: &str = "/.well-known/oauth-protected-resource";

/// A scope that is asked of the issuer, never told by a resource (MCP 2026-07-28, Authorization).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// Asking again for what may be asked is in vain for a day.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("86400");

#[derive(Serialize)]
struct Metadata<'a> {
    resource: &'a str,
    resource_name: &'a str,
    authorization_servers: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    bearer_methods_supported: [&'static str; 1],
}

/// The endpoint whose metadata is at a path. At the root is that of a site's only one.
#[must_use]
pub fn described_at<'s>(site: &'s Site, path: &[u8]) -> Option<&'s McpEndpoint> {
    if site.mcp.is_empty() || !path.starts_with(ROOT.as_bytes()) {
        return None;
    }
    let own = site.mcp.iter().find(|endpoint| endpoint.metadata_path().as_bytes() == path);
    let only = || if let [only] = &site.mcp[..] { Some(only) } else { None };
    own.or_else(|| only().filter(|_| path == ROOT.as_bytes())).map(|endpoint| &**endpoint)
}

/// The metadata of an endpoint. Any page may read it: nobody is asked who he is, and nothing in it is of anybody.
#[must_use]
pub fn resource_metadata(site: &Site, endpoint: &McpEndpoint) -> Reply {
    let metadata = Metadata {
        resource: &endpoint.resource,
        resource_name: site.page.name.as_deref().unwrap_or(site.url.host()),
        authorization_servers: site.issuers.iter().map(|issuer| issuer.url.as_str()).collect(),
        // Whether there are refresh tokens is no affair of a resource's.
        scopes_supported: endpoint.all_scopes().into_iter().filter(|scope| *scope != OFFLINE_ACCESS).collect(),
        bearer_methods_supported: ["header"],
    };
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ];
    // Text and lists of text: nothing in it can fail to be written.
    Reply { status: StatusCode::OK, headers, body: serde_json::to_vec(&metadata).unwrap_or_default().into() }
}

/// The answer to a page that asks whether it may ask.
#[must_use]
pub fn metadata_preflight() -> Reply {
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let headers = vec![
        header(ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        header(ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        header(ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    Reply { status: StatusCode::NO_CONTENT, headers, body: bytes::Bytes::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::stage::{lime, mcp_site, site};

    fn document(site: &Site, path: &str) -> Option<Value> {
        let endpoint = described_at(site, path.as_bytes())?;
        Some(serde_json::from_slice(&resource_metadata(site, endpoint).body).unwrap())
    }

    #[test]
    fn a_client_learns_what_for_and_from_whom_to_ask_a_token() {
        let mut site = mcp_site(site());
        site.issuers.push(lime("https://other.example"));
        let expected = json!({
            "resource": "https://shop.example.com/mcp",
            "resource_name": "shop.example.com",
            "authorization_servers": ["https://id.example.net", "https://other.example"],
            "scopes_supported": ["mcp:read", "mcp:write"],
            "bearer_methods_supported": ["header"],
        });
        for path in ["/.well-known/oauth-protected-resource/mcp", ROOT] {
            assert_eq!(document(&site, path).unwrap(), expected, "{path}");
        }
        for path in ["/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/mcp/", "/mcp", ""]
        {
            assert_eq!(document(&site, path), None, "{path}");
        }
        assert_eq!(document(&self::site(), ROOT), None);
    }

    #[test]
    fn of_several_endpoints_none_is_at_the_root_but_the_one_of_the_root() {
        let mut site = mcp_site(site());
        let place = site.defined_at.clone();
        site.mcp.push(McpEndpoint::new(&site.url, "/b".parse().unwrap(), place.clone()).into());
        assert_eq!(document(&site, ROOT), None);
        assert_eq!(document(&site, &format!("{ROOT}/b")).unwrap()["resource"], "https://shop.example.com/b");
        site.mcp.push(McpEndpoint::new(&site.url, "/".parse().unwrap(), place).into());
        assert_eq!(document(&site, ROOT).unwrap()["resource"], "https://shop.example.com");
    }
}
