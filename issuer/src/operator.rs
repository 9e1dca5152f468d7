//! What an operator does, beside a running issuer or without one: the same store, opened directly.

mod clients;
mod owners;
mod resources;

use std::sync::Arc;

use passport::{KeyId, SiteId};
use serde::Serialize;

use crate::Error;
use crate::core::keys::{self, Publication};
use crate::core::secret::Sealer;
use crate::credentials::{Holder, Token};
use crate::issuer::{open_sealer, open_store};
use crate::store::{Change, KeyState, Kind, NewSubject, Registration, Sites, Store};
use crate::time::UnixMillis;

pub use clients::{ClientLine, RegisteredClient};
pub use resources::{BadScope, ResourceLine};

/// Longest name of an owner, agent, site or gateway, in characters.
const NAME_CHARS_MAX: usize = 200;

/// An operator's hands on a store.
#[derive(Debug)]
pub struct Operator {
    store: Store,
    sealer: Arc<Sealer>,
    publication: Publication,
}

/// Something registered, with its token: shown now and never again.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its token, in the clear.
    pub token: Token,
}

/// One registered owner, agent, site or gateway.
#[derive(Clone, Debug, Serialize)]
pub struct SubjectLine {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// The URL of a site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `active` or `suspended`.
    pub status: &'static str,
    /// The sites on the list of an agent or a gateway; `["*"]` for an agent that may log in anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<String>>,
    /// When it was registered, RFC 3339.
    pub created_at: String,
}

/// One signing key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyLine {
    /// Its name in the key set.
    pub kid: String,
    /// `next`, `active`, `retired` or `revoked`.
    pub state: &'static str,
    /// When it was first in the key set, RFC 3339.
    pub published_at: String,
    /// When it is to become the active one, where that is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activate_at: Option<String>,
}

/// When a rotation is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once the next key was published for `key_publish_ahead`.
    Published,
    /// At once; verifiers that have not seen the next key refuse its tokens until they have.
    Now,
}

/// What became of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// This key signs from now on.
    Done {
        /// The key.
        kid: String,
    },
    /// A running issuer switches to this key at that time, RFC 3339.
    Scheduled {
        /// The key.
        kid: String,
        /// When.
        at: String,
    },
}

impl Operator {
    /// Opens the store of `config`, and makes what a first start makes.
    ///
    /// # Errors
    /// [`Error`] says what is missing or broken.
    pub async fn open(config: &config::Issuer) -> Result<Self, Error> {
        let store = open_store(config).await?;
        let sealer = open_sealer(config, &store).await?;
        keys::ensure(&store, &sealer).await?;
        let publication = Publication::new(config.key_publish_ahead, config.access_token_ttl);
        // Opens the active key: a secret that is another store's must not seal anything here.
        keys::load(&store, &sealer, publication, UnixMillis::now()).await?;
        Ok(Self { store, sealer, publication })
    }

    /// Registers an agent of `owner`, which may log in at `sites`.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the owner or a site does not exist, [`Error::Invalid`] for the name.
    pub async fn add_agent(&self, owner: &str, name: &str, sites: Sites) -> Result<Registered, Error> {
        let token = new_token(Holder::Agent)?;
        let subject = NewSubject::Agent { owner: owner.to_owned(), name: name_of(name)?, sites, token: token.hash() };
        Ok(Registered { id: self.register(subject, "owner or site").await?, token })
    }

    /// Registers a site of `owner` at `url`.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the owner does not exist, [`Error::Invalid`] for the name.
    pub async fn add_site(&self, owner: &str, name: &str, url: &config::WebOrigin) -> Result<Registered, Error> {
        let token = new_token(Holder::Site)?;
        let subject = NewSubject::Site {
            owner: owner.to_owned(),
            name: name_of(name)?,
            origin: url.as_str().to_owned(),
            host: url.host().to_owned(),
            token: token.hash(),
        };
        Ok(Registered { id: self.register(subject, "owner").await?, token })
    }

    /// Registers a credential by which a gateway serves `sites`.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the owner or a site does not exist, [`Error::Invalid`] for the name or an empty list.
    pub async fn add_gateway(&self, owner: &str, name: &str, sites: Vec<SiteId>) -> Result<Registered, Error> {
        if sites.is_empty() {
            return Err(Error::Invalid("a gateway serves at least one site: add --site ID".to_owned()));
        }
        let token = new_token(Holder::Gateway)?;
        let subject = NewSubject::Gateway { owner: owner.to_owned(), name: name_of(name)?, sites, token: token.hash() };
        Ok(Registered { id: self.register(subject, "owner or site").await?, token })
    }

    /// Everything registered of one kind, the oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list(&self, kind: Kind) -> Result<Vec<SubjectLine>, Error> {
        let (rows, listed) = (self.store.list(kind).await?, self.store.listed_sites(kind).await?);
        let sites_of = |id: &str, any_site: bool| match kind {
            Kind::Owner | Kind::Site => None,
            Kind::Agent | Kind::Gateway if any_site => Some(vec!["*".to_owned()]),
            Kind::Agent | Kind::Gateway => {
                Some(listed.iter().filter(|(holder, _)| holder == id).map(|(_, site)| site.clone()).collect())
            }
        };
        let line = |row: crate::store::SubjectRow| SubjectLine {
            sites: sites_of(&row.id, row.any_site),
            id: row.id,
            name: row.name,
            owner_id: row.owner,
            url: row.origin,
            status: if row.suspended { "suspended" } else { "active" },
            created_at: row.created_at.to_string(),
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// Suspends `id`: refused everywhere within a second. What clients were granted in the name of an agent ends, and an
    /// owner is signed out. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn suspend(&self, kind: Kind, id: &str) -> Result<(), Error> {
        self.change(kind, id, Change::Suspend).await
    }

    /// Ends a suspension. Credentials issued before stay worthless.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn resume(&self, kind: Kind, id: &str) -> Result<(), Error> {
        self.change(kind, id, Change::Resume).await
    }

    /// Gives `id` another token; the old one counts no more.
    ///
    /// # Errors
    /// [`Error::Unknown`]; an owner has no token.
    pub async fn rotate_token(&self, kind: Kind, id: &str) -> Result<Token, Error> {
        let holder = match kind {
            Kind::Owner => return Err(Error::Invalid("an owner has no token".to_owned())),
            Kind::Agent => Holder::Agent,
            Kind::Site => Holder::Site,
            Kind::Gateway => Holder::Gateway,
        };
        let token = new_token(holder)?;
        let replaced = self.store.replace_token(kind, id.to_owned(), token.hash(), UnixMillis::now()).await?;
        if replaced { Ok(token) } else { Err(Error::Unknown(word(kind))) }
    }

    /// Every signing key there ever was, the oldest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn keys(&self) -> Result<Vec<KeyLine>, Error> {
        let line = |key: crate::store::KeyRecord| KeyLine {
            kid: key.kid.to_string(),
            state: key.state.as_str(),
            published_at: key.published_at.to_string(),
            activate_at: key.activate_at.filter(|_| key.state == KeyState::Next).map(|at| at.to_string()),
        };
        Ok(self.store.keys().await?.into_iter().map(line).collect())
    }

    /// Makes the next key the active one, now or once verifiers had time to see it.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no next key, or somebody else was rotating at the same time.
    pub async fn rotate_keys(&self, when: When) -> Result<Rotation, Error> {
        let keys = self.store.keys().await?;
        let next = keys.into_iter().find(|key| key.state == KeyState::Next).ok_or(Error::Unknown("next key"))?;
        let (now, ready) = (UnixMillis::now(), keys::ready_at(&next, self.publication));
        let kid = next.kid.to_string();
        let done = if when == When::Published && ready > now {
            let scheduled = self.store.schedule_switch(next.kid, ready, now).await?;
            scheduled.then(|| Rotation::Scheduled { kid, at: ready.to_string() })
        } else {
            let spare = keys::generate(&self.sealer).await?;
            let switched = self.store.switch_keys(next.kid, spare, now).await?;
            switched.then_some(Rotation::Done { kid })
        };
        done.ok_or(Error::Unknown("next key: somebody else rotates, try again"))
    }

    /// Revokes a key: it leaves the key set at once, and gateways refuse all it has signed.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a key that does not exist or was revoked before.
    pub async fn revoke_key(&self, kid: &str) -> Result<(), Error> {
        let kid: KeyId = kid.parse().map_err(|_| Error::Unknown("key"))?;
        let spare = keys::generate(&self.sealer).await?;
        let revoked = self.store.revoke_key(kid, spare, UnixMillis::now()).await?;
        if revoked { Ok(()) } else { Err(Error::Unknown("key, or it was revoked before")) }
    }

    /// Waits for what was written, and lets go of the store.
    pub async fn close(self) {
        self.store.close().await;
    }

    async fn register(&self, subject: NewSubject, reference: &'static str) -> Result<String, Error> {
        let id = uuid::Uuid::now_v7().to_string();
        match self.store.register(id.clone(), subject, UnixMillis::now()).await? {
            Registration::Done => Ok(id),
            Registration::UnknownReference => Err(Error::Unknown(reference)),
        }
    }

    async fn change(&self, kind: Kind, id: &str, change: Change) -> Result<(), Error> {
        let known = self.store.change_standing(kind, id.to_owned(), change, UnixMillis::now()).await?;
        if known { Ok(()) } else { Err(Error::Unknown(word(kind))) }
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Owner => "owner",
        Kind::Agent => "agent",
        Kind::Site => "site",
        Kind::Gateway => "gateway",
    }
}

fn new_token(holder: Holder) -> Result<Token, Error> {
    Token::generate(holder).ok_or(Error::Randomness("token"))
}

fn name_of(text: &str) -> Result<String, Error> {
    let name = text.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    let refused = || Error::Invalid("a name is 1 to 200 characters on one line".to_owned());
    fits.then(|| name.to_owned()).ok_or_else(refused)
}
