//! `lime healthcheck`: is a gateway ready? For containers and scripts that have no other client.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use crate::failure::Failure;
use crate::{gateway, listen, terminal};

/// Longest answer that is read; what `/readyz` says of thousands of issuers is cut.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What is to be asked.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The gateway's configuration file: asks where its `ops_listen` says
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml", conflicts_with = "url")]
    config: PathBuf,
    /// Ask here instead: the operations listener, or with a path any page that should answer 2xx
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Seconds to wait for the whole answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// Asks once.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let url = target(&arguments)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(arguments.timeout))
        .build()
        .map_err(Failure::from_error)?;
    let unwell = |what: String| Failure::runtime(format!("{url} {what}: is the gateway running?"));
    let mut response = client
        .get(url.clone())
        .send()
        .await
        .map_err(|error| unwell(format!("does not answer ({})", reason(&error))))?;
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::runtime(format!("{url} answers {status}: look at the log of what runs there")));
    }
    let mut body = Vec::new();
    while let Some(piece) =
        response.chunk().await.map_err(|error| unwell(format!("breaks off ({})", reason(&error))))?
    {
        body.extend_from_slice(&piece);
        if body.len() > BODY_BYTES_MAX {
            break;
        }
    }
    terminal::say(&format!("{url} answers {}: {}", status.as_u16(), word(&body)));
    Ok(())
}

/// Where to ask.
fn target(arguments: &Arguments) -> Result<Url, Failure> {
    let Some(mut url) = arguments.url.clone() else {
        let address = gateway::load(&arguments.config)?.server.ops_listen;
        if address.port() == 0 {
            return Err(Failure::usage("`ops_listen` has port 0, which is another port at each start: pass --url"));
        }
        return Url::parse(&format!("{}/readyz", listen::url(address))).map_err(Failure::from_error);
    };
    if url.path() == "/" {
        url.set_path("/readyz");
    }
    Ok(url)
}

/// The word a gateway has for its state; whoever has none is well.
fn word(body: &[u8]) -> String {
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let status = said.as_ref().and_then(|said| said.get("status")).and_then(|status| status.as_str());
    terminal::harmless(status.unwrap_or("ok"))
}

/// The innermost cause says what an operator can use; those around it repeat the URL.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "not in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
