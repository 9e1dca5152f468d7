//! Confidential clients: programs that get tokens for an agent by a secret or a key of their own.

use passport::{AgentId, ClientKeys};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Operator, name_of, new_token};
use crate::Error;
use crate::credentials::{Holder, Token};
use crate::modules::oauth::client_metadata::ClientDocuments;
use crate::store::{ClientAuth, ClientRecord, RefreshTokens, Registration};
use crate::time::UnixMillis;

/// A client as it was registered.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// Its `client_id`.
    pub id: String,
    /// Its secret, in the clear, unless it has keys: shown now and never again.
    pub secret: Option<Token>,
}

/// One client.
#[derive(Clone, Debug, Serialize)]
pub struct ClientLine {
    /// Its `client_id`.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// `none`, `secret` or `keys`: how it shows that it is the one; `document` where that stands in its document.
    pub auth: &'static str,
    /// The agent it speaks for, unless it registered itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Where it may send owners back to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// When it was registered, or an owner first let it in, RFC 3339.
    pub created_at: String,
    /// When it is forgotten unless it is used, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl ClientLine {
    fn of_document((id, name, since): (String, String, UnixMillis)) -> Self {
        Self {
            id,
            name,
            auth: "document",
            agent_id: None,
            redirect_uris: Vec::new(),
            created_at: since.to_string(),
            expires_at: None,
        }
    }
}

impl From<ClientRecord> for ClientLine {
    fn from(client: ClientRecord) -> Self {
        let auth = match client.auth {
            ClientAuth::None => "none",
            ClientAuth::Secret(_) => "secret",
            ClientAuth::Keys(_) => "keys",
        };
        Self {
            id: client.id,
            name: client.name,
            auth,
            agent_id: client.agent.map(String::from),
            redirect_uris: client.redirect_uris,
            created_at: client.created_at.to_string(),
            expires_at: client.expires_at.map(|at| at.to_string()),
        }
    }
}

impl Operator {
    /// Registers a client of `agent`, which shows itself by one of the keys in `jwks`, or else by a secret.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the agent, [`Error::Invalid`] for the name or for keys that cannot be a client's.
    pub async fn add_client(&self, agent: &str, name: &str, jwks: Option<&[u8]>) -> Result<RegisteredClient, Error> {
        let agent: AgentId = agent.parse().map_err(|_| Error::Unknown("agent"))?;
        let name = name_of(name)?;
        let (auth, secret) = match jwks {
            Some(document) => (ClientAuth::Keys(public_keys(document)?), None),
            None => {
                let secret = new_token(Holder::Client)?;
                (ClientAuth::Secret(secret.hash()), Some(secret))
            }
        };
        let (id, now) = (uuid::Uuid::now_v7().to_string(), UnixMillis::now());
        let client = ClientRecord {
            id: id.clone(),
            name,
            redirect_uris: Vec::new(),
            auth,
            // Nor would any follow: it asks anew whenever it likes.
            refresh_tokens: RefreshTokens::Unwanted,
            agent: Some(agent),
            created_at: now,
            expires_at: None,
        };
        match self.store.add_client(client, now).await? {
            Registration::Done => Ok(RegisteredClient { id, secret }),
            Registration::UnknownReference => Err(Error::Unknown("agent")),
        }
    }

    /// Clients, an operator's first, then those that registered themselves, then those that are documents and that an owner
    /// has let in.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn clients(&self) -> Result<Vec<ClientLine>, Error> {
        let documents = self.store.document_clients(UnixMillis::now()).await?;
        let registered = self.store.clients().await?.into_iter().map(ClientLine::from);
        Ok(registered.chain(documents.into_iter().map(ClientLine::of_document)).collect())
    }

    /// Removes a client and ends what was granted to it; what its agent holds counts no more. One that is a document is known
    /// by its URL to whoever it asks, so it may ask again.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        let (id, now) = (id.to_owned(), UnixMillis::now());
        let known = if ClientDocuments::is_one(&id) {
            self.store.shut_out_document(id, now).await?
        } else {
            self.store.remove_client(id, now).await?
        };
        if known { Ok(()) } else { Err(Error::Unknown("client")) }
    }
}

/// A key set as it is kept: every key in it public and of use, so that nobody takes a skipped one for a working one.
fn public_keys(document: &[u8]) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Map<String, Value>>,
    }
    let refused = |why: &dyn std::fmt::Display| Error::Invalid(format!("--jwks: {why}"));
    ClientKeys::from_jwks(document).map_err(|error| refused(&error))?;
    let Document { keys } = passport::strict_object(document).map_err(|error| refused(&error))?;
    for (n, key) in (1_usize..).zip(&keys) {
        if passport::is_private_jwk(key) {
            return Err(refused(&format!("key {n} is not public: leave out its private members, and make a new key")));
        }
        let alone = json!({ "keys": [key] }).to_string();
        if ClientKeys::from_jwks(alone.as_bytes()).is_err() {
            return Err(refused(&format!(
                "key {n} is none to sign with: give RSA keys of 2048 to 4096 bits, P-256 or Ed25519"
            )));
        }
        let kid = key.get("kid");
        if kid.is_some() && keys.iter().filter(|other| other.get("kid") == kid).count() > 1 {
            return Err(refused(&format!("key {n} shares its kid with another: give each its own")));
        }
    }
    Ok(json!({ "keys": keys }).to_string())
}

#[cfg(test)]
mod tests;
