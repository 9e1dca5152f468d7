use filters::{Decision, Earned, Fault, WorkEvent};
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGaugeVec};

use super::maker::Maker;

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
    pub(super) fn new(make: Maker<'_>) -> Result<Self, prometheus::Error> {
        let duration = HistogramOpts::new("challenge_duration_seconds", "From a challenge to its solution.");
        Ok(Self {
            issued: make.counters(
                "challenges_issued_total",
                "Challenges that strangers were set.",
                &["site", "form"],
            )?,
            solved: make.counters("challenges_solved_total", "Challenges solved, or waited for.", &["site", "by"])?,
            refused: make.counters(
                "challenges_refused_total",
                "Solutions and clearances that did not count.",
                &["site", "reason"],
            )?,
            bits: make.gauges("challenge_bits", "Bits of the challenge that was set last.", &["site"])?,
            duration: make.histogram(duration.buckets(SECONDS.to_vec()))?,
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
