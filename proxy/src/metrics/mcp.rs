use filters::{DecisionWord, mcp_methods};
use prometheus::{Error, IntCounterVec, IntGaugeVec};

use super::maker::Maker;

/// What came to MCP endpoints.
#[derive(Debug)]
pub(crate) struct Mcp {
    requests: IntCounterVec,
    tools_changed: IntGaugeVec,
}

impl Mcp {
    pub(super) fn new(make: Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
            requests: make.counters(
                "mcp_requests_total",
                "Messages to MCP endpoints.",
                &["site", "method", "decision"],
            )?,
            tools_changed: make.gauges(
                "mcp_tools_changed",
                "Tools with a definition that nobody accepted.",
                &["site"],
            )?,
        })
    }

    /// Whatever else a client makes up is `other`; a message that was refused unread has none.
    pub(crate) fn count(&self, site: &str, method: Option<&str>, decision: DecisionWord) {
        let method = method.map_or("", |method| mcp_methods().find(|known| *known == method).unwrap_or("other"));
        self.requests.with_label_values(&[site, method, decision.as_str()]).inc();
    }

    /// Of a site where tools are pinned: none is a number too.
    pub(crate) fn tools_changed(&self, site: &str, count: usize) {
        self.tools_changed.with_label_values(&[site]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn forget_site(&self, site: &str) {
        // The error is that there was none.
        self.tools_changed.remove_label_values(&[site]).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn no_method_that_a_client_makes_up_becomes_a_label() {
        let metrics = Metrics::new().unwrap();
        for method in [Some("tools/call"), Some("tools/call"), Some("made/up"), Some("made/up/too"), None] {
            metrics.mcp.count("s", method, DecisionWord::Allow);
        }
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        for (method, count) in [("tools/call", 2), ("other", 2), ("", 1)] {
            let line =
                format!("lime_gateway_mcp_requests_total{{decision=\"allow\",method=\"{method}\",site=\"s\"}} {count}");
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
