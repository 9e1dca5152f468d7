//! What a client asks an owner for, read and judged: the same for the page that asks him and for what he answers.
//!
//! As long as client and redirect URI are in doubt, whoever asks is shown a page; from then on the client is told
//! (RFC 6749 §4.1.2.1), with `iss` beside each error (RFC 9207).

use axum::http::StatusCode;

use super::client::{self, Client, Origin, UnknownClient};
use super::redirect_uri::RedirectUri;
use super::resource;
use super::scope;
use crate::request::parameters::{Parameters, Repeated};
use crate::service::Service;
use crate::store::{ResourceRecord, Scope, Standing};
use crate::time::UnixMillis;

/// The parameters that a form carries from the page to the answer.
pub(crate) const CARRIED: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "scope",
    "prompt",
];

/// Longest `state`. It stands in a URL twice.
const STATE_BYTES_MAX: usize = 2048;

/// A request that an owner can be asked about.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) client: Client,
    pub(crate) answer: AnswerTo,
    /// `code_challenge` of the method S256 (RFC 7636 §4.2).
    pub(crate) challenge: String,
    pub(crate) resource: ResourceRecord,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) prompt: Prompt,
}

/// Whether the owner is to be asked although it would not be needed, or not to be although it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    AsNeeded,
    Consent,
    Nothing,
}

/// Where the client waits for an answer.
#[derive(Clone, Debug)]
pub(crate) struct AnswerTo {
    pub(crate) redirect_uri: RedirectUri,
    /// As the client wrote it: it must say the same to redeem the code.
    pub(crate) written: String,
    pub(crate) state: Option<String>,
}

/// Why nobody is asked.
#[derive(Debug)]
pub(crate) enum NotAsked {
    /// It cannot be told where to go: whoever sits before the browser is told.
    Shown { status: StatusCode, title: &'static str, text: String },
    /// The client is told.
    Told(Box<AnswerTo>, AuthorizationError),
}

/// What a client is told (RFC 6749 §4.1.2.1, RFC 8707 §2, OpenID Connect Core §3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationError {
    Request(&'static str),
    ResponseType,
    Scope(&'static str),
    Target(&'static str),
    Denied(&'static str),
    /// `prompt=none`, and the owner would have to be asked.
    ConsentRequired,
    Unavailable,
}

impl AuthorizationError {
    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Request(why) => ("invalid_request", why),
            Self::ResponseType => ("unsupported_response_type", "write response_type=code"),
            Self::Scope(why) => ("invalid_scope", why),
            Self::Target(why) => ("invalid_target", why),
            Self::Denied(why) => ("access_denied", why),
            Self::ConsentRequired => ("consent_required", "the owner has to be asked"),
            Self::Unavailable => ("temporarily_unavailable", "try again later"),
        }
    }
}

impl NotAsked {
    /// A link that no app of ours would make.
    pub(super) fn broken(text: &str) -> Self {
        shown("A broken link", text.to_owned())
    }
}

impl AnswerTo {
    /// The URL that brings an error to the client.
    pub(crate) fn error(&self, issuer: &str, error: AuthorizationError) -> String {
        let (error, description) = error.parts();
        self.with(issuer, &[("error", error), ("error_description", description)])
    }

    /// The URL that brings a code to the client.
    pub(crate) fn code(&self, issuer: &str, code: &str) -> String {
        self.with(issuer, &[("code", code)])
    }

    fn with(&self, issuer: &str, parameters: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let all: Vec<(&str, &str)> = parameters.iter().copied().chain(state).chain([("iss", issuer)]).collect();
        self.redirect_uri.with_query(all)
    }
}

impl Asked {
    /// Reads and judges a request.
    pub(crate) async fn read(service: &Service, parameters: &Parameters, now: UnixMillis) -> Result<Self, NotAsked> {
        let (client, written) = client_of(service, parameters, now).await?;
        let redirect_uri = landing(&client, written.as_deref())?;
        let written = written.unwrap_or_else(|| redirect_uri.as_str().to_owned());
        let answer = AnswerTo { redirect_uri, written, state: None };
        let state = match parameters.one("state") {
            Ok(state) if state.is_none_or(|state| state.len() <= STATE_BYTES_MAX) => state.map(str::to_owned),
            Ok(_) => return Err(NotAsked::Told(Box::new(answer), AuthorizationError::Request("state is too long"))),
            Err(Repeated) => {
                return Err(NotAsked::Told(Box::new(answer), AuthorizationError::Request("state is repeated")));
            }
        };
        let answer = AnswerTo { state, ..answer };
        match Self::judge(service, parameters).await {
            Ok((challenge, resource, scopes, prompt)) => {
                Ok(Self { client, answer, challenge, resource, scopes, prompt })
            }
            Err(error) => Err(NotAsked::Told(Box::new(answer), error)),
        }
    }

    async fn judge(
        service: &Service,
        parameters: &Parameters,
    ) -> Result<(String, ResourceRecord, Vec<Scope>, Prompt), AuthorizationError> {
        let one =
            |name| parameters.one(name).map_err(|Repeated| AuthorizationError::Request("a parameter is repeated"));
        if one("response_type")? != Some("code") {
            return Err(AuthorizationError::ResponseType);
        }
        if one("request")?.is_some() || one("request_uri")?.is_some() {
            return Err(AuthorizationError::Request("request objects are not read"));
        }
        if one("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(AuthorizationError::Request("response_mode can only be query"));
        }
        let challenge = one("code_challenge")?.ok_or(AuthorizationError::Request("code_challenge is missing"))?;
        // RFC 7636 §4.3: left out means plain, which is not taken.
        if one("code_challenge_method")? != Some("S256") {
            return Err(AuthorizationError::Request("code_challenge_method can only be S256"));
        }
        if !is_challenge(challenge) {
            return Err(AuthorizationError::Request("code_challenge is no SHA-256 in base64url"));
        }
        let prompt = match one("prompt")? {
            None => Prompt::AsNeeded,
            Some("none") => Prompt::Nothing,
            Some(_) => Prompt::Consent,
        };
        let resource = resource::find(service, resource::asked(parameters)?).await?;
        if resource.standing != Standing::Active {
            return Err(AuthorizationError::Target("the site of this resource is suspended"));
        }
        let scopes = scope::among(&resource, one("scope")?)
            .map_err(|_| AuthorizationError::Scope("the resource has no such scope"))?;
        Ok((challenge.to_owned(), resource, scopes, prompt))
    }

    /// What is asked for, parted by spaces.
    pub(crate) fn scope(&self) -> String {
        scope::join(&self.scopes)
    }

    /// Whether the owner may let this client in without being asked again. Whatever sits at a port of his machine, or
    /// claims a scheme there, can say that it is this client.
    pub(crate) fn can_be_remembered(&self) -> bool {
        let redirect = &self.answer.redirect_uri;
        !redirect.is_loopback() && !redirect.is_custom_scheme()
    }
}

async fn client_of(
    service: &Service,
    parameters: &Parameters,
    now: UnixMillis,
) -> Result<(Client, Option<String>), NotAsked> {
    let one = |name: &'static str| {
        parameters.one(name).map_err(|Repeated| NotAsked::broken(&format!("The link says {name} twice.")))
    };
    let id = one("client_id")?.ok_or_else(|| NotAsked::broken("The link does not say which app asks."))?;
    let written = one("redirect_uri")?.map(str::to_owned);
    let client = client::find(service, id, now).await.map_err(|unknown| match unknown {
        UnknownClient::Unregistered => shown(
            "This app is not known here",
            "It may have been away for too long, and has to register again: start over in the app.".into(),
        ),
        UnknownClient::Document(refusal) if refusal.is_outage() => {
            let text = format!("Its document cannot be fetched: {refusal}.");
            NotAsked::Shown { status: StatusCode::SERVICE_UNAVAILABLE, title: "This app cannot be looked up now", text }
        }
        UnknownClient::Document(refusal) => shown("This app cannot be identified", format!("{refusal}.")),
        UnknownClient::Store(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "store failed");
            let text = "The app cannot be looked up now. Try again in a moment.".into();
            NotAsked::Shown { status: StatusCode::SERVICE_UNAVAILABLE, title: "Not now", text }
        }
    })?;
    if matches!(client.origin, Origin::Operator(_)) {
        return Err(shown("This app asks for nobody", "It acts in its own name and needs no owner's consent.".into()));
    }
    Ok((client, written))
}

/// Where the answer goes: exactly one that is registered, a port of this machine aside (RFC 8252 §7.3).
fn landing(client: &Client, written: Option<&str>) -> Result<RedirectUri, NotAsked> {
    let wrong = || {
        shown(
            "The app sends you to the wrong place",
            "The address to return to is not one that this app has registered, so nobody is sent there.".into(),
        )
    };
    match (written, client.redirect_uris.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(wrong()),
        (Some(written), registered) => {
            let asked = RedirectUri::parse(written).map_err(|_| wrong())?;
            if registered.iter().any(|one| one.matches(&asked)) { Ok(asked) } else { Err(wrong()) }
        }
    }
}

fn shown(title: &'static str, text: String) -> NotAsked {
    NotAsked::Shown { status: StatusCode::BAD_REQUEST, title, text }
}

/// A SHA-256 in base64url without padding (RFC 7636 §4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
