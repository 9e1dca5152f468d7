//! Who speaks for a site: the holder of its token, or a gateway that serves it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::credentials::{Holder, TokenHash};
use crate::reply::{Refusal, unavailable};
use crate::request::one_header;
use crate::service::Service;
use crate::store::{Caller, Standing, Store};

const HEADER: &str = "x-site-token";

/// The site or gateway that calls: known, and not suspended.
#[derive(Clone, Debug)]
pub(crate) struct SiteCaller {
    pub(crate) caller: Caller,
    token: TokenHash,
    holder: Holder,
}

impl SiteCaller {
    /// The caller whose token the headers carry.
    pub(crate) async fn authenticate(headers: &HeaderMap, store: &Store) -> Result<Self, Refusal> {
        let text =
            one_header(headers, HEADER).map_err(|_| Refusal::SiteTokenInvalid)?.ok_or(Refusal::SiteTokenMissing)?;
        let site = TokenHash::presented(text, Holder::Site).map(|token| (token, Holder::Site));
        let presented =
            site.or_else(|| TokenHash::presented(text, Holder::Gateway).map(|token| (token, Holder::Gateway)));
        let (token, holder) = presented.ok_or(Refusal::SiteTokenInvalid)?;
        let caller = look_up(store, &token, holder).await?;
        Ok(Self { caller, token, holder })
    }

    /// Whether the credential still counts: asked again while a stream lives.
    pub(crate) async fn recheck(&self, store: &Store) -> Result<(), Refusal> {
        look_up(store, &self.token, self.holder).await.map(drop)
    }

    /// A name for limits: one for each credential.
    pub(crate) fn key(&self) -> &str {
        match &self.caller {
            Caller::Site { id, .. } => id.as_str(),
            Caller::Gateway { id, .. } => id,
        }
    }
}

async fn look_up(store: &Store, token: &TokenHash, holder: Holder) -> Result<Caller, Refusal> {
    let found = match holder {
        Holder::Site => store.site_by_token(token).await,
        Holder::Gateway => store.gateway_by_token(token).await,
        Holder::Agent | Holder::Code | Holder::Refresh | Holder::Client | Holder::OwnerSession => Ok(None),
    };
    let found = found.map_err(unavailable(Refusal::SiteAuthUnavailable))?;
    let caller = found.ok_or(Refusal::SiteTokenInvalid)?;
    let (Caller::Site { standing, .. } | Caller::Gateway { standing, .. }) = &caller;
    match standing {
        Standing::Active => Ok(caller),
        Standing::Suspended | Standing::OwnerSuspended => Err(Refusal::SiteSuspended),
    }
}

impl FromRequestParts<Arc<Service>> for SiteCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Refusal> {
        Self::authenticate(&parts.headers, &service.store).await
    }
}
