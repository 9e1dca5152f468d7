//! `/api/v1/modules/oauth/...`: access tokens for agents. One RFC a file: [`metadata`] is RFC 8414, [`token`] is the lane of
//! the agent SDK; [`domain`] says for which hosts a token can be.

pub(crate) mod domain;
pub(crate) mod metadata;
pub(crate) mod token;
