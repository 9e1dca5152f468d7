//! `grant_type=client_credentials` (RFC 6749 §4.4): a client that an operator added acts in the name of its agent.

use super::client::{Client, Origin};
use super::token::{Issued, Minting, admit, mint};
use super::token_error::TokenError;
use super::{resource, scope};
use crate::request::parameters::Parameters;
use crate::service::Service;
use crate::time::UnixMillis;

pub(super) async fn issue(service: &Service, client: &Client, said: &Parameters) -> Result<Issued, TokenError> {
    let Origin::Operator(agent) = &client.origin else {
        return Err(TokenError::Unauthorized("this client acts for owners: write authorization_code"));
    };
    let resource = resource::find(service, resource::asked(said)?).await?;
    let scopes =
        scope::among(&resource, said.one("scope")?).map_err(|_| TokenError::Scope("the resource has no such scope"))?;
    let may = service.store.may_visit(agent, &resource.site).await.map_err(TokenError::store)?;
    if !may {
        return Err(TokenError::Target("the site of this resource is not on the agent's list"));
    }
    let scope = scope::join(&scopes);
    let admitted = admit(service, agent, &resource.url).await?;
    mint(service, &admitted, Minting { client: &client.id, scope: &scope, grant: None }, UnixMillis::now()).await
}
