//! Which resource a token is to be for (RFC 8707).

use super::authorization::AuthorizationError;
use super::token_error::TokenError;
use crate::foundation::resource_url::ResourceUrl;
use crate::request::parameters::{Parameters, Repeated};
use crate::service::Service;
use crate::store::{ResourceRecord, StoreError};

/// Why no resource is meant.
#[derive(Debug)]
pub(crate) enum NoResource {
    /// It is not registered here, or is no URL of a resource.
    Unknown,
    /// None is named, and there are several.
    Unnamed,
    /// Several are named; a token is for one.
    Several,
    Store(StoreError),
}

/// What a request names as its resource.
pub(crate) fn asked(said: &Parameters) -> Result<Option<&str>, NoResource> {
    said.one("resource").map_err(|Repeated| NoResource::Several)
}

/// The resource that is asked for, as it is registered. Clients that name none mean the only one there is.
pub(crate) async fn find(service: &Service, asked: Option<&str>) -> Result<ResourceRecord, NoResource> {
    let Some(asked) = asked else {
        let mut all = service.store.two_resources().await.map_err(NoResource::Store)?.into_iter();
        return match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(NoResource::Unknown),
            (Some(_), Some(_)) => Err(NoResource::Unnamed),
        };
    };
    let url: ResourceUrl = asked.parse().map_err(|_| NoResource::Unknown)?;
    service.store.resource_by_url(url.as_str()).await.map_err(NoResource::Store)?.ok_or(NoResource::Unknown)
}

const UNKNOWN: &str = "no such resource is registered here";
const UNNAMED: &str = "resource is missing: several are registered here";
const SEVERAL: &str = "name one resource: a token is for one";

impl From<NoResource> for AuthorizationError {
    fn from(none: NoResource) -> Self {
        match none {
            NoResource::Unknown => Self::Target(UNKNOWN),
            NoResource::Unnamed => Self::Target(UNNAMED),
            NoResource::Several => Self::Target(SEVERAL),
            NoResource::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "store failed");
                Self::Unavailable
            }
        }
    }
}

impl From<NoResource> for TokenError {
    fn from(none: NoResource) -> Self {
        match none {
            NoResource::Unknown => Self::Target(UNKNOWN),
            NoResource::Unnamed => Self::Target(UNNAMED),
            NoResource::Several => Self::Target(SEVERAL),
            NoResource::Store(error) => Self::store(error),
        }
    }
}
