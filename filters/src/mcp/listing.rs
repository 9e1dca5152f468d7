//! Lists of tools, resources and prompts, as one caller may see them.
//!
//! A list is passed on only if it was read whole and in the one way there is to read it: what cannot be judged is
//! refused, never passed on as it came.

use std::borrow::Cow;

use config::RuleKind;
use serde_json::value::RawValue;

use super::object::{self, Object, Unreadable};

/// What a result may list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `prompts/list`.
    Prompts,
}

impl Listed {
    /// All there are.
    const ALL: [Self; 4] = [Self::Tools, Self::Resources, Self::Templates, Self::Prompts];

    /// What a method asks for, if it asks for a list.
    #[must_use]
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|listed| listed.method() == method)
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }

    /// The member of the result that holds the list.
    const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// The member of an entry by which it is asked for.
    const fn name(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// Which rules are about it. A template is judged by how its text begins: what is read is judged again by its URI.
    #[must_use]
    pub const fn rule_kind(self) -> RuleKind {
        match self {
            Self::Tools => RuleKind::Tool,
            Self::Resources | Self::Templates => RuleKind::Resource,
            Self::Prompts => RuleKind::Prompt,
        }
    }
}

/// One thing of a list.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it is.
    pub listed: Listed,
    /// Its name, or its URI.
    pub name: &'a str,
    /// Its whole definition, JSON as the server wrote it.
    pub definition: &'a str,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The caller sees it.
    Shown,
    /// It is left out.
    Hidden,
}

/// Which lists are marked as those of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheScope {
    /// All: revisions from 2026-07-28 on know `cacheScope`.
    Always,
    /// Those whose server says a scope.
    WhereSaid,
}

/// Says of each entry whether the caller sees it.
pub(super) type Judge<'a> = dyn FnMut(&Entry<'_>) -> Sight + 'a;

/// The answer to a request, with lists as the caller may see them. Whatever has none is passed on as it is, and so is one
/// from which nothing is taken; of others, values stay byte for byte as they were written.
///
/// # Errors
/// [`Unreadable`], if the answer could be read otherwise than it was here: it must not be passed on.
pub(super) fn filter_lists<'a>(
    answer: &'a [u8],
    cache_scope: CacheScope,
    judge: &mut Judge<'_>,
) -> Result<Cow<'a, [u8]>, Unreadable> {
    let message = Object::read(answer)?;
    message.spells(&["jsonrpc", "id", "result", "error", "method"])?;
    let Some(result) = message.get("result") else { return Ok(Cow::Borrowed(answer)) };
    if message.get("error").is_some() {
        return Err(Unreadable::TwoOutcomes);
    }
    if !object::is_object(result) {
        return Ok(Cow::Borrowed(answer));
    }
    let Some(result) = filter_result(&Object::of(result)?, cache_scope, judge)? else {
        return Ok(Cow::Borrowed(answer));
    };
    let mut writer = Writer::default();
    for (name, value) in message.members() {
        writer.member(name, if name == "result" { &result } else { value.get() });
    }
    Ok(Cow::Owned(writer.end().into_bytes()))
}

/// The result as it is to be; `None` if it stays as it is.
fn filter_result(
    result: &Object<'_>,
    cache_scope: CacheScope,
    judge: &mut Judge<'_>,
) -> Result<Option<String>, Unreadable> {
    result.spells(&["tools", "resources", "resourceTemplates", "prompts", "cacheScope"])?;
    let listed = |name: &str| Listed::ALL.into_iter().find(|listed| listed.member() == name);
    if !result.members().any(|(name, _)| listed(name).is_some()) {
        return Ok(None);
    }
    let mut is_changed = false;
    let mut writer = Writer::default();
    for (name, value) in result.members() {
        let filtered = match (listed(name), name) {
            (Some(listed), _) => filter_list(listed, value, judge)?,
            (None, "cacheScope") => (value.get() != PRIVATE).then(|| PRIVATE.to_owned()),
            (None, _) => None,
        };
        is_changed |= filtered.is_some();
        writer.member(name, filtered.as_deref().unwrap_or_else(|| value.get()));
    }
    if cache_scope == CacheScope::Always && result.get("cacheScope").is_none() {
        is_changed = true;
        writer.member("cacheScope", PRIVATE);
    }
    Ok(is_changed.then(|| writer.end()))
}

/// For this caller alone: what was left out for it may be shown to the next one, and the other way round.
const PRIVATE: &str = "\"private\"";

/// A list without what is hidden; `None` if nothing is.
fn filter_list(listed: Listed, list: &RawValue, judge: &mut Judge<'_>) -> Result<Option<String>, Unreadable> {
    let items = object::items(list)?;
    let mut shown = Vec::with_capacity(items.len());
    for item in &items {
        if is_shown(listed, item, judge)? {
            shown.push(item.get());
        }
    }
    Ok((shown.len() < items.len()).then(|| format!("[{}]", shown.join(","))))
}

/// What has no name can be asked for by nobody, and is left out.
fn is_shown(listed: Listed, item: &RawValue, judge: &mut Judge<'_>) -> Result<bool, Unreadable> {
    if !object::is_object(item) {
        return Ok(false);
    }
    let definition = Object::of(item)?;
    definition.spells(&[listed.name()])?;
    let Some(name) = definition.get(listed.name()).and_then(object::text) else { return Ok(false) };
    Ok(judge(&Entry { listed, name: &name, definition: item.get() }) == Sight::Shown)
}

/// Writes an object.
#[derive(Default)]
struct Writer(String);

impl Writer {
    /// `value` is JSON.
    fn member(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&serde_json::Value::from(name).to_string());
        self.0.push(':');
        self.0.push_str(value);
    }

    fn end(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

#[cfg(test)]
mod tests;
