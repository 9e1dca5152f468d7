//! Every way a gateway turns a request away: the stable word, and what is said about it. The help page is made from this
//! table, so that no refusal is without its explanation.

use std::time::Duration;

use http::StatusCode;

use crate::DecisionWord;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:ident, $title:literal, $meaning:literal, $remedy:literal;)*) => {
        /// Why a request was turned away. The words are stable: programs match on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All of them, in the order of the help page.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in documents, logs and metrics, and the anchor in the help page.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A short summary, the same each time (RFC 9457 §3.1.3).
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What happened, for whoever builds the client. `` `code` `` is marked as in Markdown.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What to do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

reasons! {
    /// A protected path, and no credential of ours.
    PassportRequired = "passport_required", UNAUTHORIZED, "This path is for identified agents",
        "No Lime credential was sent.",
        "Get an access token for this host from the issuer, or log in here, as `ways_in` says, and send it as \
         `Authorization: Bearer`. Where the site needs `Authorization` for itself, send yours as `Lime-Authorization`.";
    /// Work is asked for, and none was shown that counts.
    ClearanceRequired = "clearance_required", UNAUTHORIZED, "A little work is asked for here",
        "Whoever is not known does a little work here first (proof of work), and none was shown, or it does not count any longer.",
        "Solve the challenge in `WWW-Authenticate` and send the same request with the solution, as \
         `docs/proof-of-work.md` of Lime describes; or send a credential as `ways_in` says, and no work is asked for.";
    /// A solution that does not count.
    SolutionRefused = "solution_refused", UNAUTHORIZED, "The solution does not count",
        "A solution was sent, and it does not count; `detail` says why.",
        "Solve the new challenge in `WWW-Authenticate`.";
    /// A stranger who weighs more than is let in.
    StrangerDenied = "stranger_denied", FORBIDDEN, "Strangers like this are not let in here",
        "By what it says of itself and where it comes from, the request is one that this site does not answer to strangers.",
        "Send a credential as `ways_in` says, or ask the operator of the site, with the `request_id`.";
    /// Somebody who calls itself a crawler and was not confirmed to be one.
    CrawlerUnconfirmed = "crawler_unconfirmed", SERVICE_UNAVAILABLE, "The crawler is not confirmed yet",
        "The client calls itself a crawler of a search engine, and the DNS has not confirmed that.",
        "Try again after the seconds in `Retry-After`. If you are no such crawler, say what you are in `User-Agent`.";
    /// A credential of ours that does not count.
    InvalidToken = "invalid_token", UNAUTHORIZED, "The credential does not count here",
        "A Lime credential was sent, and it does not count here or no longer.",
        "Get a new one as `ways_in` says, for exactly the host you are asking, and send that. Tokens live for minutes: keep \
         none longer than its `expires_in`. If a new one is refused too, ask the owner of the agent whether it is suspended.";
    /// A credential without the scopes that are asked for.
    InsufficientScope = "insufficient_scope", FORBIDDEN, "The credential may not be used for this",
        "The credential counts, and it lacks a scope that this path asks for.",
        "Ask the issuer for one with the scopes in `WWW-Authenticate`.";
    /// An owner of whom too little is known.
    OwnerLevelTooLow = "owner_level_too_low", FORBIDDEN, "Too little is known of the agent's owner",
        "The agent is known; the verification of its owner is not high enough for this path.",
        "The owner raises it at the issuer. A new credential says so then.";
    /// An agent, or an owner, that is not let in here.
    AgentDenied = "agent_denied", FORBIDDEN, "This agent is not let in here",
        "The agent is known, and the site does not let it use this path.",
        "Ask the operator of the site, with the `request_id`.";
    /// Something at an MCP endpoint that is not there for whoever asks.
    CallDenied = "call_denied", FORBIDDEN, "There is no such thing here for this agent",
        "A message names a tool, a resource, a prompt or a method that the site does not have, or does not let this agent \
         use. The answer is an error of JSON-RPC, as for what is not there.",
        "Ask for the lists of what there is, or ask the operator of the site, with the `request_id`.";
    /// A body that is no single message, or could be read as two.
    MessageInvalid = "message_invalid", BAD_REQUEST, "The message cannot be read",
        "The body is not one message of JSON-RPC 2.0 that can be read in one way only. Lists of messages, members that stand \
         twice and names that differ in case alone are refused.",
        "Send one message a request, in UTF-8, as a library of the Model Context Protocol writes it.";
    /// Headers of a message that say something else than it does.
    HeaderMismatch = "header_mismatch", BAD_REQUEST, "The headers are not those of the message",
        "`MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` is missing, or does not say what the body says.",
        "Write the headers from the body, as the revision of the protocol asks that the client speaks.";
    /// A header that may come once, twice.
    HeaderRepeated = "header_repeated", BAD_REQUEST, "A header stands twice",
        "A header of which only one can count was sent more than once.",
        "Send it once.";
    /// A body longer than a message may be.
    MessageTooLarge = "message_too_large", PAYLOAD_TOO_LARGE, "The message is too long",
        "The body is longer than a message may be here.",
        "Send less, or ask the operator of the site to let longer messages through (`body_bytes_max`).";
    /// A body that is no JSON, by its headers.
    MediaTypeUnsupported = "media_type_unsupported", UNSUPPORTED_MEDIA_TYPE, "Only JSON is read here",
        "A message is sent as `application/json`, in UTF-8 and without `Content-Encoding`.",
        "Send it so.";
    /// A page of an origin that may not ask here.
    OriginDenied = "origin_denied", FORBIDDEN, "Pages of this origin may not ask here",
        "The request is from a page in a browser, and the site does not serve pages of that origin.",
        "Ask the operator of the site to name the origin under `cors`.";
    /// A session that is not the caller's.
    SessionUnknown = "session_unknown", NOT_FOUND, "There is no such session",
        "The session in `Mcp-Session-Id` has ended, or is not that of whoever asks.",
        "Begin a new one with `initialize`, without the header.";
    /// A token where logs would keep it.
    TokenInQuery = "token_in_query", BAD_REQUEST, "A token does not belong in a URL",
        "The query carries `access_token`. URLs are kept in logs and histories: take the token for known to others.",
        "Send it as `Authorization: Bearer`, after you have got a new one.";
    /// An MCP endpoint, and a proxy that keeps the messages to itself.
    MessageUnseen = "message_unseen", FORBIDDEN, "The message cannot be judged from here",
        "Another proxy asks whether the request may pass, and does not show its message, which is what is judged here.",
        "Let the requests of this path go through the gateway itself.";
    /// More requests than a limit lets through.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
        "More requests came than the limit in `RateLimit-Policy` lets through.",
        "Try again after the seconds in `Retry-After`, and keep to what `RateLimit` says is left.";
    /// Two credentials of ours, or ours beside another in one place.
    CredentialAmbiguous = "credential_ambiguous", BAD_REQUEST, "More than one credential was sent",
        "The request carries more than one Lime credential, or credentials of different agents, and which of them was meant \
         cannot be told.",
        "Send one: in `Authorization`, in `Lime-Authorization` or as the session cookie. Where the site needs `Authorization` \
         for itself, yours goes in `Lime-Authorization`.";
    /// Servers would read the path differently, and not all of these readings are open alike.
    PathAmbiguous = "path_ambiguous", BAD_REQUEST, "The path can be read in several ways",
        "The path has encoded or doubled slashes, dot segments, `;` or the like, and leads to a protected place in some \
         readings but not in all.",
        "Write the path plainly: resolve `.` and `..`, use single slashes, and encode only what must be encoded.";
    /// A byte that no path carries.
    PathInvalid = "path_invalid", BAD_REQUEST, "The path is not valid",
        "The path does not begin with a slash, or carries a byte that no path may: a space, a control character, a backslash \
         or an encoded NUL.",
        "Percent-encode the path as RFC 3986 §3.3 asks.";
    /// The issuer cannot be asked, so that a stranger cannot be told from a friend.
    IssuerUnavailable = "issuer_unavailable", SERVICE_UNAVAILABLE, "Agents cannot be checked at the moment",
        "The issuer of passports cannot be reached, and this request cannot be decided without it.",
        "Try again after the seconds in `Retry-After`. Your credential may be good: do not throw it away.";
    /// `/.lime/login` where it is not offered.
    LoginOff = "login_off", NOT_FOUND, "Agents cannot log in here",
        "This site offers no login at the gateway.",
        "Use one of the other ways in.";
    /// The secret of a login request is not the one that was given out.
    LoginSecretInvalid = "login_secret_invalid", UNAUTHORIZED, "The login's secret does not fit",
        "Asking for the outcome of a login takes the `secret` that was given out when it was opened, as \
         `Authorization: Bearer`.",
        "Send the secret of this very login, or open a new one.";
    /// A login that ended, or whose session was handed out.
    LoginExpired = "login_expired", GONE, "The login is over",
        "The login was not approved in time, or its session was already handed out.",
        "Open a new login.";
    /// Too many open logins.
    LoginLimited = "login_limited", TOO_MANY_REQUESTS, "Too many open logins",
        "Too many logins are open from your network or for this site.",
        "Finish those you opened, or try again after the seconds in `Retry-After`.";
    /// The issuer would not open a login for this site.
    LoginRefused = "login_refused", BAD_GATEWAY, "The login could not be opened",
        "The issuer did not open a login for this site.",
        "This is for the operator of the site: its credential at the issuer does not count. Use another way in meanwhile.";
    /// No such page under `/.lime/`, or a path that is closed to everybody.
    NotFound = "not_found", NOT_FOUND, "There is no such page",
        "Nothing is served at this path.",
        "Check the path in the URL. `/.lime/help` says what the gateway itself serves.";
    /// A method that a page of ours does not know, or that no request may have.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed",
        "This method is not served here.",
        "Use one of the methods in `Allow`. `CONNECT` and `TRACE` are never served.";
    /// A host that no site has.
    HostUnknown = "host_unknown", MISDIRECTED_REQUEST, "No such site",
        "No site of this name is served here.",
        "Check the host in the URL, and where its name leads.";
    /// No `Host`, two of them, or one that is no host name.
    HostInvalid = "host_invalid", BAD_REQUEST, "The host is not valid",
        "The request does not name exactly one host.",
        "Send one `Host` header with the host of the URL and nothing else.";
    /// More header bytes than are read.
    HeaderTooLarge = "header_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large",
        "The request line and headers are longer than the gateway reads.",
        "Send fewer or shorter headers. Often the cookies have grown.";
    /// Framing that could be read in two ways.
    FramingInvalid = "framing_invalid", BAD_REQUEST, "The request is not well formed",
        "Where the request ends cannot be told without doubt: `Content-Length`, `Transfer-Encoding` or line ends are not as \
         RFC 9112 asks.",
        "Let an HTTP library write the request.";
    /// A header of the gateway's, where it cannot be taken away.
    HeaderReserved = "header_reserved", BAD_REQUEST, "A header is the gateway's",
        "The request carries a header whose name begins with `Lime-` or `X-Lime-`, in one spelling or another. Only the \
         gateway says such things, and here it cannot take them away.",
        "Leave the header out.";
    /// Headers that trickle in.
    HeaderTimeout = "header_timeout", REQUEST_TIMEOUT, "The headers took too long",
        "The request line and headers were not complete in time.",
        "Send them at once, and on a new connection.";
    /// More connections than are served, or more messages than are held.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much at once",
        "The gateway has as many connections open, or holds as many messages, as it may.",
        "Try again after the seconds in `Retry-After`.";
    /// The origin cannot be connected to.
    UpstreamRefused = "upstream_refused", BAD_GATEWAY, "The site cannot be reached",
        "The site behind the gateway takes no connection.",
        "Try again later. If it lasts, tell the operator of the site.";
    /// The origin did not answer as it should.
    UpstreamFailed = "upstream_failed", BAD_GATEWAY, "The site did not answer properly",
        "The site behind the gateway broke off, or its answer was not HTTP.",
        "Try again later. If it lasts, tell the operator of the site.";
    /// The origin took too long.
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT, "The site took too long",
        "The site behind the gateway did not answer in time.",
        "Try again later. If it lasts, tell the operator of the site.";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The gateway failed",
        "Something went wrong in the gateway itself.",
        "Tell the operator of the site, with the `request_id`.";
}

impl Reason {
    /// `Retry-After`, where a later attempt can end differently by itself.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            // The cool-down between two attempts to reach the issuer.
            Self::IssuerUnavailable => Some(Duration::from_secs(10)),
            // Connections come and go by the second.
            Self::Overloaded => Some(Duration::from_secs(1)),
            // Logins open and end by the minute; the DNS is asked within seconds, and crawlers have time.
            Self::LoginLimited | Self::CrawlerUnconfirmed => Some(Duration::from_secs(30)),
            // The limit knows better, and says so itself.
            Self::RateLimited
            | Self::PassportRequired
            | Self::InvalidToken
            | Self::ClearanceRequired
            | Self::SolutionRefused
            | Self::StrangerDenied
            | Self::InsufficientScope
            | Self::OwnerLevelTooLow
            | Self::AgentDenied
            | Self::CallDenied
            | Self::MessageInvalid
            | Self::HeaderMismatch
            | Self::HeaderRepeated
            | Self::MessageTooLarge
            | Self::MediaTypeUnsupported
            | Self::OriginDenied
            | Self::SessionUnknown
            | Self::TokenInQuery
            | Self::MessageUnseen
            | Self::CredentialAmbiguous
            | Self::PathAmbiguous
            | Self::PathInvalid
            | Self::LoginOff
            | Self::LoginSecretInvalid
            | Self::LoginExpired
            | Self::LoginRefused
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::HostUnknown
            | Self::HostInvalid
            | Self::HeaderTooLarge
            | Self::FramingInvalid
            | Self::HeaderReserved
            | Self::HeaderTimeout
            | Self::UpstreamRefused
            | Self::UpstreamFailed
            | Self::UpstreamTimeout
            | Self::Internal => None,
        }
    }

    /// How a request that was turned away for this is logged.
    #[must_use]
    pub const fn decision_word(self) -> DecisionWord {
        if self.asks_for_work() {
            return DecisionWord::Challenge;
        }
        let is_ours = self.status().as_u16() >= 500 && !matches!(self, Self::CrawlerUnconfirmed);
        if is_ours { DecisionWord::Error } else { DecisionWord::Deny }
    }

    /// Whether work is the remedy.
    pub(crate) const fn asks_for_work(self) -> bool {
        matches!(self, Self::ClearanceRequired | Self::SolutionRefused)
    }

    /// Whether showing a credential, or a better one, is the remedy.
    pub(crate) const fn asks_for_credential(self) -> bool {
        matches!(
            self,
            Self::PassportRequired
                | Self::InvalidToken
                | Self::ClearanceRequired
                | Self::SolutionRefused
                | Self::StrangerDenied
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_and_something_to_say() {
        let words: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(reason.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{reason:?}");
            assert!(reason.status().is_client_error() || reason.status().is_server_error(), "{reason:?}");
            assert!(!reason.title().is_empty() && !reason.title().ends_with('.'), "{reason:?}");
            for text in [reason.meaning(), reason.remedy()] {
                assert!(text.ends_with('.') && !text.contains("  "), "{reason:?}");
                assert_eq!(text.matches('`').count() % 2, 0, "{reason:?}");
            }
        }
    }

    #[test]
    fn what_could_not_be_decided_is_an_error_and_the_rest_a_denial() {
        assert_eq!(Reason::IssuerUnavailable.decision_word(), DecisionWord::Error);
        assert_eq!(Reason::UpstreamTimeout.decision_word(), DecisionWord::Error);
        assert_eq!(Reason::PassportRequired.decision_word(), DecisionWord::Deny);
        assert_eq!(Reason::LoginLimited.decision_word(), DecisionWord::Deny);
    }
}
