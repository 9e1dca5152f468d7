use filters::{Decision, Earned, Fault, WorkEvent};
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Challenges are dated to the second.
const SECONDS: &[f64] = &[0.5, 1.5, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0];

/// What strangers were asked, and what came of it.
#[derive(Debug)]
pub(super) struct Challenges {
    issued: IntCounterVec,
    solved: IntCounterVec,
    refused: IntCounterVec,
    bits: IntGaugeVec,
    duration: Histogram,
}

impl Challenges {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let duration = HistogramOpts::new("challenge_duration_seconds", "From a challenge to its solution.");
        let duration = Histogram::with_opts(duration.buckets(SECONDS.to_vec()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            issued: counters("challenges_issued_total", "Challenges that strangers were set.", &["site", "form"])?,
            solved: counters("challenges_solved_total", "Challenges solved, or waited for.", &["site", "by"])?,
            refused: counters(
                "challenges_refused_total",
                "Solutions and clearances that did not count.",
                &["site", "reason"],
            )?,
            bits: gauges("challenge_bits", "Bits of the challenge that was set last.", &["site"])?,
            duration,
        })
    }

    pub(super) fn count(&self, site: &str, decision: &Decision) {
        match decision.work {
            Some(WorkEvent::Asked { bits, form }) => {
                self.issued.with_label_values(&[site, form.as_str()]).inc();
                self.bits.with_label_values(&[site]).set(bits.into());
            }
            Some(WorkEvent::Done { took, earned, .. }) => {
                self.solved.with_label_values(&[site, earned.as_str()]).inc();
                if earned == Earned::Work {
                    self.duration.observe(took.as_secs_f64());
                }
            }
            None => {}
        }
        if let Some(Fault::Work(refusal)) = decision.fault {
            self.refused.with_label_values(&[site, refusal.code()]).inc();
        }
    }

    pub(super) fn forget_site(&self, site: &str) {
        // The error is that there was none.
        self.bits.remove_label_values(&[site]).unwrap_or_default();
    }
}
