//! `lime issuer owner ..`.

use clap::Subcommand;
use issuer::{Kind, Operator};
use serde_json::json;

use super::Format;
use super::registry::{Id, list, resume, suspend};
use crate::failure::Failure;
use crate::password;

#[derive(Debug, Subcommand)]
pub(crate) enum Owner {
    /// Register an owner
    Add {
        /// What it is called
        #[arg(long)]
        name: String,
        /// The name it signs in by
        #[arg(long, requires = "password")]
        user: Option<String>,
        /// Let it sign in: asks for a password, or reads one line where nobody can be asked
        #[arg(long, requires = "user")]
        password: bool,
    },
    /// Show every owner
    List,
    /// Let it sign in with another password: asks for it, or reads one line where nobody can be asked. Its sessions end
    Password {
        /// Its id
        id: String,
        /// The name it signs in by
        #[arg(long)]
        user: String,
    },
    /// Refuse everything of this owner everywhere, within a second
    Suspend(Id),
    /// End a suspension
    Resume(Id),
}

pub(crate) async fn owner(operator: &Operator, action: Owner, format: Format) -> Result<(), Failure> {
    match action {
        Owner::Add { name, user: None, .. } => {
            let id = operator.add_owner(&name).await.map_err(Failure::from_error)?;
            format.say(&format!("owner {id}"), &json!({ "owner_id": id }));
            Ok(())
        }
        Owner::Add { name, user: Some(user), .. } => {
            let password = password::read()?;
            let added = operator.add_owner_who_signs_in(&name, &user, password).await;
            let id = added.map_err(Failure::from_error)?;
            format.say(&format!("owner {id}, signs in as {user}"), &json!({ "owner_id": id, "user": user }));
            Ok(())
        }
        Owner::List => list(operator, Kind::Owner, format).await,
        Owner::Password { id, user } => {
            let password = password::read()?;
            operator.set_password(&id, &user, password).await.map_err(Failure::from_error)?;
            let json = json!({ "owner_id": id, "user": user });
            format.say(&format!("{id} signs in as {user} with this password; its sessions have ended"), &json);
            Ok(())
        }
        Owner::Suspend(Id { id }) => suspend(operator, Kind::Owner, &id, format).await,
        Owner::Resume(Id { id }) => resume(operator, Kind::Owner, &id, format).await,
    }
}
