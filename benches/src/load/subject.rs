//! What takes its turn: a server, the work it is given, and what that cost.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::client::{Client, Work};
use super::usage;

/// The thread the origin runs on.
pub(super) const ORIGIN_THREAD: &str = "origin";

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// No gateway.
    Origin,
    /// A gateway that is switched off: the one that the others are compared with.
    EmptyChain,
    /// One token again and again.
    Repeated,
    /// Many tokens, each of which was shown before.
    Seen,
    /// Tokens that are shown for the first time.
    Fresh,
}

impl What {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin alone",
            Self::EmptyChain => "gateway, empty chain",
            Self::Repeated => "one repeated token",
            Self::Seen => "tokens seen before",
            Self::Fresh => "first-seen tokens",
        }
    }

    /// The least rate and the most CPU time, as multiples of the empty chain's.
    pub(super) const fn goal(self) -> &'static str {
        match self {
            Self::Origin | Self::EmptyChain => "",
            Self::Repeated => ">= 0.97, <= 1.04",
            Self::Seen => ">= 0.95, <= 1.07",
            Self::Fresh => ">= 0.60",
        }
    }
}

/// A server under load.
pub(super) struct Subject {
    what: What,
    client: Client,
    /// The gateway's process; the origin has none of its own.
    pid: Option<u32>,
    turns: Vec<Turn>,
}

/// What one turn cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) requests: usize,
    pub(super) elapsed: Duration,
    /// CPU time of the gateway, none without one.
    pub(super) gateway: Duration,
    pub(super) origin: Duration,
}

impl Subject {
    pub(super) async fn new(
        what: What,
        (server, pid): (SocketAddr, Option<u32>),
        connections: usize,
    ) -> io::Result<Self> {
        Ok(Self { what, client: Client::connect(server, connections).await?, pid, turns: Vec::new() })
    }

    /// Work that does not count.
    pub(super) async fn warm_up(&mut self, work: &Work) -> io::Result<()> {
        self.client.run(work).await.map(|_| ())
    }

    pub(super) async fn take_turn(&mut self, work: &Work) -> io::Result<()> {
        let (gateway, origin) = self.cpu()?;
        let elapsed = self.client.run(work).await?;
        let (gateway_after, origin_after) = self.cpu()?;
        self.turns.push(Turn {
            requests: work.requests,
            elapsed,
            gateway: gateway_after.saturating_sub(gateway),
            origin: origin_after.saturating_sub(origin),
        });
        Ok(())
    }

    fn cpu(&self) -> io::Result<(Duration, Duration)> {
        let gateway = self.pid.map(usage::cpu_of_process).transpose()?.unwrap_or_default();
        Ok((gateway, usage::cpu_of_thread(ORIGIN_THREAD)?))
    }

    pub(super) fn into_turns(self) -> (What, Vec<Turn>) {
        (self.what, self.turns)
    }
}
