//! JSON (RFC 8259) read so strictly that nobody can read it otherwise: no member twice at any depth, no member that only
//! the case of a letter tells from one that decides something, no half of a surrogate pair, no more depth than is needed.

use std::borrow::Cow;

use arrayvec::ArrayVec;

use super::case::looks_like;
use super::message::Malformed;

mod names;

use names::Names;

/// Deepest nesting. Arguments of tools are seldom deeper than ten; parsers give up at some hundreds, each at its own.
const DEPTH_MAX: u8 = 64;

/// An object, or what holds some, whose members decide something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The message itself.
    Message,
    /// `params`.
    Params,
    /// `params._meta`.
    Meta,
    /// `params.ref`.
    Reference,
    /// `params.notifications`.
    Notifications,
    /// Everything else.
    Elsewhere,
}

impl Place {
    /// The members that decide something here.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Message => &["jsonrpc", "id", "method", "params", "result", "error"],
            Self::Params => &["name", "uri", "taskId", "arguments", "ref", "notifications", "_meta"],
            Self::Meta => &["traceparent", "io.modelcontextprotocol/protocolVersion"],
            Self::Reference => &["type", "name", "uri"],
            Self::Notifications => &["resourceSubscriptions"],
            Self::Elsewhere => &[],
        }
    }

    fn of_member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Message, "params") => Self::Params,
            (Self::Params, "_meta") => Self::Meta,
            (Self::Params, "ref") => Self::Reference,
            (Self::Params, "notifications") => Self::Notifications,
            (
                Self::Message | Self::Params | Self::Meta | Self::Reference | Self::Notifications | Self::Elsewhere,
                _,
            ) => Self::Elsewhere,
        }
    }
}

/// A member that decides something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) place: Place,
    pub(super) name: &'static str,
    /// Its value as it was written.
    pub(super) value: &'a str,
}

/// Reads a text that is one object, and gives the members that decide something, in no order that means anything.
pub(super) fn read(text: &str) -> Result<ArrayVec<Member<'_>, 20>, Malformed> {
    let mut reader = Reader::new(text);
    reader.space();
    match reader.peek() {
        Some(b'{') => {}
        Some(b'[') => return Err(Malformed::Batch),
        Some(_) | None => return Err(Malformed::Syntax),
    }
    reader.value(Place::Message)?;
    reader.space();
    if reader.rest.is_empty() { Ok(reader.found) } else { Err(Malformed::Syntax) }
}

/// The text of a string as it was written, quotes and all; `None` where it is something else.
pub(super) fn text(value: &str) -> Option<Cow<'_, str>> {
    let content = value.strip_prefix('"')?.strip_suffix('"')?;
    Some(decoded(content))
}

/// The strings of a list; `None` where it is something else.
pub(super) fn texts(value: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut reader = Reader::new(value);
    reader.take(b'[').ok()?;
    let mut found = Vec::new();
    reader.space();
    if reader.peek() == Some(b']') {
        return Some(found);
    }
    loop {
        reader.space();
        let start = reader.at();
        reader.value(Place::Elsewhere).ok()?;
        found.push(text(reader.since(start).ok()?)?);
        reader.space();
        match reader.peek()? {
            b',' => reader.skip(1),
            _ => return Some(found),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// What is not read yet.
    rest: &'a [u8],
    depth: u8,
    found: ArrayVec<Member<'a>, 20>,
}

impl<'a> Reader<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes(), depth: 0, found: ArrayVec::new_const() }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// How many bytes were read.
    const fn at(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    /// Goes past bytes that were looked at.
    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn take(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.skip(1);
            Ok(())
        } else {
            Err(Malformed::Syntax)
        }
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// What was read since `start`, as it was written.
    fn since(&self, start: usize) -> Result<&'a str, Malformed> {
        self.text.get(start..self.at()).ok_or(Malformed::Syntax)
    }

    fn value(&mut self, place: Place) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'{') => self.nested(|reader| reader.object(place)),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => Err(Malformed::Syntax),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        if self.depth == DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        self.depth += 1;
        self.skip(1);
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self, place: Place) -> Result<(), Malformed> {
        let mut names = Names::default();
        self.space();
        if self.peek() == Some(b'}') {
            self.skip(1);
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at();
            self.string()?;
            let name = text(self.since(start)?).ok_or(Malformed::Syntax)?;
            // As it is, no string may have one.
            if matches!(name, Cow::Owned(_)) && name.contains('\0') {
                return Err(Malformed::Nul);
            }
            self.space();
            self.take(b':')?;
            self.space();
            let start = self.at();
            self.value(place.of_member(&name))?;
            match place.names().iter().find(|known| **known == name) {
                Some(known) => {
                    let value = self.since(start)?;
                    // A second one is refused below, and there is room for each once.
                    self.found.try_push(Member { place, name: known, value }).map_err(|_| Malformed::Duplicate)?;
                }
                None if place.names().iter().any(|known| looks_like(&name, known)) => {
                    return Err(Malformed::LookAlike);
                }
                None => {}
            }
            if !names.insert(name) {
                return Err(Malformed::Duplicate);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.skip(1),
                Some(b'}') => {
                    self.skip(1);
                    return Ok(());
                }
                Some(_) | None => return Err(Malformed::Syntax),
            }
        }
    }

    fn array(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.peek() == Some(b']') {
            self.skip(1);
            return Ok(());
        }
        loop {
            self.space();
            self.value(Place::Elsewhere)?;
            self.space();
            match self.peek() {
                Some(b',') => self.skip(1),
                Some(b']') => {
                    self.skip(1);
                    return Ok(());
                }
                Some(_) | None => return Err(Malformed::Syntax),
            }
        }
    }

    fn string(&mut self) -> Result<(), Malformed> {
        self.take(b'"')?;
        loop {
            let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
            self.skip(self.rest.iter().position(|byte| !is_plain(byte)).unwrap_or(self.rest.len()));
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) | None => return Err(Malformed::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.rest {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {
                self.skip(2);
                Ok(())
            }
            [_, b'u', ..] => {
                let unit = unit(self.rest).ok_or(Malformed::Syntax)?;
                self.skip(6);
                match unit {
                    0xd800..=0xdbff => {
                        // Parsers put different things in the place of half a pair.
                        let low = unit_if_escaped(self.rest).filter(|low| (0xdc00..=0xdfff).contains(low));
                        low.ok_or(Malformed::Surrogate)?;
                        self.skip(6);
                        Ok(())
                    }
                    0xdc00..=0xdfff => Err(Malformed::Surrogate),
                    _ => Ok(()),
                }
            }
            _ => Err(Malformed::Syntax),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if self.rest.starts_with(word) {
            self.skip(word.len());
            Ok(())
        } else {
            Err(Malformed::Syntax)
        }
    }

    fn digits(&mut self) -> Result<usize, Malformed> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.skip(count);
        if count == 0 { Err(Malformed::Syntax) } else { Ok(count) }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.skip(1);
        }
        let begins_with_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && begins_with_zero {
            return Err(Malformed::Syntax);
        }
        if self.peek() == Some(b'.') {
            self.skip(1);
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.skip(1);
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.skip(1);
            }
            self.digits()?;
        }
        Ok(())
    }
}

/// The code unit of `\uXXXX`.
fn unit(escape: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(escape.get(2..6)?).ok()?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| are_digits)
}

fn unit_if_escaped(rest: &[u8]) -> Option<u32> {
    if rest.starts_with(b"\\u") { unit(rest) } else { None }
}

/// What a string says, of which is known that it is one.
fn decoded(content: &str) -> Cow<'_, str> {
    if !content.contains('\\') {
        return Cow::Borrowed(content);
    }
    let mut found = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((plain, escape)) = rest.split_once('\\') {
        found.push_str(plain);
        let mut behind = escape.chars();
        match behind.next() {
            Some('u') => {
                let code = |text: &str| text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let (high, text) = (code(behind.as_str()).unwrap_or_default(), behind.as_str().get(4..).unwrap_or(""));
                let low = text.strip_prefix("\\u").filter(|_| (0xd800..0xdc00).contains(&high));
                rest = low.and_then(|low| low.get(4..)).unwrap_or(text);
                let code = match low.and_then(code) {
                    Some(low) => 0x10000 + ((high - 0xd800) << 10) + low.saturating_sub(0xdc00),
                    None => high,
                };
                found.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                continue;
            }
            Some('b') => found.push('\u{8}'),
            Some('f') => found.push('\u{c}'),
            Some('n') => found.push('\n'),
            Some('r') => found.push('\r'),
            Some('t') => found.push('\t'),
            Some(other) => found.push(other),
            None => {}
        }
        rest = behind.as_str();
    }
    found.push_str(rest);
    Cow::Owned(found)
}
