//! `lime explain`: what would become of a request, and why, without sending it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use config::Require;
use filters::{Asks, Call, DecisionWord};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proxy::{Assumed, Explainer, Explanation, Question};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{gateway, terminal};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The method, and the URL as a client would ask for it; the method may be left out
    #[arg(required = true, num_args = 1..=2, value_name = "METHOD] [URL")]
    request: Vec<String>,
    /// A header of the request, such as "Accept: text/html"; may stand several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body: a message to an MCP endpoint, as a POST of JSON unless something else is said
    #[arg(short, long, value_name = "JSON")]
    data: Option<String>,
    /// The address of the client
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))]
    client: IpAddr,
    /// An agent that is assumed to ask with a token that counts
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The owner of the assumed agent
    #[arg(long, value_name = "ID", requires = "agent")]
    owner: Option<String>,
    /// How well the issuer knows that owner
    #[arg(long, value_name = "N", requires = "agent", default_value_t = 0)]
    owner_level: u8,
    /// The scopes of the assumed token, parted by spaces
    #[arg(long, value_name = "SCOPES", requires = "agent")]
    scope: Option<String>,
    /// The configuration file of the gateway
    #[arg(short, long, value_name = "FILE", default_value = "lime.toml")]
    config: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (method, url) = match &arguments.request[..] {
        [url] if arguments.data.is_some() => ("POST", url.as_str()),
        [url] => ("GET", url.as_str()),
        [method, url, ..] => (method.as_str(), url.as_str()),
        [] => return Err(Failure::usage("write a URL")),
    };
    let assumed = match &arguments.agent {
        Some(agent) => {
            Some(assumed(agent, arguments.owner.as_deref(), arguments.owner_level, arguments.scope.clone())?)
        }
        None => None,
    };
    let headers = headers(arguments.headers.iter().map(|line| line.split_once(':').unwrap_or((line, ""))))?;
    let question = question(method, url, headers)?.with_body(arguments.data.clone());
    let question = Question { assumed, client: arguments.client, ..question };
    let explainer = Explainer::new(gateway::load(&arguments.config)?).map_err(Failure::from_error)?;
    let explanation = explainer.explain(&question);
    if arguments.json {
        terminal::say(&as_json(&explanation).to_string());
    } else {
        say(&explanation);
    }
    Ok(())
}

/// The question about a request, from its parts as text.
pub(crate) fn question(method: &str, url: &str, headers: HeaderMap) -> Result<Question, Failure> {
    let problem =
        |what: &str| Failure::usage(format!("{what}: write it like GET https://shop.example.com/agents/list"));
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| problem("no such method"))?;
    let (scheme, rest) = url.split_once("://").ok_or_else(|| problem("the URL has no scheme"))?;
    let scheme = match scheme {
        "http" => config::Scheme::Http,
        "https" => config::Scheme::Https,
        _ => return Err(problem("the URL is neither http nor https")),
    };
    // Not parsed any further: the path is judged as it would come over the wire.
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Ok(Question { method, scheme, authority: authority.to_owned(), target, headers, body: None, client, assumed: None })
}

/// Headers from their lines.
pub(crate) fn headers<'a>(lines: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let problem = |_| Failure::usage(format!("no header `{name}: {value}`: write it like \"Accept: text/html\""));
        let value = HeaderValue::from_str(value.trim()).map_err(|_| problem(()))?;
        headers.append(HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| problem(()))?, value);
    }
    Ok(headers)
}

/// An agent that is assumed to ask.
pub(crate) fn assumed(
    agent: &str,
    owner: Option<&str>,
    owner_level: u8,
    scope: Option<String>,
) -> Result<Assumed, Failure> {
    let id = |text: &str| Failure::usage(format!("`{text}` is no id: letters, digits and `. _ : -`"));
    Ok(Assumed {
        agent: agent.parse().map_err(|_| id(agent))?,
        owner: owner.map(|owner| owner.parse().map_err(|_| id(owner))).transpose()?,
        owner_level: passport::OwnerLevel::new(owner_level),
        scope,
    })
}

fn say(explanation: &Explanation) {
    let line = |name: &str, text: &str| terminal::say(&format!("{name:<10} {text}"));
    let Explanation { site, route, message, policy, decision, reply, bits, to_origin } = explanation;
    match site {
        Some(site) => {
            line("site", &format!("{} ({})", site.url, site.defined_at));
            line("mode", site.mode.as_str());
        }
        None => line("site", "none has this host, or the request is not judged so far"),
    }
    if let Some(policy) = policy {
        line("route", route.as_deref().unwrap_or("none: what the site asks of every other path"));
        let does = if policy.require == Require::Nobody { "lets in" } else { "asks for" };
        line("policy", &format!("{}, which {does} {}", policy.name, policy.require));
    }
    if let Some(message) = message {
        line("message", &in_words(message));
        line("rule", message.rule.as_deref().unwrap_or("none: what the endpoint asks of every other message"));
    }
    if let Some(bits) = bits {
        let sum: i16 = bits.iter().map(|(_, bits)| bits).sum();
        line("work", &format!("{sum} bits, and more for a network that solves much"));
        bits.iter().for_each(|(why, bits)| line("", &format!("{bits:+} {why}")));
    }
    if let Some(Asks::Gateway) = decision.policy {
        line("route", "none: the gateway answers this itself");
    }
    line("decision", decision.word.as_str());
    if let Some(reason) = decision.reason {
        line("reason", &format!("{}: {}", reason.as_str(), reason.meaning()));
    }
    if let Some(fault) = decision.fault {
        line("fault", &fault.to_string());
    }
    line("trust", decision.trust.as_str());
    if let Some(identity) = &decision.identity {
        line("agent", identity.agent.as_str());
    }
    if let Some(reply) = reply {
        line("answer", reply.status.as_str());
        for (name, value) in &reply.headers {
            line("", &format!("{name}: {}", value.to_str().unwrap_or("..")));
        }
    }
    if let (Some(headers), Some(site)) = (to_origin, site) {
        let targets: Vec<String> = site.origin.targets.iter().map(ToString::to_string).collect();
        line("origin", &targets.join(" "));
        for (name, value) in headers {
            line("", &format!("{name}: {}", value.to_str().unwrap_or("..")));
        }
    }
}

/// What a message asks for: `tools/call search`.
fn in_words(message: &Call) -> String {
    let target = message.target.as_ref().map(|(_, name)| format!(" {name}")).unwrap_or_default();
    format!("{}{target}", message.method.as_deref().unwrap_or("a response"))
}

fn as_json(explanation: &Explanation) -> Value {
    let Explanation { site, route, message, policy, decision, reply, bits, to_origin } = explanation;
    let lines = |headers: &HeaderMap| -> Vec<String> {
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect()
    };
    json!({
        "site": site.as_ref().map(|site| site.url.as_str()),
        "mode": site.as_ref().map(|site| site.mode.as_str()),
        "route": route,
        "message": message.as_ref().map(in_words),
        "rule": message.as_ref().map(|message| message.rule.as_deref()),
        "policy": policy.as_ref().map(|policy| &*policy.name),
        "require": policy.as_ref().map(|policy| policy.require.as_str()),
        "decision": decision.word.as_str(),
        "reason": decision.reason.map(filters::Reason::as_str),
        "fault": decision.fault.map(filters::Fault::code),
        "trust": decision.trust.as_str(),
        "agent": decision.identity.as_ref().map(|identity| identity.agent.as_str()),
        "status": reply.as_ref().map(|reply| reply.status.as_u16()),
        "bits": bits.as_ref().map(|bits| bits.iter().map(|(_, bits)| bits).sum::<i16>()),
        "bits_because": bits.as_ref().map(|bits| {
            bits.iter().map(|(why, bits)| format!("{bits:+} {why}")).collect::<Vec<_>>()
        }),
        "headers_to_origin": to_origin.as_ref().map(lines),
    })
}

/// The words a decision may be expected as.
pub(crate) const DECISIONS: [DecisionWord; 5] =
    [DecisionWord::Allow, DecisionWord::Deny, DecisionWord::WouldDeny, DecisionWord::Challenge, DecisionWord::Error];
