//! Scopes (RFC 6749 §3.3): words parted by spaces, each with a meaning that its resource is registered with.

use crate::store::{ResourceRecord, Scope, scope_names};

/// Asks for a refresh token (OpenID Connect Core §11). Every owner's consent brings one, so it means nothing here.
const OFFLINE_ACCESS: &str = "offline_access";

/// A scope that is asked for and that the resource does not have, or that was not consented to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownScope;

/// As one text, parted by spaces.
pub(crate) fn join(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>().join(" ")
}

/// The scopes of a resource that are asked for; all of them, where none is.
pub(crate) fn among(resource: &ResourceRecord, asked: Option<&str>) -> Result<Vec<Scope>, UnknownScope> {
    let mut asked: Vec<&str> = scope_names(asked.unwrap_or_default()).collect();
    if asked.is_empty() {
        return Ok(resource.scopes.clone());
    }
    // Who asks for this alone asks for nothing that there is, and is not to be given everything for it.
    asked.retain(|word| *word != OFFLINE_ACCESS);
    if asked.is_empty() {
        return Err(UnknownScope);
    }
    let is_known = |word: &&str| resource.scopes.iter().any(|scope| scope.name == **word);
    if !asked.iter().all(is_known) {
        return Err(UnknownScope);
    }
    Ok(resource.scopes.iter().filter(|scope| asked.contains(&scope.name.as_str())).cloned().collect())
}

/// What is left of `granted` where `asked` asks for less (RFC 6749 §6); it must not ask for more.
pub(crate) fn narrowed(granted: &str, asked: Option<&str>) -> Result<String, UnknownScope> {
    let Some(asked) = asked else { return Ok(granted.to_owned()) };
    let asked: Vec<&str> = scope_names(asked).filter(|word| *word != OFFLINE_ACCESS).collect();
    if asked.is_empty() {
        return Ok(granted.to_owned());
    }
    if asked.iter().all(|word| scope_names(granted).any(|one| one == *word)) {
        Ok(scope_names(granted).filter(|word| asked.contains(word)).collect::<Vec<_>>().join(" "))
    } else {
        Err(UnknownScope)
    }
}

/// Whether all of `asked` stand in `granted`.
pub(crate) fn covers(granted: &str, asked: &[Scope]) -> bool {
    asked.iter().all(|scope| scope_names(granted).any(|word| word == scope.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_may_be_asked_for_and_never_more() {
        assert_eq!(narrowed("a b c", None).as_deref(), Ok("a b c"));
        assert_eq!(narrowed("a b c", Some("c a")).as_deref(), Ok("a c"));
        assert_eq!(narrowed("a b", Some("offline_access")).as_deref(), Ok("a b"));
        assert_eq!(narrowed("a b", Some("a d")), Err(UnknownScope));
        assert_eq!(narrowed("ab", Some("a")), Err(UnknownScope));
    }
}
