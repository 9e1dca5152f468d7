//! `lime issuer resource ..`.

use clap::Subcommand;
use issuer::{Operator, ResourceUrl, Scope};
use serde_json::json;

use super::Format;
use super::registry::Id;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Resource {
    /// Register a resource: a URL of a site that tokens can be for
    Add {
        /// The site it belongs to
        #[arg(long, value_name = "ID")]
        site: String,
        /// What clients name as the resource, such as https://tools.example.com/mcp
        #[arg(long)]
        url: ResourceUrl,
        /// What a client can ask for, and the words an owner reads before consenting, such as
        /// 'mcp:read=Read your notes'; may be given more than once
        #[arg(long, value_name = "NAME=WORDS", num_args = 1.., required = true)]
        scope: Vec<Scope>,
    },
    /// Show every resource
    List,
    /// Take a resource away; what was granted for it ends
    Remove(Id),
}

pub(crate) async fn resource(operator: &Operator, action: Resource, format: Format) -> Result<(), Failure> {
    match action {
        Resource::Add { site, url, scope } => {
            let id = operator.add_resource(&site, &url, scope).await.map_err(Failure::from_error)?;
            format.say(&format!("resource {id}"), &json!({ "resource_id": id, "url": url.as_str() }));
        }
        Resource::List => {
            for resource in operator.resources().await.map_err(Failure::from_error)? {
                let scopes: Vec<&str> = resource.scopes.iter().map(Scope::name).collect();
                let text = format!(
                    "{}  {:<9}  {}  site: {}  scopes: {}",
                    resource.id,
                    resource.status,
                    resource.url,
                    resource.site_id,
                    scopes.join(" ")
                );
                format.say(&text, &serde_json::to_value(&resource).map_err(Failure::from_error)?);
            }
        }
        Resource::Remove(Id { id }) => {
            operator.remove_resource(&id).await.map_err(Failure::from_error)?;
            let text = format!("{id} is removed; what was granted for it has ended");
            format.say(&text, &json!({ "id": id, "status": "removed" }));
        }
    }
    Ok(())
}
