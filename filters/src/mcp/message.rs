//! A message of JSON-RPC 2.0 as the Model Context Protocol has it: one object, a request, a notification or a response.

use std::borrow::Cow;

use config::RuleKind;

use super::case::looks_like;
use super::json::{self, Member, Place};
use super::method::mcp_methods;

/// Why a body is no message, or could be read as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Not UTF-8.
    #[error("the body is not UTF-8")]
    Encoding,
    /// Not JSON, or not a single object of it.
    #[error("the body is not one object of JSON")]
    Syntax,
    /// Several messages in a list, which the protocol gave up.
    #[error("the body is a list: send one message a request")]
    Batch,
    /// A member that stands twice, at any depth.
    #[error("an object has two members of one name")]
    Duplicate,
    /// A member, or a method, that only case tells from one that is known.
    #[error("a name differs only in case from one that the protocol has")]
    LookAlike,
    /// Half of a surrogate pair.
    #[error("a string has half of a surrogate pair")]
    Surrogate,
    /// A NUL in a name.
    #[error("a name has a NUL in it")]
    Nul,
    /// Deeper nesting than is read.
    #[error("the message is nested too deeply")]
    TooDeep,
    /// `jsonrpc` is not `"2.0"`.
    #[error("`jsonrpc` is not \"2.0\"")]
    Version,
    /// `id` is neither a string nor a whole number.
    #[error("`id` is neither a string nor a whole number")]
    Id,
    /// Neither a request, a notification nor a response.
    #[error("the message is neither a request, a notification nor a response")]
    Shape,
    /// `params`, or one of them, is not what the method takes.
    #[error("`params` are not what the method takes")]
    Params,
    /// A request of the same id is not answered yet.
    #[error("a request of this session with this `id` is not answered yet")]
    IdInUse,
}

impl Malformed {
    /// What is said of it.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Encoding => "The body is not UTF-8.",
            Self::Syntax => "The body is not one object of JSON.",
            Self::Batch => "The body is a list: send one message a request.",
            Self::Duplicate => "An object has two members of one name.",
            Self::LookAlike => "A name differs only in case from one that the protocol has.",
            Self::Surrogate => "A string has half of a surrogate pair.",
            Self::Nul => "A name has a NUL in it.",
            Self::TooDeep => "The message is nested too deeply.",
            Self::Version => "`jsonrpc` is not \"2.0\".",
            Self::Id => "`id` is neither a string nor a whole number.",
            Self::Shape => "The message is neither a request, a notification nor a response.",
            Self::Params => "`params` are not what the method takes.",
            Self::IdInUse => "A request of this session with this `id` is not answered yet.",
        }
    }

    /// The code of JSON-RPC 2.0 §5.1 for it.
    pub(super) const fn code(self) -> i32 {
        match self {
            Self::Encoding | Self::Syntax | Self::Surrogate | Self::TooDeep => -32700,
            Self::Params => -32602,
            Self::Batch
            | Self::Duplicate
            | Self::LookAlike
            | Self::Nul
            | Self::Version
            | Self::Id
            | Self::Shape
            | Self::IdInUse => -32600,
        }
    }
}

/// What kind of message one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is to be answered.
    Request,
    /// It is not.
    Notification,
    /// It answers a request of the server's.
    Response,
}

/// A message that can be read in one way only, borrowed from its bytes.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What kind it is.
    pub kind: Kind,
    /// `id` as it was written, quotes and all.
    pub id: Option<&'a str>,
    /// `method`; `None` in a response.
    pub method: Option<Cow<'a, str>>,
    /// `params.name`, where it is a string.
    pub name: Option<Cow<'a, str>>,
    /// `params.uri`, where it is a string.
    pub uri: Option<Cow<'a, str>>,
    /// `params.taskId`, where it is a string.
    pub task: Option<Cow<'a, str>>,
    /// `params.arguments` as it was written.
    pub arguments: Option<&'a str>,
    /// `params._meta.traceparent`, where it is a string.
    pub trace_parent: Option<Cow<'a, str>>,
    /// `io.modelcontextprotocol/protocolVersion` of `params._meta`, as it was written.
    pub(super) protocol_version: Option<&'a str>,
    /// What it is about, where it is about tools, resources or prompts. More than one only in a subscription.
    pub targets: Vec<(RuleKind, Cow<'a, str>)>,
}

/// Most resources that one message is about: each is held against every rule.
const TARGETS_MAX: usize = 256;

impl<'a> Message<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Malformed`], if it is no message or could be read as two.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body).map_err(|_| Malformed::Encoding)?;
        let members = Members(json::read(text)?);
        if members.raw(Place::Message, "jsonrpc").and_then(json::text).as_deref() != Some("2.0") {
            return Err(Malformed::Version);
        }
        let id = members.raw(Place::Message, "id");
        if id.is_some_and(|id| !is_id(id)) {
            return Err(Malformed::Id);
        }
        let method = members.raw(Place::Message, "method");
        let answers = ["result", "error"].map(|name| members.raw(Place::Message, name).is_some());
        let kind = match (method, id, answers) {
            (Some(_), Some(_), [false, false]) => Kind::Request,
            (Some(_), None, [false, false]) => Kind::Notification,
            (None, Some(_), [true, false] | [false, true]) => Kind::Response,
            _ => return Err(Malformed::Shape),
        };
        if members.raw(Place::Message, "params").is_some_and(|params| !params.starts_with('{') && params != "null") {
            return Err(Malformed::Params);
        }
        let mut message = Self {
            kind,
            id,
            method: method.map(|method| json::text(method).ok_or(Malformed::Shape)).transpose()?,
            name: members.text(Place::Params, "name")?,
            uri: members.text(Place::Params, "uri")?,
            task: members.text(Place::Params, "taskId")?,
            arguments: members.raw(Place::Params, "arguments"),
            trace_parent: members.text(Place::Meta, "traceparent")?,
            protocol_version: members.raw(Place::Meta, "io.modelcontextprotocol/protocolVersion"),
            targets: Vec::new(),
        };
        message.find_targets(&members)?;
        Ok(message)
    }

    /// Finds what it is about. A call that does not say what it calls is none.
    fn find_targets(&mut self, members: &Members<'a>) -> Result<(), Malformed> {
        let Some(method) = self.method.as_deref() else { return Ok(()) };
        // One that differs from a method of the protocol only in case may be that to some server.
        let is_misspelt = mcp_methods().any(|known| known != method && looks_like(method, known));
        if method.is_empty() || method.contains('\0') || is_misspelt {
            return Err(Malformed::LookAlike);
        }
        let asked = |name: &Option<Cow<'a, str>>| name.clone().ok_or(Malformed::Params);
        match method {
            "tools/call" => self.targets.push((RuleKind::Tool, asked(&self.name)?)),
            "prompts/get" => self.targets.push((RuleKind::Prompt, asked(&self.name)?)),
            "resources/read" => self.targets.push((RuleKind::Resource, asked(&self.uri)?)),
            // No methods of the newest era: one that names nothing is the origin's to refuse.
            "resources/subscribe" | "resources/unsubscribe" if members.raw(Place::Params, "uri").is_none() => {}
            "resources/subscribe" | "resources/unsubscribe" => {
                self.targets.push((RuleKind::Resource, asked(&self.uri)?));
            }
            "completion/complete" => {
                let of = |name| members.text(Place::Reference, name);
                let target = match of("type")?.as_deref() {
                    Some("ref/prompt") => (RuleKind::Prompt, of("name")?),
                    Some("ref/resource") => (RuleKind::Resource, of("uri")?),
                    Some(_) | None => return Err(Malformed::Params),
                };
                self.targets.push((target.0, target.1.ok_or(Malformed::Params)?));
            }
            "subscriptions/listen" => {
                let watched = members.raw(Place::Notifications, "resourceSubscriptions");
                let watched = watched.map_or(Some(Vec::new()), json::texts).ok_or(Malformed::Params)?;
                if watched.len() > TARGETS_MAX {
                    return Err(Malformed::Params);
                }
                self.targets.extend(watched.into_iter().map(|uri| (RuleKind::Resource, uri)));
            }
            _ => {}
        }
        if self.targets.iter().any(|(_, name)| name.contains('\0')) { Err(Malformed::Nul) } else { Ok(()) }
    }

    /// What `Mcp-Name` has to be, where there is such a thing: see [`Era`](super::Era).
    pub(super) fn header_name(&self) -> Option<&str> {
        match self.method.as_deref() {
            Some("tools/call" | "prompts/get") => self.name.as_deref(),
            Some(method) if method.starts_with("resources/") => self.uri.as_deref(),
            Some(method) if method.starts_with("tasks/") => self.task.as_deref(),
            Some(_) | None => self.name.as_deref().or(self.uri.as_deref()),
        }
    }
}

/// The members that decide something.
struct Members<'a>(arrayvec::ArrayVec<Member<'a>, 20>);

impl<'a> Members<'a> {
    fn raw(&self, place: Place, name: &str) -> Option<&'a str> {
        self.0.iter().find(|member| member.place == place && member.name == name).map(|member| member.value)
    }

    /// A string; `None` for anything else, which is then nothing to us.
    fn text(&self, place: Place, name: &str) -> Result<Option<Cow<'a, str>>, Malformed> {
        let text = self.raw(place, name).and_then(json::text);
        if text.as_ref().is_some_and(|text| text.contains('\0')) { Err(Malformed::Nul) } else { Ok(text) }
    }
}

/// A string, or a whole number written as one.
fn is_id(id: &str) -> bool {
    id.starts_with('"') || id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests;
