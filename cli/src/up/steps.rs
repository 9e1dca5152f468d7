//! The five steps of a login, as they happen.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use agent::{Agent, ApiBase, Progress};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::registry::Registered;
use super::{Places, Show};
use crate::failure::Failure;
use crate::terminal;

/// A login takes a fraction of a second; past this something is wrong.
const WAIT_MAX: Duration = Duration::from_secs(30);

const NAMES: [&str; 5] = ["open", "challenge", "approve", "deliver", "verify"];

/// The clock between two steps.
struct Clock {
    show: Show,
    since: Mutex<Instant>,
}

impl Clock {
    fn step(&self, number: usize, what: &str) {
        let now = Instant::now();
        let mut since = self.since.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let took = now.duration_since(*since).as_secs_f64() * 1000.0;
        *since = now;
        let name = number.checked_sub(1).and_then(|index| NAMES.get(index)).copied().unwrap_or_default();
        match self.show {
            Show::Json => {
                let ms = (took * 10.0).round() / 10.0;
                terminal::say(&json!({ "event": "step", "n": number, "name": name, "ms": ms }).to_string());
            }
            Show::Story => terminal::say(&format!("{number}. {name:<10}{took:>7.1} ms  {what}")),
        }
    }
}

#[derive(Deserialize)]
struct Opened {
    request_id: String,
    poll: String,
    secret: String,
}

#[derive(Deserialize)]
struct Session {
    session: String,
}

/// Logs the demo agent in at the gateway and fetches a page.
pub(crate) async fn play(show: Show, places: &Places, registered: &Registered) -> Result<(), Failure> {
    let played = timeout(WAIT_MAX, login(show, places, registered)).await;
    played.unwrap_or_else(|_| Err(Failure::runtime("the login did not complete within 30 s; the log above says why")))
}

async fn login(show: Show, places: &Places, registered: &Registered) -> Result<(), Failure> {
    let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let http = http.map_err(Failure::from_error)?;
    let stream = watch(&http, places, registered).await?;
    let clock = Clock { show, since: Mutex::new(Instant::now()) };

    let opened: Opened = opened(&http, places).await?;
    clock.step(1, &format!("the gateway opens login request {}", opened.request_id));
    let watching = tokio::spawn(passport_of(opened.request_id.clone(), stream));

    let api_base = ApiBase::parse(&places.api_base()).map_err(Failure::from_error)?;
    let agent = Agent::new(api_base, registered.agent_token.as_str().into()).map_err(Failure::from_error)?;
    let progress = |progress: Progress| match progress {
        Progress::Challenge { site, difficulty_bits } => {
            let site = site.unwrap_or_default();
            clock
                .step(2, &format!("the issuer asks the agent for {difficulty_bits} bits of work, to log in at {site}"));
        }
        Progress::Work { .. } | Progress::Solving { .. } | Progress::Solved { .. } => {}
    };
    let approval = agent.login(&opened.request_id, Some(&places.gateway), progress).await;
    let approval = approval.map_err(|error| refused(&error, registered))?;
    clock.step(3, &format!("the agent has solved it and approves: {}", approval.status));

    let session = session(&http, places, &opened).await?;
    clock.step(4, "the gateway has received the passport and hands out a session");

    let page = http.get(&places.gateway).bearer_auth(&session.session).send().await.map_err(Failure::from_error)?;
    if is_refusal(&page) {
        return Err(Failure::runtime(format!("the gateway refused the session: {}", page.status())));
    }
    clock.step(5, &format!("the gateway verifies the session locally and the site answers {}", page.status()));

    if show == Show::Story {
        let passport = watching.await.map_err(Failure::from_error)??;
        terminal::say(&format!("\nThe passport said:\n{passport}\n"));
        let body = page.text().await.map_err(Failure::from_error)?;
        if let Ok(echo) = serde_json::from_str::<Value>(&body)
            && echo.get("site").is_some_and(|site| site == "demo")
        {
            let echo = serde_json::to_string(&echo).map_err(Failure::from_error)?;
            terminal::say(&format!("The site received:\n{echo}"));
        }
    }
    Ok(())
}

/// Whoever suspends the demo agent, as the README proposes, meets this at the next start.
fn refused(error: &agent::Error, registered: &Registered) -> Failure {
    let id = &registered.agent_id;
    Failure::runtime(format!(
        "{error}; `lime issuer agent resume {id} --data DIR` ends a suspension, and without DIR/up.json another agent is \
         registered"
    ))
}

async fn opened(http: &Client, places: &Places) -> Result<Opened, Failure> {
    let address = format!("{}/.lime/login", places.gateway);
    let response = http.post(address).send().await.map_err(Failure::from_error)?;
    let status = response.status();
    if status != StatusCode::CREATED {
        let why = response.text().await.unwrap_or_default();
        return Err(Failure::runtime(format!("the gateway did not open a login: {status} {why}")));
    }
    json_of(response).await
}

async fn session(http: &Client, places: &Places, opened: &Opened) -> Result<Session, Failure> {
    let address =
        if opened.poll.starts_with('/') { format!("{}{}", places.gateway, opened.poll) } else { opened.poll.clone() };
    loop {
        let response = http.get(&address).bearer_auth(&opened.secret).send().await.map_err(Failure::from_error)?;
        match response.status() {
            StatusCode::OK => return json_of(response).await,
            StatusCode::ACCEPTED => sleep(Duration::from_millis(5)).await,
            other => return Err(Failure::runtime(format!("the login ended with {other}"))),
        }
    }
}

async fn json_of<T: serde::de::DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let body = response.bytes().await.map_err(Failure::from_error)?;
    serde_json::from_slice(&body).map_err(Failure::from_error)
}

fn is_refusal(page: &Response) -> bool {
    let kind = page.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/problem+json"))
}

/// Opens the site's own event stream beside the gateway's: every open stream gets every passport.
async fn watch(http: &Client, places: &Places, registered: &Registered) -> Result<Response, Failure> {
    let address = format!("{}/modules/agent-login/events", places.api_base());
    let stream = http.get(address).header("X-Site-Token", &registered.site_token).send().await;
    stream.and_then(Response::error_for_status).map_err(Failure::from_error)
}

/// The claims of this login's passport, to be shown; the stream may bring those of others.
async fn passport_of(request_id: String, mut stream: Response) -> Result<String, Failure> {
    let mut seen = Vec::new();
    while let Some(chunk) = stream.chunk().await.map_err(Failure::from_error)? {
        seen.extend_from_slice(&chunk);
        let Some(whole) = seen.iter().rposition(|byte| *byte == b'\n') else { continue };
        let lines: Vec<u8> = seen.drain(..=whole).collect();
        let events = lines.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
        let mut events = events.filter_map(|event| serde_json::from_slice::<Value>(event).ok());
        if let Some(jwt) = events
            .find(|event| event.get("login_request_id").is_some_and(|id| *id == *request_id))
            .and_then(|event| Some(event.get("agent_passport_jwt")?.as_str()?.to_owned()))
        {
            return claims(&jwt).ok_or_else(|| Failure::runtime("the passport is no JWT"));
        }
    }
    Err(Failure::runtime("the issuer ended the event stream"))
}

fn claims(jwt: &str) -> Option<String> {
    use base64::Engine as _;
    let payload = jwt.split('.').nth(1)?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::to_string_pretty(&serde_json::from_slice::<Value>(&payload).ok()?).ok()
}
