//! What the gateway does to a request
