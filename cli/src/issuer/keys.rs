//! `lime issuer keys ..`.

use clap::Subcommand;
use issuer::{Operator, Rotation, When};
use serde_json::json;

use super::Format;
use crate::failure::Failure;
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Show every key and its state
    List,
    /// Make the next key the active one, once verifiers had time to see it
    Rotate {
        /// Do not wait: a verifier that has not seen the next key refuses its tokens until it has
        #[arg(long)]
        now: bool,
    },
    /// Take a key out of the key set for ever; gateways refuse all it has signed
    Revoke {
        /// The key's name, as `keys list` shows it
        // One in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

pub(crate) async fn keys(
    operator: &Operator,
    action: Keys,
    format: Format,
    config: &config::Issuer,
) -> Result<(), Failure> {
    match action {
        Keys::List => {
            for key in operator.keys().await.map_err(Failure::from_error)? {
                let due = key.activate_at.as_ref().map(|at| format!("  active from {at}")).unwrap_or_default();
                let text = format!("{}  {:<8}published {}{due}", key.kid, key.state, key.published_at);
                format.say(&text, &serde_json::to_value(&key).map_err(Failure::from_error)?);
            }
        }
        Keys::Rotate { now } => {
            let when = if now { When::Now } else { When::Published };
            if config.key_publish_ahead.is_zero() || now {
                terminal::complain("verifiers that cache the key set refuse the new key's tokens until they ask again");
            }
            match operator.rotate_keys(when).await.map_err(Failure::from_error)? {
                Rotation::Done { kid } => {
                    format.say(&format!("{kid} signs now"), &json!({ "kid": kid, "state": "active" }));
                }
                Rotation::Scheduled { kid, at } => {
                    let json = json!({ "kid": kid, "state": "next", "activate_at": at });
                    format.say(&format!("{kid} signs from {at}"), &json);
                }
            }
        }
        Keys::Revoke { kid } => {
            operator.revoke_key(&kid).await.map_err(Failure::from_error)?;
            format.say(&format!("{kid} is revoked"), &json!({ "kid": kid, "state": "revoked" }));
        }
    }
    Ok(())
}
