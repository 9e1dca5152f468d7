//! The agent's side: log in, fetch through a gateway, get tokens
