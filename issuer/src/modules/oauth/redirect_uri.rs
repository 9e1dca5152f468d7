//! Where an authorization response may be sent (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1).

use std::fmt;

use url::{Host, Url, form_urlencoded};

/// Longest redirect URI, in bytes: what every browser and proxy takes in a line.
const BYTES_MAX: usize = 2048;

/// A place of a client's, compared byte for byte with what the client registered.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct RedirectUri {
    text: Box<str>,
    kind: Kind,
    /// What a person is shown of it.
    host: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Web,
    /// On the machine of whoever clicks, `http`: its port is chosen anew each time (RFC 8252 §7.3).
    Loopback {
        without_port: Box<str>,
    },
    /// On the same machine, `https`: as registered.
    LoopbackTls,
    /// An application on the same machine (RFC 8252 §7.1).
    CustomScheme,
}

/// Why a text is no place to send a response to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRedirectUri {
    #[error("a redirect URI has 1 to 2048 bytes")]
    Length,
    #[error(
        "a redirect URI has no spaces, control characters or letters outside ASCII: encode them, write the host as xn--"
    )]
    Characters,
    #[error("a redirect URI is a whole one, like https://app.example/callback")]
    NotAbsolute,
    #[error("a redirect URI has no fragment")]
    Fragment,
    #[error("a redirect URI has no user name or password")]
    Userinfo,
    #[error("a redirect URI names a host, like https://app.example/callback")]
    Host,
    #[error("http is for 127.0.0.1, [::1] and localhost: use https")]
    Http,
    #[error(
        "the scheme is not https, http on this machine, or a private one that is a domain name in reverse, like \
         com.example.app"
    )]
    Scheme,
}

impl RedirectUri {
    /// Reads what a client registers or asks for.
    pub(crate) fn parse(text: &str) -> Result<Self, BadRedirectUri> {
        if !(1..=BYTES_MAX).contains(&text.len()) {
            return Err(BadRedirectUri::Length);
        }
        if !text.bytes().all(is_of_a_uri) {
            return Err(BadRedirectUri::Characters);
        }
        if text.contains('#') {
            return Err(BadRedirectUri::Fragment);
        }
        let (scheme, rest) = text.split_once(':').ok_or(BadRedirectUri::NotAbsolute)?;
        let url = Url::parse(text).map_err(|_| BadRedirectUri::NotAbsolute)?;
        let text = Box::from(text);
        if !matches!(url.scheme(), "https" | "http") {
            let is_private = is_reverse_domain(scheme) && !rest.is_empty();
            let private = is_private.then(|| Self { text, kind: Kind::CustomScheme, host: scheme.into() });
            return private.ok_or(BadRedirectUri::Scheme);
        }
        // A browser also finds a host behind one slash or three; whoever compares texts does not.
        let rest = rest.strip_prefix("//").filter(|rest| !rest.starts_with('/')).ok_or(BadRedirectUri::Host)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(BadRedirectUri::Userinfo);
        }
        let host = url.host().ok_or(BadRedirectUri::Host)?;
        if !is_host(&host) {
            return Err(BadRedirectUri::Host);
        }
        let kind = match (url.scheme(), is_local(&host)) {
            ("https", true) => Kind::LoopbackTls,
            ("https", false) => Kind::Web,
            (_, true) if is_loopback_as_written(authority) => {
                Kind::Loopback { without_port: without_port(scheme, authority, rest) }
            }
            (_, _) => return Err(BadRedirectUri::Http),
        };
        let host = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        Ok(Self { text, kind, host: host.into() })
    }

    /// The text, byte for byte.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `asked` is this registered place: the same text, but for the port on the machine of whoever clicks.
    pub(crate) fn matches(&self, asked: &Self) -> bool {
        match (&self.kind, &asked.kind) {
            (Kind::Loopback { without_port: ours }, Kind::Loopback { without_port: theirs }) => ours == theirs,
            (Kind::Loopback { .. } | Kind::Web | Kind::LoopbackTls | Kind::CustomScheme, _) => self.text == asked.text,
        }
    }

    /// What a person is shown: the host as the network knows it (`xn--..` where it is not ASCII), with a port that is
    /// not the scheme's; of an application its scheme.
    pub(crate) fn host_shown(&self) -> &str {
        &self.host
    }

    /// Whether it leads to the machine of whoever clicks, where any program may listen.
    pub(crate) const fn is_loopback(&self) -> bool {
        matches!(self.kind, Kind::Loopback { .. } | Kind::LoopbackTls)
    }

    /// Whether it leads to an application, which any other may claim to be.
    pub(crate) const fn is_custom_scheme(&self) -> bool {
        matches!(self.kind, Kind::CustomScheme)
    }

    /// The place with these parameters added to its query (RFC 6749 §4.1.2), as `Location` wants it.
    pub(crate) fn with_query<'p>(&self, parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
        let added = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let separator = match self.text.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{separator}{added}", self.text)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectUri({})", self.text)
    }
}

/// RFC 3986 §2, so that what is compared, shown, sent and followed is one thing: `\` is a slash to browsers alone.
const fn is_of_a_uri(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// `com.example.app`: a dot keeps out every scheme that somebody else owns, `javascript` and `data` among them.
fn is_reverse_domain(scheme: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+'))
    };
    scheme.contains('.') && scheme.split('.').all(is_label)
}

/// What `Url` takes for a name is wider than DNS.
fn is_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
                && !name.starts_with('.')
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

fn is_local(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback() || address.is_unspecified(),
        Host::Ipv6(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        }
    }
}

/// The three names that RFC 8252 §7.3 and §8.3 know, spelt so.
fn is_loopback_as_written(authority: &str) -> bool {
    let host = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !authority.ends_with(']'));
    let host = host.map_or(authority, |(host, _)| host);
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

fn without_port(scheme: &str, authority: &str, rest: &str) -> Box<str> {
    let behind = rest.strip_prefix(authority).unwrap_or_default();
    let host = if authority.ends_with(']') {
        authority
    } else {
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    };
    format!("{scheme}://{host}{behind}").into()
}

#[cfg(test)]
mod tests;
