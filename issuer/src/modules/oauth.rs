//! `/api/v1/modules/oauth/...`: access tokens for agents. One RFC a file: [`metadata`] is RFC 8414, [`token`] is the lane of
//! the agent SDK; [`domain`] says for which hosts a token can be.
//!
//! Who a client is: [`register`] is RFC 7591, [`client_metadata`] the documents of clients whose name is a URL,
//! [`client_auth`] how one says who it is, [`client_assertion`] the way of those with keys; [`redirect_uri`] says where it
//! is answered and [`client_name`] what people read of it.

#[cfg_attr(not(test), expect(dead_code, reason = "the OAuth endpoints that use it follow"))]
pub(crate) mod client_assertion;
#[cfg_attr(not(test), expect(dead_code, reason = "the OAuth endpoints that use it follow"))]
pub(crate) mod client_auth;
#[cfg_attr(not(test), expect(dead_code, reason = "the OAuth endpoints that use it follow"))]
pub(crate) mod client_metadata;
pub(crate) mod client_name;
pub(crate) mod domain;
pub(crate) mod metadata;
#[cfg_attr(not(test), expect(dead_code, reason = "the OAuth endpoints that use it follow"))]
pub(crate) mod redirect_uri;
#[cfg_attr(not(test), expect(dead_code, reason = "the OAuth endpoints that use it follow"))]
pub(crate) mod register;
pub(crate) mod token;
