//! Who is registered in the data directory of `lime up`: one owner, two sites, one agent. Their tokens, and the password the
//! owner signs in with, are kept there, since the issuer does not keep them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use issuer::{NewPassword, Operator, Sites};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What `up.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Registered {
    /// Where the gateway answered then; a site is registered with its address.
    gateway: String,
    pub(crate) owner_id: String,
    pub(crate) agent_id: String,
    pub(crate) agent_token: String,
    pub(crate) site_id: String,
    pub(crate) site_token: String,
    /// A second site, on which nobody has a stream open.
    pub(crate) site_token_spare: String,
}

/// Where the gateway reads its credential.
pub(crate) fn site_token_file(data: &Path) -> PathBuf {
    data.join("site.token")
}

/// The name the owner signs in by.
pub(crate) const OWNER_USER: &str = "owner";

/// Where the owner finds the password.
pub(crate) fn owner_password_file(data: &Path) -> PathBuf {
    data.join("owner.password")
}

/// What was registered before, or all of it anew. At another address the sites and the agent are others, of the same owner.
pub(crate) async fn load_or_create(data: &Path, issuer: &config::Issuer, gateway: &str) -> Result<Registered, Failure> {
    let known = read(&data.join("up.json"))?;
    let here = known.as_ref().filter(|known| known.gateway == gateway).cloned();
    if let Some(registered) = here.filter(|_| owner_password_file(data).exists()) {
        return Ok(registered);
    }
    let operator = Operator::open(issuer).await.map_err(Failure::from_error)?;
    let registered = complete(&operator, data, known, gateway).await;
    operator.close().await;
    registered
}

async fn complete(
    operator: &Operator,
    data: &Path,
    known: Option<Registered>,
    gateway: &str,
) -> Result<Registered, Failure> {
    let registered = match known {
        Some(known) if known.gateway == gateway => known,
        other => create(operator, other.map(|known| known.owner_id), gateway).await?,
    };
    let password = owner_password_file(data);
    if !password.exists() {
        let made = NewPassword::generate().map_err(Failure::from_error)?;
        operator.set_password(&registered.owner_id, OWNER_USER, made.clone()).await.map_err(Failure::from_error)?;
        write(&password, made.expose())?;
    }
    // The tokens first: `up.json` says that everything else is there.
    write(&site_token_file(data), &registered.site_token)?;
    write(&data.join("agent.token"), &registered.agent_token)?;
    write(&data.join("up.json"), &serde_json::to_string_pretty(&registered).map_err(Failure::from_error)?)?;
    Ok(registered)
}

async fn create(operator: &Operator, owner_id: Option<String>, gateway: &str) -> Result<Registered, Failure> {
    let url = gateway.parse().map_err(Failure::from_error)?;
    let owner_id = match owner_id {
        Some(id) => id,
        None => operator.add_owner("Demo owner").await.map_err(Failure::from_error)?,
    };
    let site = operator.add_site(&owner_id, "Demo site", &url).await.map_err(Failure::from_error)?;
    let spare = operator.add_site(&owner_id, "Spare site", &url).await.map_err(Failure::from_error)?;
    let ids = [&site.id, &spare.id].map(|id| id.parse().map_err(Failure::from_error));
    let sites = Sites::Only(ids.into_iter().collect::<Result<_, _>>()?);
    let agent = operator.add_agent(&owner_id, "Demo agent", sites).await.map_err(Failure::from_error)?;
    Ok(Registered {
        gateway: gateway.to_owned(),
        owner_id,
        agent_id: agent.id,
        agent_token: agent.token.expose().to_owned(),
        site_id: site.id,
        site_token: site.token.expose().to_owned(),
        site_token_spare: spare.token.expose().to_owned(),
    })
}

fn read(path: &Path) -> Result<Option<Registered>, Failure> {
    match fs::read(path) {
        Ok(text) => {
            let unreadable = |error| Failure::runtime(format!("{} is damaged ({error}): remove it", path.display()));
            serde_json::from_slice(&text).map(Some).map_err(unreadable)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::runtime(format!("cannot read {}: {error}", path.display()))),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let draft = path.with_extension("draft");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| Failure::runtime(format!("cannot write {}: {error}", path.display())))
}
