//! What many sites cost: the same tokens through a gateway of few sites and one of many, turn by turn.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use passport::{AccessToken, SigningKey, UnixTime, jwks_document};
use tokio::time::sleep;

use super::client::{Client, Work, request, wait_until_ready};
use super::gateway::{Gateway, protected_site};
use super::report::{Spread, mebibytes};
use super::{responder, usage};
use crate::inputs::{claims, tokens};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct HostsPlan {
    /// The program whose gateway is measured.
    pub lime: PathBuf,
    /// Sites of the one gateway.
    pub few: usize,
    /// Sites of the other.
    pub many: usize,
    /// Tokens, spread over the sites of each and all seen before it counts.
    pub tokens: usize,
    /// How often each takes its turn.
    pub rounds: usize,
    /// Requests in a turn.
    pub requests: usize,
    /// Connections that each client keeps busy.
    pub connections: usize,
    /// How often the many are read again.
    pub reloads: usize,
    /// How long a gateway is left alone before its memory is read.
    pub idle: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct HostsReport {
    few: Side,
    many: Side,
    reloads: Vec<Duration>,
}

/// One of the two gateways.
#[derive(Debug)]
struct Side {
    sites: usize,
    idle_bytes: u64,
    /// How long each turn took, and how much of it the gateway was at work.
    turns: Vec<(Duration, Duration)>,
}

/// A gateway under load.
struct Loaded {
    gateway: Gateway,
    client: Client,
    work: Work,
    side: Side,
}

/// Runs the comparison.
///
/// # Errors
/// When a gateway does not start or reload, or a request is not answered with 200.
pub async fn compare_hosts(plan: &HostsPlan) -> io::Result<HostsReport> {
    let key = SigningKey::generate().map_err(io::Error::other)?;
    let origin = responder::start("origin", "text/html", &"<p>In stock.</p>\n".repeat(60))?;
    let issuer = responder::start("issuer", "application/json", &jwks_document([key.jwk()]))?;
    let home = tempfile::tempdir()?;
    let start = async |sites: usize| -> io::Result<Loaded> {
        let tables: String = (0..sites).map(|number| protected_site(&host(number), origin, issuer)).collect();
        let gateway = Gateway::start(&plan.lime, &home.path().join(sites.to_string()), &tables)?;
        let requests = supply(plan, sites, &key, &format!("http://{issuer}"))?;
        let admitted = requests.first().ok_or(io::ErrorKind::InvalidInput)?;
        wait_until_ready(gateway.address, admitted, &request(&host(0), None)).await?;
        sleep(plan.idle).await;
        let side = Side { sites, idle_bytes: usage::resident_bytes(gateway.pid())?, turns: Vec::new() };
        let client = Client::connect(gateway.address, plan.connections).await?;
        Ok(Loaded { gateway, client, work: Work { of: requests.into(), first: 0, requests: plan.requests }, side })
    };
    let (mut few, mut many) = (start(plan.few).await?, start(plan.many).await?);
    for loaded in [&mut few, &mut many] {
        loaded.client.run(&Work { requests: plan.tokens, ..loaded.work.clone() }).await?;
    }
    for _ in 0..plan.rounds {
        few.take_turn().await?;
        many.take_turn().await?;
    }
    let reloads = (0..plan.reloads).map(|_| many.gateway.reload()).collect::<io::Result<_>>()?;
    Ok(HostsReport { few: few.side, many: many.side, reloads })
}

impl Loaded {
    async fn take_turn(&mut self) -> io::Result<()> {
        let before = usage::cpu_of_process(self.gateway.pid())?;
        let elapsed = self.client.run(&self.work).await?;
        let cpu = usage::cpu_of_process(self.gateway.pid())?.saturating_sub(before);
        self.side.turns.push((elapsed, cpu));
        self.work.first += self.work.requests;
        Ok(())
    }
}

fn host(number: usize) -> String {
    format!("site-{number:05}.example.com")
}

/// Requests with a token each: as many agents, however many sites they go to.
fn supply(plan: &HostsPlan, sites: usize, key: &SigningKey, issuer: &str) -> io::Result<Vec<Box<[u8]>>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_secs();
    let host = |number: usize| host(number % sites);
    let claims = |number| AccessToken { domain: host(number), ..claims(issuer, number, UnixTime::from_secs(now)) };
    let tokens = tokens(key, 0..plan.tokens, claims);
    Ok(tokens.iter().enumerate().map(|(number, token)| request(&host(number), Some(token))).collect())
}

impl fmt::Display for HostsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { few, many, reloads } = self;
        let ratio = |part: fn(&(Duration, Duration)) -> Duration| {
            let pairs = few.turns.iter().zip(&many.turns);
            Spread::of(pairs.map(move |(few, many)| part(many).as_secs_f64() / part(few).as_secs_f64()))
        };
        let (rates, cpu) = (ratio(|turn| turn.0), ratio(|turn| turn.1));
        writeln!(f, "{} sites / {} sites, {} interleaved rounds:", many.sites, few.sites, few.turns.len())?;
        let Spread { lower, median, upper } = rates;
        let (slowest, median, fastest) = (1.0 / upper, 1.0 / median, 1.0 / lower);
        writeln!(f, "  requests/s          {median:.3} ({slowest:.3}-{fastest:.3})  goal >= 0.95")?;
        let Spread { lower, median, upper } = cpu;
        writeln!(f, "  CPU time            {median:.3} ({lower:.3}-{upper:.3})")?;
        let (idle_few, idle_many) = (mebibytes(few.idle_bytes), mebibytes(many.idle_bytes));
        let more = (idle_many - idle_few) * 1024.0 / (many.sites - few.sites) as f64;
        writeln!(f, "  idle memory         {idle_few:.1} and {idle_many:.1} MiB: {more:.2} KiB a site, goal <= 4")?;
        let Spread { median, upper, .. } = Spread::of(reloads.iter().map(Duration::as_secs_f64));
        write!(f, "  reload of {} sites  {median:.3} s (upper quartile {upper:.3}), goal <= 1", many.sites)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_many_are_compared_with_the_few() {
        let side = |sites, idle_bytes, milliseconds| {
            let elapsed = Duration::from_millis(milliseconds);
            Side { sites, idle_bytes, turns: vec![(elapsed, elapsed / 2)] }
        };
        let reloads = vec![Duration::from_millis(250)];
        let report = HostsReport { few: side(10, 20 << 20, 100), many: side(1034, 22 << 20, 125), reloads };
        let text = report.to_string();
        for part in ["requests/s          0.800", "CPU time            1.250", "2.00 KiB a site", "0.250 s"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
