//! `lime up`: an issuer, a gateway and a demo site in one process, and a login through them, step by step.

mod demo;
mod registry;
mod steps;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::json;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::{listen, signals, terminal};

use registry::Registered;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where the gateway listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the issuer listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    issuer_listen: String,
    /// Where health and metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9180")]
    ops_listen: String,
    /// A site of yours to stand behind the gateway, instead of the demo site
    #[arg(long, value_name = "URL")]
    origin: Option<config::Upstream>,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "lime-data")]
    data: PathBuf,
    /// End after the login
    #[arg(long)]
    once: bool,
    /// Speak JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// What is shown, in either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Story,
    Json,
}

/// Access lines go to stderr, since stdout is the story's; and only once the story is told.
#[derive(Clone, Debug, Default)]
struct Curtain(Arc<AtomicBool>);

impl Curtain {
    fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl io::Write for Curtain {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.0.load(Ordering::Relaxed) { io::stderr().write(lines) } else { Ok(lines.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Where everything answers.
#[derive(Debug)]
pub(crate) struct Places {
    issuer: String,
    gateway: String,
    operations: String,
    origin: config::Upstream,
}

impl Places {
    fn api_base(&self) -> String {
        format!("{}/api/v1", self.issuer)
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let show = if arguments.json { Show::Json } else { Show::Story };
    let issuer_listener = listen::bind_one(address(&arguments.issuer_listen)?)?;
    let listeners = proxy::Listeners {
        plain: vec![listen::bind_one(address(&arguments.listen)?)?],
        tls: Vec::new(),
        ops: listen::bind_one(address(&arguments.ops_listen)?)?,
        auth: None,
    };
    let asked = signals::stop()?;
    let (sender, stopped) = watch::channel(false);
    let stop = move || {
        let mut stopped = stopped.clone();
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    };

    let origin = match arguments.origin {
        Some(origin) => origin,
        None => demo::start(stop()).await?,
    };
    let places = Places {
        issuer: listen::url(listen::address(&issuer_listener)?),
        gateway: listen::url(gateway_address(&listeners)?),
        operations: listen::url(listen::address(&listeners.ops)?),
        origin,
    };
    let issuer_config = config::Issuer::in_directory(&arguments.data);
    let issuer = issuer::Issuer::open(&issuer_config, places.issuer.clone()).await.map_err(Failure::from_error)?;
    let registered = registry::load_or_create(&arguments.data, &issuer_config, &places.gateway).await?;
    let gateway_config = gateway_config(&arguments.data, &places)?;

    let issuing = tokio::spawn(issuer.serve(vec![issuer_listener], stop()));
    let curtain = Curtain::default();
    let gateway = proxy::Gateway::prepare_with_log(gateway_config, curtain.clone()).map_err(Failure::from_error)?;
    let serving = tokio::spawn(gateway.serve(listeners, stop()));

    announce(show, &arguments.data, &places, &registered);
    let story = async {
        steps::play(show, &places, &registered).await?;
        if !arguments.once {
            curtain.open();
            hints(show, &arguments.data, &places, &registered);
            std::future::pending::<()>().await;
        }
        Ok(())
    };
    let done = tokio::select! {
        done = story => done,
        () = asked => Ok(()),
    };
    sender.send_replace(true);
    ended(serving.await.map(|done| done.map_err(Failure::from_error)))?;
    ended(issuing.await.map(|done| done.map_err(Failure::from_error)))?;
    done
}

fn ended(task: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), Failure> {
    task.map_err(Failure::from_error)?
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    config::listen_address(text).map_err(|error| Failure::usage(error.to_string()))
}

fn gateway_address(listeners: &proxy::Listeners) -> Result<SocketAddr, Failure> {
    listeners.plain.first().map_or_else(|| Err(Failure::usage("listen names no address")), listen::address)
}

fn gateway_config(data: &Path, places: &Places) -> Result<config::Gateway, Failure> {
    let url = places.gateway.parse().map_err(Failure::from_error)?;
    let issuer = places.issuer.parse().map_err(Failure::from_error)?;
    let here = config::Place { file: Path::new("lime up").into(), line: 1 };
    let site = config::Site {
        mode: config::Mode::Enforce,
        policy: config::Policy::passport(),
        issuers: vec![Arc::new(config::TrustedIssuer::lime(issuer, here.clone()))],
        credential: Some(config::SecretSource::File(registry::site_token_file(data))),
        login: config::Login::Edge,
        ..config::Site::new(url, places.origin.clone(), here)
    };
    Ok(config::Gateway::new(config::Server::new(data.join("gateway")), vec![site]))
}

fn announce(show: Show, data: &Path, places: &Places, registered: &Registered) {
    let (user, password) = (registry::OWNER_USER, registry::owner_password_file(data));
    match show {
        Show::Json => terminal::say(
            &json!({
                "event": "ready",
                "issuer": places.issuer,
                "api_base": places.api_base(),
                "gateway": places.gateway,
                "ops": places.operations,
                "origin": places.origin.to_string(),
                "agent_token": registered.agent_token,
                "site_token": registered.site_token,
                "site_token_spare": registered.site_token_spare,
                "owner_user": user,
                "owner_password_file": password,
            })
            .to_string(),
        ),
        Show::Story => {
            terminal::say(&format!("issuer   {}   signs passports", places.issuer));
            terminal::say(&format!("gateway  {}   asks for them, in front of", places.gateway));
            terminal::say(&format!("site     {}   which knows nothing of all this", places.origin));
            let password = password.display();
            terminal::say(&format!("owner    {user}   signs in at the issuer with the password in {password}\n"));
        }
    }
}

fn hints(show: Show, data: &Path, places: &Places, registered: &Registered) {
    if show == Show::Json {
        return;
    }
    let (gateway, data) = (&places.gateway, data.display());
    let agent = format!("--api-base {} --token-file {data}/agent.token", places.api_base());
    terminal::say(&format!(
        "
Try it:
  curl -i {gateway}/                       # refused, and told what to do
  ./lime agent fetch {gateway}/ {agent}
  curl -i {gateway}/ -H \"$(./lime agent token 127.0.0.1 --header {agent})\"
  ./lime issuer agent suspend {} --data {data}   # and fetch again
  curl {}/metrics
ctrl-c ends it; everything is kept in {data}.",
        registered.agent_id, places.operations,
    ));
}
