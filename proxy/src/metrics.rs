//! What is counted, in a registry of its own. Labels come from the configuration and from fixed lists: no agent, path or
//! key id ever becomes one.

use std::sync::OnceLock;
use std::time::Duration;

use config::Mode;
use filters::{Decision, DecisionWord};
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use passport::UnixTime;

use crate::access_log::mode;
use challenges::Challenges;
use maker::Maker;
pub(crate) use mcp::Mcp;

mod challenges;
mod maker;
mod mcp;

/// From a local origin's fraction of a millisecond to a slow page.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    decisions: IntCounterVec,
    duration: Histogram,
    pub(crate) in_flight: IntGauge,
    /// Connections of clients.
    pub(crate) connections: IntGauge,
    /// Connections that were one too many.
    pub(crate) connections_refused: IntCounter,
    pub(crate) streams_cut: IntCounter,
    pub(crate) log_lines_dropped: IntCounter,
    jwks_refresh: IntCounterVec,
    jwks_keys: IntGaugeVec,
    jwks_last_success: IntGaugeVec,
    unknown_kid: IntCounterVec,
    contact: IntGaugeVec,
    reloads: IntCounterVec,
    last_reload_successful: IntGauge,
    last_reload_success: IntGauge,
    /// Included files whose last good sites are served because they are broken.
    pub(crate) included_files_kept: IntGauge,
    mode: IntGaugeVec,
    certificate_ends: IntGaugeVec,
    upstream_healthy: IntGaugeVec,
    challenges: Challenges,
    pub(crate) mcp: Mcp,
}

/// The counters of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct IssuerMetrics {
    pub(crate) refreshed: IntCounter,
    pub(crate) refresh_failed: IntCounter,
    pub(crate) keys: IntGauge,
    pub(crate) last_success: IntGauge,
    pub(crate) unknown_kid: IntCounter,
    pub(crate) contact: IntGauge,
}

/// The counters a site's requests meet most, found once and then kept.
#[derive(Debug, Default)]
pub(crate) struct SiteMetrics {
    /// Made with the first request: most sites of a platform are asked rarely.
    requests: OnceLock<Box<ByOutcome>>,
    allowed: OnceLock<IntCounter>,
}

type ByOutcome = [[OnceLock<IntCounter>; WORDS.len()]; CLASSES.len()];

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

const WORDS: [DecisionWord; 5] =
    [DecisionWord::Allow, DecisionWord::Deny, DecisionWord::WouldDeny, DecisionWord::Challenge, DecisionWord::Error];

impl Metrics {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("lime_gateway".to_owned()), None)?;
        let make = Maker(&registry);
        let opts =
            HistogramOpts::new("request_duration_seconds", "From the request's header to the answer's last byte.");
        let duration = make.histogram(opts.buckets(SECONDS.to_vec()))?;
        make.gauges("build_info", "1, labelled with the version.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Ok(Self {
            requests: make.counters("requests_total", "Requests answered.", &["site", "status_class", "decision"])?,
            decisions: make.counters(
                "decisions_total",
                "Decisions by reason.",
                &["site", "decision", "reason", "mode"],
            )?,
            duration,
            in_flight: make.gauge("requests_in_flight", "Requests being served now.")?,
            connections: make.gauge("connections", "Connections of clients that are open now.")?,
            connections_refused: make.counter("connections_refused_total", "Connections that were one too many.")?,
            streams_cut: make.counter("streams_cut_total", "Open streams closed because their agent was suspended.")?,
            log_lines_dropped: make.counter("access_log_dropped_total", "Access lines nobody took in time.")?,
            jwks_refresh: make.counters("jwks_refresh_total", "Attempts to fetch a key set.", &["issuer", "result"])?,
            jwks_keys: make.gauges("jwks_keys", "Keys that are believed.", &["issuer"])?,
            jwks_last_success: make.gauges(
                "jwks_last_success_timestamp_seconds",
                "When the key set was last fetched.",
                &["issuer"],
            )?,
            unknown_kid: make.counters("jwks_unknown_kid_total", "Tokens of a key nobody published.", &["issuer"])?,
            reloads: make.counters("config_reloads_total", "Attempts to reload the configuration.", &["result"])?,
            last_reload_successful: make
                .gauge("config_last_reload_successful", "1 if the last reload was taken over.")?,
            last_reload_success: make
                .gauge("config_last_reload_success_timestamp_seconds", "When a configuration was last taken over.")?,
            included_files_kept: make
                .gauge("config_included_files_kept", "Broken files whose last good sites are served.")?,
            mode: make.gauges("mode", "What a site does now: 0 off, 1 observe, 2 enforce.", &["site"])?,
            certificate_ends: make.gauges(
                "tls_cert_not_after_timestamp_seconds",
                "When a certificate ends.",
                &["certificate"],
            )?,
            upstream_healthy: make.gauges(
                "upstream_healthy",
                "1 while a target is given requests; of origins with several targets or a health check.",
                &["site", "target"],
            )?,
            challenges: Challenges::new(make)?,
            mcp: Mcp::new(make)?,
            contact: make.gauges(
                "issuer_contact",
                "1 while the last attempt to reach the issuer succeeded.",
                &["issuer"],
            )?,
            registry,
        })
    }

    /// A configuration was taken over, or not.
    pub(crate) fn reloaded(&self, taken_over: bool, now: UnixTime) {
        self.reloads.with_label_values(&[if taken_over { "ok" } else { "failed" }]).inc();
        self.last_reload_successful.set(i64::from(taken_over));
        if taken_over {
            self.last_reload_success.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        }
    }

    /// What a site does now.
    pub(crate) fn mode(&self, site: &str, mode: Mode) {
        self.mode.with_label_values(&[site]).set(i64::from(crate::mode::number(mode)));
    }

    /// A site that is served no longer. What was counted of it stays, as counters do.
    pub(crate) fn forget_site(&self, site: &str) {
        // The error is that there was none.
        self.mode.remove_label_values(&[site]).unwrap_or_default();
        self.challenges.forget_site(site);
        self.mcp.forget_site(site);
    }

    /// An issuer that nobody trusts any longer: what was true of it last would raise alarms for ever.
    pub(crate) fn forget_issuer(&self, issuer: &str) {
        for gauges in [&self.jwks_keys, &self.jwks_last_success, &self.contact] {
            gauges.remove_label_values(&[issuer]).unwrap_or_default();
        }
    }

    /// A target that is given no requests any longer.
    pub(crate) fn forget_upstream(&self, site: &str, target: &str) {
        self.upstream_healthy.remove_label_values(&[site, target]).unwrap_or_default();
    }

    /// When each certificate ends, in seconds since 1970. Of others nothing is shown any longer.
    pub(crate) fn certificates_end(&self, ends: &[(String, i64)]) {
        self.certificate_ends.reset();
        for (certificate, at) in ends {
            self.certificate_ends.with_label_values(&[certificate]).set(*at);
        }
    }

    /// Whether a target is given requests.
    pub(crate) fn upstream_healthy(&self, site: &str, target: &str) -> IntGauge {
        self.upstream_healthy.with_label_values(&[site, target])
    }

    pub(crate) fn issuer(&self, issuer: &str) -> IssuerMetrics {
        IssuerMetrics {
            refreshed: self.jwks_refresh.with_label_values(&[issuer, "ok"]),
            refresh_failed: self.jwks_refresh.with_label_values(&[issuer, "failed"]),
            keys: self.jwks_keys.with_label_values(&[issuer]),
            last_success: self.jwks_last_success.with_label_values(&[issuer]),
            unknown_kid: self.unknown_kid.with_label_values(&[issuer]),
            contact: self.contact.with_label_values(&[issuer]),
        }
    }

    /// Counts a request that has ended. `site` is its URL, empty when no site was found.
    pub(crate) fn count(&self, site: &str, known: Option<(&SiteMetrics, Mode)>, ended: &Ended<'_>) {
        self.duration.observe(ended.took.as_secs_f64());
        let (class, word) = (class(ended.status), ended.decision.word);
        let found = || self.requests.with_label_values(&[site, CLASSES.get(class).unwrap_or(&""), word.as_str()]);
        let kept = known.and_then(|(kept, _)| kept.requests.get_or_init(Box::default).get(class)?.get(index(word)));
        match kept {
            Some(kept) => kept.get_or_init(found).inc(),
            None => found().inc(),
        }
        self.challenges.count(site, ended.decision);
        let reason = ended.decision.reason.map_or("", filters::Reason::as_str);
        let mode = known.map_or("", |(_, found)| mode(found));
        let found = || self.decisions.with_label_values(&[site, word.as_str(), reason, mode]);
        match known {
            Some((kept, _)) if word == DecisionWord::Allow && reason.is_empty() => {
                kept.allowed.get_or_init(found).inc()
            }
            Some(_) | None => found().inc(),
        }
    }

    /// The text format of Prometheus.
    pub(crate) fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// A request that has ended, as it is counted.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
    pub(crate) decision: &'a Decision,
}

fn class(status: Option<u16>) -> usize {
    status.map_or(0, |status| usize::from(status / 100).min(CLASSES.len() - 1))
}

fn index(word: DecisionWord) -> usize {
    WORDS.iter().position(|known| *known == word).unwrap_or(WORDS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_site_class_and_decision() {
        let metrics = Metrics::new().unwrap();
        let site = SiteMetrics::default();
        for (status, word) in [
            (Some(200), DecisionWord::Allow),
            (Some(204), DecisionWord::Allow),
            (Some(401), DecisionWord::Deny),
            (None, DecisionWord::Error),
        ] {
            let decision = Decision { word, ..Decision::undecided() };
            let ended = Ended { status, took: Duration::from_millis(3), decision: &decision };
            metrics.count("https://shop.example", Some((&site, Mode::Enforce)), &ended);
        }
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for line in [
            r#"lime_gateway_requests_total{decision="allow",site="https://shop.example",status_class="2xx"} 2"#,
            r#"lime_gateway_requests_total{decision="deny",site="https://shop.example",status_class="4xx"} 1"#,
            r#"lime_gateway_requests_total{decision="error",site="https://shop.example",status_class="none"} 1"#,
            r#"lime_gateway_decisions_total{decision="allow",mode="enforce",reason="",site="https://shop.example"} 2"#,
            r#"lime_gateway_request_duration_seconds_bucket{le="0.005"} 4"#,
            "lime_gateway_requests_in_flight 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
