//! Where the keys of an issuer come from: a fixed path, a URL, discovery, or a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use config::{IssuerKind, IssuerUrl, JwksSource, TrustedIssuer};
use http::StatusCode;
use reqwest::Client;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::issuer_api::{ApiError, Jwks, max_age, read};

/// Where a Lime issuer publishes its keys.
const LIME_PATH: &str = "/api/v1/core/.well-known/jwks.json";

/// Largest metadata document that is read, in bytes: real ones have ten kilobytes at most.
const METADATA_BYTES_MAX: usize = 64 * 1024;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("{0} cannot be read")]
    File(String, #[source] io::Error),
    #[error("the metadata of the issuer is of another one, which calls itself {0:?}")]
    AnotherIssuer(String),
    #[error("the metadata of the issuer names no keys that could be fetched safely")]
    NoKeys,
}

/// Fetches the keys of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct KeySource {
    client: Client,
    issuer: Arc<TrustedIssuer>,
}

impl KeySource {
    pub(crate) const fn new(client: Client, issuer: Arc<TrustedIssuer>) -> Self {
        Self { client, issuer }
    }

    pub(crate) async fn fetch(&self) -> Result<Jwks, SourceError> {
        let url = &self.issuer.url;
        match (&self.issuer.jwks.source, &self.issuer.kind) {
            (JwksSource::File(path), _) => self.file(path).await,
            (JwksSource::Url(keys), _) => self.keys(keys).await,
            (JwksSource::Published, IssuerKind::Lime) => self.keys(&format!("{url}{LIME_PATH}")).await,
            (JwksSource::Published, IssuerKind::OAuth { .. }) => {
                let keys = self.discover().await?;
                self.keys(&keys).await
            }
        }
    }

    async fn file(&self, path: &Path) -> Result<Jwks, SourceError> {
        let failed = |cause| SourceError::File(path.display().to_string(), cause);
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let mut document = String::new();
        file.take(u64::from(self.issuer.jwks.bytes_max) + 1).read_to_string(&mut document).await.map_err(failed)?;
        if document.len() > self.bytes_max() {
            return Err(ApiError::TooLong(self.bytes_max()).into());
        }
        Ok(Jwks { document, max_age: None })
    }

    /// The published key set (RFC 7517 §5).
    async fn keys(&self, url: &str) -> Result<Jwks, SourceError> {
        let request = self.client.get(url).timeout(self.issuer.jwks.timeout);
        let response = request.send().await.map_err(ApiError::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(ApiError::Refused { status: response.status(), code: None }.into());
        }
        let max_age = max_age(response.headers());
        let body = read(response, self.bytes_max()).await?;
        Ok(Jwks { document: String::from_utf8_lossy(&body).into_owned(), max_age })
    }

    /// `jwks_uri` of the issuer's metadata: as RFC 8414 §3 asks, else as OpenID Connect Discovery does.
    async fn discover(&self) -> Result<String, SourceError> {
        let mut last = SourceError::NoKeys;
        for url in metadata_urls(&self.issuer.url) {
            match self.metadata(&url).await {
                Ok(keys) => return Ok(keys),
                Err(cause) => last = cause,
            }
        }
        Err(last)
    }

    async fn metadata(&self, url: &str) -> Result<String, SourceError> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            #[serde(default)]
            jwks_uri: Option<String>,
        }
        let request = self.client.get(url).timeout(self.issuer.jwks.timeout);
        let response = request.send().await.map_err(ApiError::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(ApiError::Refused { status: response.status(), code: None }.into());
        }
        let body = read(response, METADATA_BYTES_MAX).await?;
        let metadata: Metadata = serde_json::from_slice(&body).map_err(ApiError::Malformed)?;
        // Byte for byte (RFC 8414 §3.3): who may write here could name any keys.
        if metadata.issuer != self.issuer.url.as_str() {
            return Err(SourceError::AnotherIssuer(metadata.issuer.chars().take(256).collect()));
        }
        metadata.jwks_uri.filter(|keys| is_safe(keys, &self.issuer.url)).ok_or(SourceError::NoKeys)
    }

    fn bytes_max(&self) -> usize {
        usize::try_from(self.issuer.jwks.bytes_max).unwrap_or(usize::MAX)
    }
}

/// An issuer that is reached over TLS cannot send us to keys that are not; an address of a network's own services, like
/// those that hand out the credentials of a cloud machine, is none an issuer publishes keys at.
fn is_safe(keys: &str, issuer: &IssuerUrl) -> bool {
    let Ok(keys) = keys.parse::<IssuerUrl>() else { return false };
    let (ours, theirs) = (issuer.origin(), keys.origin());
    ours == theirs || (keys.as_str().starts_with("https://") && !is_link_local(theirs.host()))
}

fn is_link_local(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(std::net::IpAddr::V4(address)) => address.is_link_local(),
        Ok(std::net::IpAddr::V6(address)) => address.is_unicast_link_local(),
        Err(_) => false,
    }
}

fn metadata_urls(issuer: &IssuerUrl) -> [String; 2] {
    let (origin, text) = (issuer.origin().as_str(), issuer.as_str());
    let path = text.strip_prefix(origin).unwrap_or_default().trim_end_matches('/');
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(issuer: &str, expected: [&str; 2]) {
        assert_eq!(metadata_urls(&issuer.parse().unwrap()), expected);
    }

    #[test]
    fn metadata_is_where_the_standards_put_it() {
        check(
            "https://kc.example/realms/x",
            [
                "https://kc.example/.well-known/oauth-authorization-server/realms/x",
                "https://kc.example/realms/x/.well-known/openid-configuration",
            ],
        );
        let plain = [
            "https://kc.example/.well-known/oauth-authorization-server",
            "https://kc.example/.well-known/openid-configuration",
        ];
        check("https://kc.example", plain);
        check("https://kc.example/", plain);
    }

    #[test]
    fn keys_are_fetched_only_from_where_an_issuer_may_send_us() {
        for (keys, issuer, expected) in [
            ("https://kc.example/keys", "https://kc.example/r", true),
            ("https://www.keys.example/v3/certs", "https://kc.example/r", true),
            ("http://kc.example/keys", "https://kc.example/r", false),
            ("http://127.0.0.1:9/keys", "http://127.0.0.1:9", true),
            ("http://127.0.0.1:8/keys", "http://127.0.0.1:9", false),
            ("http://169.254.169.254/latest", "http://kc.example", false),
            ("https://169.254.169.254/latest", "https://kc.example", false),
            ("https://[fe80::1]/k", "https://kc.example", false),
            ("file:///etc/passwd", "https://kc.example", false),
            ("", "https://kc.example", false),
        ] {
            assert_eq!(is_safe(keys, &issuer.parse().unwrap()), expected, "{keys} of {issuer}");
        }
    }
}
