//! `lime issuer client ..`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use issuer::Operator;
use serde_json::json;

use super::Format;
use super::registry::Id;
use crate::failure::Failure;
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a program that gets tokens for an agent (client_credentials); without --jwks its secret is shown once
    Add {
        /// The agent it speaks for
        #[arg(long, value_name = "ID")]
        agent: String,
        /// What it is called
        #[arg(long)]
        name: String,
        /// Its public keys, a JWK set (RFC 7517) of RSA, P-256 or Ed25519 keys: it signs with one of them instead of
        /// sending a secret (private_key_jwt)
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
    },
    /// Show every client, also those that registered themselves, and documents that an owner has let in
    List,
    /// Take a client away; what was granted to it ends, and what its agent holds counts no more. A document may ask again
    Remove(Id),
}

pub(crate) async fn client(operator: &Operator, action: Client, format: Format) -> Result<(), Failure> {
    match action {
        Client::Add { agent, name, jwks } => {
            let jwks = jwks.as_deref().map(read).transpose()?;
            let client = operator.add_client(&agent, &name, jwks.as_deref()).await.map_err(Failure::from_error)?;
            let id = &client.id;
            match &client.secret {
                Some(secret) => {
                    let secret = secret.expose();
                    let text = format!("client {id}\nsecret {secret}\n(the secret is shown this once; keep it)");
                    format.say(&text, &json!({ "client_id": id, "client_secret": secret }));
                }
                None => format.say(&format!("client {id}"), &json!({ "client_id": id })),
            }
        }
        Client::List => {
            for client in operator.clients().await.map_err(Failure::from_error)? {
                let whose = match &client.agent_id {
                    Some(agent) => format!("agent: {agent}"),
                    None if client.redirect_uris.is_empty() => "by its document".to_owned(),
                    None => format!("to: {}", client.redirect_uris.join(" ")),
                };
                // Who registered itself chose its name.
                let name = client.name.replace('\n', " ");
                let text = format!("{}  {:<8}  {name}  {whose}", client.id, client.auth);
                let json = serde_json::to_value(&client).map_err(Failure::from_error)?;
                format.say(&terminal::harmless(&text), &json);
            }
        }
        Client::Remove(Id { id }) => {
            operator.remove_client(&id).await.map_err(Failure::from_error)?;
            let text = format!("{id} is removed; what was granted to it has ended");
            format.say(&text, &json!({ "id": id, "status": "removed" }));
        }
    }
    Ok(())
}

/// A key set, and one byte more than it may have.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes_max = u64::try_from(passport::JWKS_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut document = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max).read_to_end(&mut document));
    let failed = |error| Failure::runtime(format!("cannot read {}: {error}: is that the right file?", path.display()));
    read.map(|_| document).map_err(failed)
}
