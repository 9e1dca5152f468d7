//! Resources (RFC 8707): what a token can be for. Each belongs to a site, and by it to an organisation: the site's owner.

use passport::{OwnerId, SiteId};
use serde::{Deserialize, Serialize};

use super::database::{StoreError, Tx, Value};
use super::grants::Families;
use super::registry::{Standing, standing};
use super::{AuditRow, Store, audit};
use crate::time::UnixMillis;

/// What a client can ask for at a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// A `scope-token` (RFC 6749 §3.3).
    pub(crate) name: String,
    /// What the owner reads before consenting.
    pub(crate) description: String,
}

impl Scope {
    /// Its name, as it stands in `scope`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A resource to be registered.
#[derive(Clone, Debug)]
pub(crate) struct NewResource {
    pub(crate) site: SiteId,
    pub(crate) url: String,
    pub(crate) scopes: Vec<Scope>,
}

/// A registered resource with its site, judged at this moment.
#[derive(Clone, Debug)]
pub(crate) struct ResourceRecord {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) site: SiteId,
    pub(crate) site_name: String,
    pub(crate) organisation: OwnerId,
    pub(crate) organisation_name: String,
    pub(crate) scopes: Vec<Scope>,
    /// Of the site and its owner.
    pub(crate) standing: Standing,
    /// The later of the site's and its owner's.
    pub(crate) not_before: UnixMillis,
}

/// How the registration of a resource ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceRegistration {
    Done,
    UnknownSite,
    /// The URL is a resource already.
    Taken,
}

type Found = (String, String, String, String, i64, i64, String, String, i64, i64, String);

/// The names in a text of scopes (RFC 6749 §3.3).
pub(crate) fn scope_names(scope: &str) -> impl Iterator<Item = &str> {
    scope.split(' ').filter(|name| !name.is_empty())
}

impl Store {
    /// Registers a resource under `id`.
    pub(crate) async fn add_resource(
        &self,
        id: String,
        resource: NewResource,
        now: UnixMillis,
    ) -> Result<ResourceRegistration, StoreError> {
        let scopes = serde_json::to_string(&resource.scopes).map_err(|_| StoreError::Unreadable("scope"))?;
        self.database
            .write(move |tx| {
                let (id, resource, scopes) = (id.clone(), resource.clone(), scopes.clone());
                Box::pin(async move { add(tx, &id, &resource, &scopes, now).await })
            })
            .await
    }

    /// The resource with this URL, byte for byte.
    pub(crate) async fn resource_by_url(&self, url: &str) -> Result<Option<ResourceRecord>, StoreError> {
        let sql = "SELECT r.id, r.url, r.site_id, s.name, s.suspended, s.not_before, o.id, o.name, o.suspended,
                          o.not_before, r.scopes
                   FROM resources r JOIN sites s ON s.id = r.site_id JOIN owners o ON o.id = s.owner_id
                   WHERE r.url = $1";
        self.database.row(sql, &[url.into()]).await?.map(record).transpose()
    }

    /// The two oldest resources: enough to know whether there is one.
    pub(crate) async fn two_resources(&self) -> Result<Vec<ResourceRecord>, StoreError> {
        let sql = "SELECT r.id, r.url, r.site_id, s.name, s.suspended, s.not_before, o.id, o.name, o.suspended,
                          o.not_before, r.scopes
                   FROM resources r JOIN sites s ON s.id = r.site_id JOIN owners o ON o.id = s.owner_id
                   ORDER BY r.created_at, r.id LIMIT 2";
        self.database.rows(sql, &[]).await?.into_iter().map(record).collect()
    }

    /// Registered resources, the oldest first; 10,000 at most.
    pub(crate) async fn resources(&self) -> Result<Vec<ResourceRecord>, StoreError> {
        let sql = "SELECT r.id, r.url, r.site_id, s.name, s.suspended, s.not_before, o.id, o.name, o.suspended,
                          o.not_before, r.scopes
                   FROM resources r JOIN sites s ON s.id = r.site_id JOIN owners o ON o.id = s.owner_id
                   ORDER BY r.created_at, r.id LIMIT 10000";
        self.database.rows(sql, &[]).await?.into_iter().map(record).collect()
    }

    /// Removes a resource, then ends what was granted for it. `Ok(false)`: no such resource.
    pub(crate) async fn remove_resource(&self, id: String, now: UnixMillis) -> Result<bool, StoreError> {
        let removed = self
            .database
            .write(move |tx| {
                let id = id.clone();
                Box::pin(async move { remove(tx, id, now).await })
            })
            .await?;
        // By now nobody can begin anything with it.
        if let Some(url) = &removed {
            self.end_families(Families::OfResource, url, "resource_removed", now).await?;
        }
        Ok(removed.is_some())
    }
}

async fn add(
    tx: &mut Tx<'_>,
    id: &str,
    resource: &NewResource,
    scopes: &str,
    now: UnixMillis,
) -> Result<ResourceRegistration, StoreError> {
    let site: Option<(String,)> =
        tx.row("SELECT id FROM sites WHERE id = $1", &[resource.site.as_str().into()]).await?;
    if site.is_none() {
        return Ok(ResourceRegistration::UnknownSite);
    }
    let sql = "INSERT INTO resources (id, site_id, url, scopes, created_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (url) DO NOTHING";
    let values: [Value; 5] =
        [id.into(), resource.site.as_str().into(), resource.url.as_str().into(), scopes.into(), now.into()];
    if tx.execute(sql, &values).await? == 0 {
        return Ok(ResourceRegistration::Taken);
    }
    let row = AuditRow {
        id: format!("resource_added:{id}"),
        action: "resource.added",
        actor: "operator".to_owned(),
        subject: id.to_owned(),
        detail: resource.url.clone(),
    };
    audit(tx, &row, now).await?;
    Ok(ResourceRegistration::Done)
}

/// The URL it had.
async fn remove(tx: &mut Tx<'_>, id: String, now: UnixMillis) -> Result<Option<String>, StoreError> {
    let removed: Option<(String,)> =
        tx.row("DELETE FROM resources WHERE id = $1 RETURNING url", &[id.as_str().into()]).await?;
    let Some((url,)) = removed else { return Ok(None) };
    tx.execute("DELETE FROM consents WHERE resource = $1", &[url.as_str().into()]).await?;
    let row = AuditRow {
        id: format!("resource_removed:{id}"),
        action: "resource.removed",
        actor: "operator".to_owned(),
        subject: id,
        detail: url.clone(),
    };
    audit(tx, &row, now).await?;
    Ok(Some(url))
}

fn record(found: Found) -> Result<ResourceRecord, StoreError> {
    let (id, url, site, site_name, own, not_before, owner, owner_name, owners, owner_not_before, scopes) = found;
    Ok(ResourceRecord {
        id,
        url,
        site: site.try_into().map_err(|_| StoreError::Unreadable("site id"))?,
        site_name,
        organisation: owner.try_into().map_err(|_| StoreError::Unreadable("owner id"))?,
        organisation_name: owner_name,
        scopes: serde_json::from_str(&scopes).map_err(|_| StoreError::Unreadable("scope"))?,
        standing: standing(own, owners),
        not_before: UnixMillis::new(not_before.max(owner_not_before)),
    })
}
