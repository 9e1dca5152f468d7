//! Resources: what OAuth clients can get tokens for, as an operator registers it.

use std::str::FromStr;

use serde::Serialize;

use super::Operator;
use crate::Error;
use crate::foundation::resource_url::ResourceUrl;
use crate::store::{Kind, NewResource, ResourceRecord, ResourceRegistration, Scope, Standing};
use crate::time::UnixMillis;

/// Scopes of one resource: an owner is to read them before consenting.
const SCOPES_MAX: usize = 64;

/// Longest name of a scope, in bytes, and longest words for it, in characters.
const NAME_BYTES_MAX: usize = 128;
const WORDS_CHARS_MAX: usize = 200;

/// A text that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScope {
    /// There is no `=`.
    #[error("a scope is NAME=WORDS, such as 'mcp:read=Read your notes'")]
    NoWords,
    /// Not a `scope-token` (RFC 6749 §3.3).
    #[error("the name of a scope is 1 to 128 printable ASCII characters without space, \" and \\")]
    Name,
    /// Nothing an owner could read on a page.
    #[error("the words of a scope are 1 to 200 characters on one line: say what it lets a client do")]
    Words,
}

impl FromStr for Scope {
    type Err = BadScope;

    /// `NAME=WORDS`.
    fn from_str(text: &str) -> Result<Self, BadScope> {
        let (name, words) = text.split_once('=').ok_or(BadScope::NoWords)?;
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(BadScope::Name);
        }
        let words = words.trim();
        if !(1..=WORDS_CHARS_MAX).contains(&words.chars().count()) || words.chars().any(char::is_control) {
            return Err(BadScope::Words);
        }
        Ok(Self { name: name.to_owned(), description: words.to_owned() })
    }
}

/// One registered resource.
#[derive(Clone, Debug, Serialize)]
pub struct ResourceLine {
    /// Its id.
    pub id: String,
    /// What stands in `resource` and `aud`.
    pub url: String,
    /// The site it belongs to.
    pub site_id: String,
    /// What a client can ask for.
    pub scopes: Vec<Scope>,
    /// `active`, or `suspended` with its site.
    pub status: &'static str,
}

impl From<ResourceRecord> for ResourceLine {
    fn from(resource: ResourceRecord) -> Self {
        let status = match resource.standing {
            Standing::Active => "active",
            Standing::Suspended | Standing::OwnerSuspended => "suspended",
        };
        Self { id: resource.id, url: resource.url, site_id: resource.site.into(), scopes: resource.scopes, status }
    }
}

impl Operator {
    /// Registers a resource of a site; its id.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the site; [`Error::Invalid`] for a URL that is not the site's or is registered already, and
    /// for scopes of which there are none, too many, or two of one name.
    pub async fn add_resource(&self, site: &str, url: &ResourceUrl, scopes: Vec<Scope>) -> Result<String, Error> {
        let scopes = scopes_of(scopes)?;
        let sites = self.store.list(Kind::Site).await?;
        let found = sites.into_iter().find(|row| row.id == site).ok_or(Error::Unknown("site"))?;
        let origin = found.origin.unwrap_or_default();
        if url.origin() != origin {
            return Err(Error::Invalid(format!(
                "{url} is not under {origin}, where this site is: pass --url {origin}/.., or the --site it belongs to"
            )));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let site = site.parse().map_err(|_| Error::Unknown("site"))?;
        let resource = NewResource { site, url: url.as_str().to_owned(), scopes };
        match self.store.add_resource(id.clone(), resource, UnixMillis::now()).await? {
            ResourceRegistration::Done => Ok(id),
            ResourceRegistration::UnknownSite => Err(Error::Unknown("site")),
            ResourceRegistration::Taken => Err(Error::Invalid(format!(
                "{url} is a resource already: `lime issuer resource remove ID` takes it away, with what was granted for it"
            ))),
        }
    }

    /// Registered resources, the oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn resources(&self) -> Result<Vec<ResourceLine>, Error> {
        Ok(self.store.resources().await?.into_iter().map(ResourceLine::from).collect())
    }

    /// Removes a resource and ends what was granted for it.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn remove_resource(&self, id: &str) -> Result<(), Error> {
        let known = self.store.remove_resource(id.to_owned(), UnixMillis::now()).await?;
        if known { Ok(()) } else { Err(Error::Unknown("resource")) }
    }
}

fn scopes_of(scopes: Vec<Scope>) -> Result<Vec<Scope>, Error> {
    if scopes.is_empty() {
        return Err(Error::Invalid("a resource has at least one scope: add --scope 'NAME=WORDS'".to_owned()));
    }
    if scopes.len() > SCOPES_MAX {
        return Err(Error::Invalid("a resource has 64 scopes at most: leave some out".to_owned()));
    }
    let twice =
        scopes.iter().enumerate().find(|(n, scope)| scopes.iter().take(*n).any(|other| other.name == scope.name));
    if let Some((_, scope)) = twice {
        return Err(Error::Invalid(format!("the scope {} is given twice: leave one out", scope.name)));
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_token_and_words_for_it() {
        let long = format!("{}=Read", "a".repeat(129));
        for (text, expected) in [
            ("mcp:read=Read your notes", Ok(("mcp:read", "Read your notes"))),
            ("read= Read = look at ", Ok(("read", "Read = look at"))),
            ("read", Err(BadScope::NoWords)),
            ("=Read", Err(BadScope::Name)),
            ("read write=Read", Err(BadScope::Name)),
            ("re\"ad=Read", Err(BadScope::Name)),
            ("re\\ad=Read", Err(BadScope::Name)),
            ("l\u{e4}s=Read", Err(BadScope::Name)),
            (&long, Err(BadScope::Name)),
            ("read=", Err(BadScope::Words)),
            ("read= ", Err(BadScope::Words)),
            ("read=a\nb", Err(BadScope::Words)),
        ] {
            let scope = text.parse::<Scope>();
            let scope = scope.as_ref().map(|scope| (scope.name.as_str(), scope.description.as_str()));
            assert_eq!(scope.map_err(|refused| *refused), expected, "{text}");
        }
    }

    #[test]
    fn scopes_are_some_and_each_is_named_once() {
        let scope = |name: &str| format!("{name}=Words").parse::<Scope>().unwrap();
        assert!(scopes_of(vec![]).is_err());
        assert!(scopes_of(vec![scope("a"), scope("b"), scope("a")]).is_err());
        assert_eq!(scopes_of(vec![scope("a"), scope("b")]).unwrap().len(), 2);
        assert!(scopes_of((0..65).map(|n| scope(&n.to_string())).collect()).is_err());
    }
}
