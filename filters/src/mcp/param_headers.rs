//! `Mcp-Param-*`: arguments of a call that its client repeats in headers, for those who route by them and do not read bodies
//! (MCP 2026-07-28, Streamable HTTP, custom headers from tool parameters).
//!
//! Which arguments those are, a tool's definition says: `"x-mcp-header": "Region"` at a property. Of a tool whose definition
//! was not seen, only the form of such headers is judged.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName};
use serde_json::value::RawValue;

use super::era::{Mismatch, decoded};
use super::object::{self, Object, Unreadable};

/// How the names of all of them begin.
const PREFIX: &str = "mcp-param-";

/// The member of a property that asks for a header.
const ANNOTATION: &str = "x-mcp-header";

/// Deepest nesting of properties that is looked into, and most headers of a tool. What goes further is not enforced.
const DEPTH_MAX: usize = 8;
const HEADERS_MAX: usize = 32;

/// The headers that calls of the tools of one endpoint repeat arguments in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamHeaders(HashMap<Box<str>, Box<[ParamHeader]>>);

/// A header, and the argument that it repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ParamHeader {
    name: HeaderName,
    /// The names of the members that lead to the argument.
    path: Vec<Box<str>>,
}

impl ParamHeaders {
    /// Most tools that are remembered, as many as are pinned.
    const TOOLS_MAX: usize = 1000;

    /// These with what the definition of a tool says; `None` if that is nothing new.
    #[must_use]
    pub fn with(&self, tool: &str, definition: &str) -> Option<Self> {
        let declared = declared(definition);
        let is_known = self.0.get(tool).map_or(&[][..], |headers| headers) == declared;
        if is_known || (!self.0.contains_key(tool) && self.0.len() >= Self::TOOLS_MAX) {
            return None;
        }
        let mut tools = self.0.clone();
        if declared.is_empty() {
            drop(tools.remove(tool))
        } else {
            drop(tools.insert(tool.into(), declared.into()))
        }
        Some(Self(tools))
    }

    fn of(&self, tool: &str) -> &[ParamHeader] {
        self.0.get(tool).map_or(&[], |headers| headers)
    }
}

/// Holds the headers of a call against its arguments.
pub(crate) fn check(
    headers: &HeaderMap,
    known: Option<&ParamHeaders>,
    (tool, arguments): (&str, Option<&str>),
) -> Result<(), Mismatch> {
    let mut params = headers.iter().filter(|(name, _)| name.as_str().starts_with(PREFIX));
    if params.any(|(_, value)| decoded(value).is_none()) {
        return Err(Mismatch::ParamForm);
    }
    for ParamHeader { name, path } in known.map_or(&[][..], |known| known.of(tool)) {
        let argument = arguments.and_then(|arguments| find(arguments, path));
        match (headers.get(name).and_then(decoded), argument) {
            (None, None) => {}
            (Some(said), Some(argument)) if says(&said, argument) => {}
            (None, Some(_)) => return Err(Mismatch::NoParam),
            (Some(_), _) => return Err(Mismatch::Param),
        }
    }
    Ok(())
}

/// An argument as it was written; `None` for one that is not there, or `null`, which no header says.
fn find<'a>(arguments: &'a str, path: &[Box<str>]) -> Option<&'a RawValue> {
    let mut value: &RawValue = serde_json::from_str(arguments).ok()?;
    for name in path {
        value = Object::of(value).ok()?.get(name)?;
    }
    (value.get() != "null").then_some(value)
}

/// Whether a header says what an argument is. Numbers are compared as such: `42.0` is 42.
fn says(said: &str, argument: &RawValue) -> bool {
    match argument.get().as_bytes().first() {
        Some(b'"') => object::text(argument).is_some_and(|text| text == said),
        Some(b'-' | b'0'..=b'9') => {
            let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
            said == argument.get() || number(said).is_some_and(|said| Some(said) == number(argument.get()))
        }
        Some(_) | None => said == argument.get(),
    }
}

/// What a definition declares. One that declares something that cannot be is not believed in anything.
fn declared(definition: &str) -> Vec<ParamHeader> {
    if !definition.contains(ANNOTATION) {
        return Vec::new();
    }
    let read = || {
        let schema = Object::read(definition.as_bytes())?.get("inputSchema").map(Object::of).transpose()?;
        let mut found = Vec::new();
        if let Some(schema) = schema {
            collect(&schema, &mut Vec::new(), &mut found)?;
        }
        Ok::<_, Unreadable>(found)
    };
    let found = read().unwrap_or_default();
    let is_twice = |(index, header): (usize, &ParamHeader)| found.iter().take(index).any(|one| one.name == header.name);
    if found.len() > HEADERS_MAX || found.iter().enumerate().any(is_twice) { Vec::new() } else { found }
}

/// Only what is reached through `properties` alone is an argument that a header can repeat.
fn collect(schema: &Object<'_>, path: &mut Vec<Box<str>>, found: &mut Vec<ParamHeader>) -> Result<(), Unreadable> {
    let Some(properties) = schema.get("properties").filter(|_| path.len() < DEPTH_MAX) else { return Ok(()) };
    for (name, property) in Object::of(properties)?.members().filter(|(_, property)| object::is_object(property)) {
        let property = Object::of(property)?;
        path.push(name.into());
        if let Some(asked) = property.get(ANNOTATION) {
            let asked = object::text(asked).ok_or(Unreadable::Syntax)?;
            let name = HeaderName::try_from(format!("{PREFIX}{asked}")).map_err(|_| Unreadable::Syntax)?;
            found.push(ParamHeader { name, path: path.clone() });
        }
        collect(&property, path, found)?;
        path.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::headers;

    const TOOL: &str = r#"{"name":"query","inputSchema":{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "limit":{"type":"integer","x-mcp-header":"Limit"},
        "at":{"type":"object","properties":{"night":{"type":"boolean","x-mcp-header":"Night"}}},
        "text":{"type":"string"}}}}"#;

    #[track_caller]
    fn check_call(lines: &[(&'static str, &str)], arguments: Option<&str>, expected: Result<(), Mismatch>) {
        let known = ParamHeaders::default().with("query", TOOL).unwrap();
        let found = check(&headers(lines), Some(&known), ("query", arguments));
        assert_eq!(found, expected, "{lines:?} {arguments:?}");
    }

    #[test]
    fn headers_say_what_arguments_do() {
        let region = r#"{"region":"Hello"}"#;
        check_call(&[("mcp-param-region", "Hello")], Some(region), Ok(()));
        check_call(&[("mcp-param-region", "=?base64?SGVsbG8=?=")], Some(region), Ok(()));
        check_call(&[("mcp-param-region", "hello")], Some(region), Err(Mismatch::Param));
        check_call(&[("mcp-param-region", "SGVsbG8=")], Some(r#"{"region":"SGVsbG8="}"#), Ok(()));
        check_call(&[], Some(region), Err(Mismatch::NoParam));
        check_call(&[("mcp-param-region", "Hello")], Some("{}"), Err(Mismatch::Param));
        for absent in [None, Some("{}"), Some(r#"{"region":null}"#), Some(r#"{"text":"Hello"}"#)] {
            check_call(&[], absent, Ok(()));
        }
        for (said, limit, is_true) in
            [("42", "42", true), ("42.0", "42", true), ("42", "4.2e1", true), ("41", "42", false)]
        {
            let expected = if is_true { Ok(()) } else { Err(Mismatch::Param) };
            check_call(&[("mcp-param-limit", said)], Some(&format!(r#"{{"limit":{limit}}}"#)), expected);
        }
        check_call(&[("mcp-param-night", "true")], Some(r#"{"at":{"night":true}}"#), Ok(()));
        check_call(&[("mcp-param-night", "true")], Some(r#"{"at":{"night":false}}"#), Err(Mismatch::Param));
    }

    #[test]
    fn a_header_of_a_bad_form_is_refused_of_any_tool() {
        for value in ["=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "=?base64?gA==?="] {
            let sent = headers(&[("mcp-param-x", value)]);
            assert_eq!(check(&sent, None, ("other", None)), Err(Mismatch::ParamForm), "{value}");
        }
        for value in ["", "plain", "=?base64?SGVsbG8=", "SGVsbG8?="] {
            assert_eq!(check(&headers(&[("mcp-param-x", value)]), None, ("other", None)), Ok(()), "{value}");
        }
    }

    #[test]
    fn what_a_tool_declares_is_remembered_until_it_declares_something_else() {
        let known = ParamHeaders::default().with("query", TOOL).unwrap();
        assert_eq!(known.of("query").len(), 3);
        assert_eq!(known.with("query", TOOL), None);
        assert_eq!(known.with("other", r#"{"name":"other"}"#), None);
        assert_eq!(known.with("query", r#"{"name":"query"}"#), Some(ParamHeaders::default()));
        for odd in [
            r#"{"inputSchema":{"properties":{"a":{"x-mcp-header":"A"},"b":{"x-mcp-header":"a"}}}}"#,
            r#"{"inputSchema":{"properties":{"a":{"x-mcp-header":"no name"}}}}"#,
            r#"{"inputSchema":{"properties":{"a":{"x-mcp-header":7}}}}"#,
            r#"{"inputSchema":{"items":{"properties":{"a":{"x-mcp-header":"A"}}}}}"#,
        ] {
            assert_eq!(ParamHeaders::default().with("odd", odd), None, "{odd}");
        }
    }
}
