//! The access token of one resource (RFC 9068, RFC 8707): what OAuth clients get, where an [`AccessToken`](crate::AccessToken)
//! is what the agent SDK asks for by domain.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Audience, OwnerId, OwnerLevel, Passport, Registered, TokenId, UnixTime};

/// What a client shows at one resource. Lives an hour at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceToken {
    /// The issuer's origin.
    pub iss: String,
    /// The resource, and nothing beside it.
    pub aud: Audience,
    /// The agent in whose name the client acts.
    pub sub: AgentId,
    /// When it was signed.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// Not before, where an issuer sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<UnixTime>,
    /// The token's own name.
    pub jti: TokenId,
    /// The client it was issued to (RFC 8693 §4.3).
    pub client_id: String,
    /// What it may be used for, parted by spaces (RFC 8693 §4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The agent's owner.
    pub owner: OwnerId,
    /// How well the issuer knows the owner.
    pub owner_level: OwnerLevel,
}

impl crate::claims::Sealed for ResourceToken {}

impl Passport for ResourceToken {
    const TYP: &'static str = "at+jwt";
    const LIFETIME_MAX: Duration = Duration::from_secs(3600);

    /// One URL: a list could name the resources of two, who would then share a token.
    fn is_audience(audience: &Audience) -> bool {
        matches!(audience, Audience::One(one) if one.starts_with("https://") || one.starts_with("http://"))
    }

    fn registered(&self) -> Registered<'_> {
        let recipient = match &self.aud {
            Audience::One(one) => one.as_str(),
            Audience::Many(_) => "",
        };
        Registered {
            issuer: &self.iss,
            audience: &self.aud,
            recipient,
            issued_at: self.iat,
            expires_at: self.exp,
            not_before: self.nbf,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccessToken, Expected, KeySet, Refusal, SignError, SigningKey, jwks_document, verify};

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const RESOURCE: &str = "https://mcp.example.com/mcp";

    fn token() -> ResourceToken {
        ResourceToken {
            iss: "https://id.example.net".to_owned(),
            aud: Audience::One(RESOURCE.to_owned()),
            sub: "agent-1".parse().unwrap(),
            iat: NOW,
            exp: NOW.plus(Duration::from_secs(300)),
            nbf: None,
            jti: "t-1".parse().unwrap(),
            client_id: "https://app.example/client.json".to_owned(),
            scope: Some("mcp:read mcp:write".to_owned()),
            owner: "owner-1".parse().unwrap(),
            owner_level: OwnerLevel::new(2),
        }
    }

    #[test]
    fn a_token_counts_at_its_resource_alone() {
        let key = SigningKey::generate().unwrap();
        let keys = KeySet::from_jwks(jwks_document(&[key.jwk().clone()]).as_bytes()).unwrap();
        let signed = key.sign(&token()).unwrap();
        let at = |recipient| Expected { issuer: "https://id.example.net", recipient, leeway: Duration::ZERO };
        let judge =
            |recipient| verify::<ResourceToken>(&signed, &keys, &at(recipient), NOW).map(|token| token.scope.clone());
        assert_eq!(judge(RESOURCE).unwrap().as_deref(), Some("mcp:read mcp:write"));
        for other in ["https://mcp.example.com/mcp2", "https://mcp.example.com", "mcp", ""] {
            assert_eq!(judge(other), Err(Refusal::Recipient), "{other}");
        }
        // It names no domain, and is none of the agent SDK's.
        assert!(verify::<AccessToken>(&signed, &keys, &at("mcp.example.com"), NOW).is_err());
    }

    #[test]
    fn a_token_for_several_or_for_no_url_is_not_signed() {
        let key = SigningKey::generate().unwrap();
        let many = Audience::Many(vec![RESOURCE.to_owned(), "https://other.example".to_owned()]);
        for aud in [many, Audience::One("mcp".to_owned()), Audience::One("lime-site-login".to_owned())] {
            assert_eq!(key.sign(&ResourceToken { aud, ..token() }), Err(SignError::Audience));
        }
        let long = ResourceToken { exp: NOW.plus(Duration::from_secs(3601)), ..token() };
        assert_eq!(key.sign(&long), Err(SignError::Lifetime));
    }
}
