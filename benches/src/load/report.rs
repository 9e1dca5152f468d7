//! What came of a run, as a table.

use std::fmt;
use std::time::Duration;

use super::subject::{Turn, What};

/// The most memory that an idle gateway should take.
const IDLE_MIB_GOAL: f64 = 40.0;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    pub(super) subjects: Vec<(What, Vec<Turn>)>,
    pub(super) idle_bytes: u64,
    pub(super) loaded_bytes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let empty = self.subjects.iter().find(|(what, _)| *what == What::EmptyChain);
        let empty = empty.map_or(&[][..], |(_, turns)| turns);
        let rounds = empty.len();
        writeln!(f, "medians of {rounds} interleaved rounds; ratios are taken within a round, CPU with its quartiles")?;
        writeln!(f, "{:20} {:>8} {:>19} {:>7}   / empty chain:", "", "", "CPU s/100k: gateway", "origin")?;
        writeln!(f, "{:20} {:>8} {:>27} {:>8}  {:20}  goal", "", "req/s", "", "req/s", "CPU")?;
        for (what, turns) in &self.subjects {
            let per_100k = |part: fn(&Turn) -> Duration| Spread::of(turns.iter().map(|turn| turn.per_100k(part(turn))));
            let rate = Spread::of(turns.iter().map(Turn::rate)).median;
            let (gateway, origin) = (per_100k(|turn| turn.gateway).median, per_100k(|turn| turn.origin).median);
            let pairs = || turns.iter().zip(empty);
            let rates = Spread::of(pairs().map(|(turn, empty)| turn.rate() / empty.rate())).median;
            let name = what.name();
            write!(f, "{name:20} {rate:>8.0} {gateway:>19.3} {origin:>7.3} {rates:>8.3}  ")?;
            let costs = |(turn, empty): (&Turn, &Turn)| turn.per_100k(turn.gateway) / empty.per_100k(empty.gateway);
            let Spread { lower, median, upper } = Spread::of(pairs().map(costs));
            writeln!(f, "{:20}  {}", format!("{median:.3} ({lower:.3}-{upper:.3})"), what.goal())?;
        }
        let (idle, loaded) = (mebibytes(self.idle_bytes), mebibytes(self.loaded_bytes));
        write!(f, "memory of a gateway: idle {idle:.1} MiB (goal <= {IDLE_MIB_GOAL}), after its load {loaded:.1} MiB")
    }
}

impl Turn {
    /// Requests in a second.
    fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// Seconds of CPU time that 100,000 requests would take.
    fn per_100k(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 100_000.0 / self.requests as f64
    }
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The middle of a sample, and the quartiles around it.
pub(super) struct Spread {
    pub(super) lower: f64,
    pub(super) median: f64,
    pub(super) upper: f64,
}

impl Spread {
    pub(super) fn of(sample: impl Iterator<Item = f64>) -> Self {
        let mut sample: Vec<f64> = sample.collect();
        sample.sort_unstable_by(f64::total_cmp);
        let at = |quarters: usize| sample.get(sample.len() * quarters / 4).copied().unwrap_or(f64::NAN);
        Self { lower: at(1), median: at(2), upper: at(3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(milliseconds: u64) -> Turn {
        let cpu = Duration::from_millis(milliseconds);
        Turn { requests: 1_000, elapsed: cpu * 2, gateway: cpu, origin: cpu / 2 }
    }

    #[test]
    fn others_are_compared_with_the_empty_chain_round_by_round() {
        let empty = (What::EmptyChain, vec![turn(10), turn(20), turn(30)]);
        let token = (What::Repeated, vec![turn(11), turn(22), turn(66)]);
        let report = Report { subjects: vec![empty, token], idle_bytes: 20 << 20, loaded_bytes: 30 << 20 };
        let text = report.to_string();
        let line = text.lines().nth(4).unwrap();
        let words: Vec<&str> = line.split_whitespace().take(8).collect();
        assert_eq!(words, ["one", "repeated", "token", "22727", "2.200", "1.100", "0.909", "1.100"]);
        assert!(line.contains("1.100 (1.100-2.200)"), "{line}");
        assert!(text.contains("idle 20.0 MiB (goal <= 40)"), "{text}");
    }
}
