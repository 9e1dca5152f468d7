//! Which policy a path has: `[[site.route]]`, and `protect`, which is short for some.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;

use http::Method;

use crate::reader::{Key, Reported, Table};
use crate::value::Value;
use crate::{PathPattern, Place, Policy};

pub(crate) const PATH: Key = Key::new("path", r#""/api/*""#);
const METHODS: Key = Key::new("methods", r#"["POST", "PUT"]"#);
pub(crate) const POLICY: Key = Key::new("policy", r#""passport""#);

/// Some paths of a site, and what they ask for.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which paths.
    pub path: PathPattern,
    /// Which methods.
    pub methods: Methods,
    /// What is asked for.
    pub policy: Arc<Policy>,
    /// Where it is written.
    pub defined_at: Place,
}

/// Which methods a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// All.
    Any,
    /// These. `GET` means `HEAD` too (RFC 9110 §9.3.2).
    Only(Vec<Method>),
}

impl Methods {
    /// Whether a method is meant.
    #[must_use]
    pub fn contains(&self, method: &Method) -> bool {
        match self {
            Self::Any => true,
            Self::Only(methods) => {
                methods.contains(method) || (*method == Method::HEAD && methods.contains(&Method::GET))
            }
        }
    }

    /// A method that both are for.
    fn common(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Any, Self::Any) => Some("every method".to_owned()),
            // The one that names its methods is the more specific.
            (Self::Any, Self::Only(_)) | (Self::Only(_), Self::Any) => None,
            (Self::Only(ours), Self::Only(theirs)) => {
                let of_ours = ours.iter().find(|method| other.contains(method));
                of_ours.or_else(|| theirs.iter().find(|method| self.contains(method))).map(ToString::to_string)
            }
        }
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any method"),
            Self::Only(methods) => f.write_str(&methods.iter().map(Method::as_str).collect::<Vec<_>>().join(" ")),
        }
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// What is asked for.
    pub policy: &'a Arc<Policy>,
    /// The route, where one is written.
    pub route: Option<&'a Route>,
}

/// The routes of a site, the most specific first: exact paths, then folders from the longest to the shortest; with one
/// path, those that name their methods.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    pub(crate) fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| (route.path.specificity(), route.methods == Methods::Any));
        Self(routes)
    }

    pub(crate) fn find(&self, path: &[u8], method: &Method) -> Option<&Route> {
        self.0.iter().find(|route| route.path.matches(path) && route.methods.contains(method))
    }

    pub(crate) fn all(&self) -> &[Route] {
        &self.0
    }
}

impl Route {
    /// `[[site.route]]`. `policy` finds one by its name.
    pub(crate) fn read(
        table: &mut Table<'_>,
        policy: impl FnOnce(Value<'_>) -> Result<Arc<Policy>, Reported>,
    ) -> Result<Self, Reported> {
        let path = table.required(PATH, Value::parsed);
        let methods = table.optional(METHODS, |value| value.each(|method| method.parsed_by(known_method)));
        let policy = table.required(POLICY, policy);
        let defined_at = table.place(PATH);
        let methods = methods?;
        if methods.as_ref().is_some_and(Vec::is_empty) {
            return Err(table.report(METHODS, "`methods = []` is for no request: name some, or leave it out for all"));
        }
        Ok(Self { path: path?, methods: methods.map_or(Methods::Any, Methods::Only), policy: policy?, defined_at })
    }

    /// One of `protect`.
    pub(crate) fn protecting(path: PathPattern, defined_at: Place) -> Self {
        Self { path, methods: Methods::Any, policy: Policy::passport(), defined_at }
    }

    /// One of `open`.
    pub(crate) fn open(path: PathPattern, defined_at: Place) -> Self {
        Self { path, methods: Methods::Any, policy: Policy::open(), defined_at }
    }

    /// Whether neither of two is the more specific one for some request; the answer names it.
    pub(crate) fn ties_with(&self, other: &Self) -> Option<String> {
        if self.path == other.path { self.methods.common(&other.methods) } else { None }
    }
}

fn known_method(text: &str) -> Result<Method, String> {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if matches!(text, "CONNECT" | "TRACE") {
        return Err(format!("`{text}` is never served: leave it out"));
    }
    let upper = text.to_ascii_uppercase();
    match Method::from_str(text) {
        Ok(_) if text != upper && KNOWN.contains(&upper.as_str()) => {
            Err(format!("methods are written in capitals: write \"{upper}\""))
        }
        Ok(method) => Ok(method),
        Err(_) => Err(format!("`{text}` is no method: write one like \"POST\"")),
    }
}

#[cfg(test)]
mod tests;
