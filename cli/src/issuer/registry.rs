//! `lime issuer agent|site|gateway ..`, and what they have in common with `lime issuer owner ..`.

use clap::{Args, Subcommand};
use issuer::{Kind, Operator, Registered, Sites, SubjectLine};
use passport::SiteId;
use serde_json::json;

use super::Format;
use crate::failure::Failure;
use crate::terminal;

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Register an agent; its token is shown once
    Add {
        /// Whose it is
        #[arg(long, value_name = "ID")]
        owner: String,
        /// What it is called
        #[arg(long)]
        name: String,
        /// A site it may log in to; may be given more than once
        #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "any_site")]
        site: Vec<SiteId>,
        /// Let it log in at every registered site: a hostile one can then pass on a login of another
        #[arg(long)]
        any_site: bool,
    },
    /// Show every agent
    List,
    /// Refuse this agent everywhere, within a second
    Suspend(Id),
    /// End a suspension
    Resume(Id),
    /// Give it another token; the old one counts no more
    RotateToken(Id),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Site {
    /// Register a site; its token is shown once
    Add {
        /// Whose it is
        #[arg(long, value_name = "ID")]
        owner: String,
        /// What agents read before they log in
        #[arg(long)]
        name: String,
        /// Its address as visitors write it, such as https://shop.example.com
        #[arg(long)]
        url: config::WebOrigin,
    },
    /// Show every site
    List,
    /// Refuse every login at this site, within a second
    Suspend(Id),
    /// End a suspension
    Resume(Id),
    /// Give it another token; the old one counts no more
    RotateToken(Id),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Gateway {
    /// Register a gateway; its token is shown once
    Add {
        /// Whose it is
        #[arg(long, value_name = "ID")]
        owner: String,
        /// What it is called
        #[arg(long)]
        name: String,
        /// A site it serves; may be given more than once
        #[arg(long, value_name = "ID", num_args = 1.., required = true)]
        site: Vec<SiteId>,
    },
    /// Show every gateway
    List,
    /// Refuse its credential, within a second
    Suspend(Id),
    /// End a suspension
    Resume(Id),
    /// Give it another token; the old one counts no more
    RotateToken(Id),
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// Its id
    pub(super) id: String,
}

pub(crate) async fn agent(operator: &Operator, action: Agent, format: Format) -> Result<(), Failure> {
    match action {
        Agent::Add { owner, name, site, any_site } => {
            if any_site {
                terminal::complain("--any-site: a hostile site can pass a login of another site on to this agent");
            } else if site.is_empty() {
                return Err(Failure::usage("where may it log in? Pass --site ID for each site, or --any-site"));
            }
            let sites = if any_site { Sites::Any } else { Sites::Only(site) };
            let agent = operator.add_agent(&owner, &name, sites).await.map_err(Failure::from_error)?;
            shown_once("agent", &agent, format);
            Ok(())
        }
        Agent::List => list(operator, Kind::Agent, format).await,
        Agent::Suspend(Id { id }) => suspend(operator, Kind::Agent, &id, format).await,
        Agent::Resume(Id { id }) => resume(operator, Kind::Agent, &id, format).await,
        Agent::RotateToken(Id { id }) => rotate(operator, Kind::Agent, "agent", id, format).await,
    }
}

pub(crate) async fn site(operator: &Operator, action: Site, format: Format) -> Result<(), Failure> {
    match action {
        Site::Add { owner, name, url } => {
            let site = operator.add_site(&owner, &name, &url).await.map_err(Failure::from_error)?;
            shown_once("site", &site, format);
            Ok(())
        }
        Site::List => list(operator, Kind::Site, format).await,
        Site::Suspend(Id { id }) => suspend(operator, Kind::Site, &id, format).await,
        Site::Resume(Id { id }) => resume(operator, Kind::Site, &id, format).await,
        Site::RotateToken(Id { id }) => rotate(operator, Kind::Site, "site", id, format).await,
    }
}

pub(crate) async fn gateway(operator: &Operator, action: Gateway, format: Format) -> Result<(), Failure> {
    match action {
        Gateway::Add { owner, name, site } => {
            let gateway = operator.add_gateway(&owner, &name, site).await.map_err(Failure::from_error)?;
            shown_once("gateway", &gateway, format);
            Ok(())
        }
        Gateway::List => list(operator, Kind::Gateway, format).await,
        Gateway::Suspend(Id { id }) => suspend(operator, Kind::Gateway, &id, format).await,
        Gateway::Resume(Id { id }) => resume(operator, Kind::Gateway, &id, format).await,
        Gateway::RotateToken(Id { id }) => rotate(operator, Kind::Gateway, "gateway", id, format).await,
    }
}

fn shown_once(word: &str, registered: &Registered, format: Format) {
    let (id, token) = (&registered.id, registered.token.expose());
    let json = json!({ format!("{word}_id"): id, format!("{word}_token"): token });
    format.say(&format!("{word} {id}\ntoken {token}\n(the token is shown this once; keep it)"), &json);
}

pub(super) async fn list(operator: &Operator, kind: Kind, format: Format) -> Result<(), Failure> {
    for line in operator.list(kind).await.map_err(Failure::from_error)? {
        let SubjectLine { id, name, status, url, sites, .. } = &line;
        let mut text = format!("{id}  {status:<9}  {name}");
        if let Some(url) = url {
            text.push_str(&format!("  {url}"));
        }
        if let Some(sites) = sites {
            text.push_str(&format!("  sites: {}", sites.join(" ")));
        }
        format.say(&text, &serde_json::to_value(&line).map_err(Failure::from_error)?);
    }
    Ok(())
}

pub(super) async fn suspend(operator: &Operator, kind: Kind, id: &str, format: Format) -> Result<(), Failure> {
    operator.suspend(kind, id).await.map_err(Failure::from_error)?;
    format.say(&format!("{id} is suspended"), &json!({ "id": id, "status": "suspended" }));
    Ok(())
}

pub(super) async fn resume(operator: &Operator, kind: Kind, id: &str, format: Format) -> Result<(), Failure> {
    operator.resume(kind, id).await.map_err(Failure::from_error)?;
    format.say(
        &format!("{id} is active again; what was issued before stays worthless"),
        &json!({ "id": id, "status": "active" }),
    );
    Ok(())
}

async fn rotate(operator: &Operator, kind: Kind, word: &str, id: String, format: Format) -> Result<(), Failure> {
    let token = operator.rotate_token(kind, &id).await.map_err(Failure::from_error)?;
    shown_once(word, &Registered { id, token }, format);
    Ok(())
}
