//! What sites refer to, and what each of them takes from the next.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::reader::Reported;
use crate::value::Value;
use crate::{ConfigError, IssuerUrl, Place, Policy, Site, TrustedIssuer, WebOrigin, suggestion};

/// A table with a name of its own.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) table: Arc<T>,
    pub(crate) place: Place,
}

/// What sites refer to, and what each of them takes from the next.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Where the gateway itself listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The hosts of the sites so far, each with the line that claims it.
    hosts: HashMap<Box<str>, Place>,
    /// The same in the order of their claims.
    claimed: Vec<Box<str>>,
    /// `Err`: one of them is broken, and what refers to them is not judged.
    issuers: Result<Vec<Entry<TrustedIssuer>>, Reported>,
    /// Those that have no table.
    by_url: HashMap<Box<str>, Arc<TrustedIssuer>>,
    policies: Result<HashMap<Box<str>, Entry<Policy>>, Reported>,
}

impl Surroundings {
    pub(crate) fn new(
        addresses: Vec<SocketAddr>,
        issuers: Result<Vec<Entry<TrustedIssuer>>, Reported>,
        policies: Result<Vec<Entry<Policy>>, Reported>,
    ) -> Self {
        let named = |entry: Entry<Policy>| (entry.table.name.clone(), entry);
        let policies = policies.map(|policies| policies.into_iter().map(named).collect());
        Self { addresses, hosts: HashMap::new(), claimed: Vec::new(), issuers, by_url: HashMap::new(), policies }
    }

    /// The policy of a name.
    pub(crate) fn policy(&self, value: &Value<'_>) -> Result<Arc<Policy>, Reported> {
        let name = value.string()?;
        match name {
            "open" => return Ok(Policy::open()),
            "cleared" => return Ok(Policy::cleared()),
            "passport" => return Ok(Policy::passport()),
            "closed" => return Ok(Policy::closed()),
            _ => {}
        }
        let policies = self.policies.as_ref().map_err(|reported| *reported)?;
        let known = policies.keys().map(|name| &**name).chain(Policy::BUILT_IN);
        policies
            .get(name)
            .map(|entry| Arc::clone(&entry.table))
            .ok_or_else(|| value.report(unknown("policy", name, known)))
    }

    /// The issuer of a name, or of a URL.
    pub(crate) fn issuer(&mut self, value: &Value<'_>, place: Place) -> Result<Arc<TrustedIssuer>, Reported> {
        let text = value.string()?;
        let issuers = self.issuers.as_ref().map_err(|reported| *reported)?;
        if !text.contains("://") {
            let known = issuers.iter().map(|entry| &*entry.table.name);
            let found = issuers.iter().find(|entry| *entry.table.name == *text);
            let unknown = || {
                let text = unknown("issuer", text, known);
                let is_question = text.ends_with('?');
                if is_question { text } else { text + ", or the URL of one, like \"https://id.example.net\"" }
            };
            return found.map(|entry| Arc::clone(&entry.table)).ok_or_else(|| value.report(unknown()));
        }
        let url: IssuerUrl = value.parsed_by(|text| text.parse::<WebOrigin>()).map(IssuerUrl::from)?;
        if let Some(entry) = issuers.iter().find(|entry| entry.table.url == url) {
            return Ok(Arc::clone(&entry.table));
        }
        let made = || Arc::new(TrustedIssuer::lime(url.clone(), place));
        Ok(Arc::clone(self.by_url.entry(url.as_str().into()).or_insert_with(made)))
    }

    /// Claims a host for the site at `place`.
    ///
    /// # Errors
    /// The place of the site that has it.
    pub(crate) fn claim(&mut self, host: &str, place: &Place) -> Result<(), Place> {
        match self.hosts.get(host) {
            Some(first) => Err(first.clone()),
            None => {
                self.hosts.insert(host.into(), place.clone());
                self.claimed.push(host.into());
                Ok(())
            }
        }
    }

    /// How many hosts are claimed by now.
    pub(crate) fn claims(&self) -> usize {
        self.claimed.len()
    }

    /// Takes back all but the first `claims`.
    pub(crate) fn give_back_all_but(&mut self, claims: usize) {
        for host in self.claimed.drain(claims.min(self.claimed.len())..) {
            self.hosts.remove(&host);
        }
    }

    /// Takes sites over as they were.
    pub(crate) fn keep<'s>(
        &mut self,
        sites: impl Iterator<Item = &'s Arc<Site>>,
    ) -> Result<Vec<Arc<Site>>, ConfigError> {
        let mut kept = Vec::new();
        for site in sites {
            for host in site.claims() {
                self.claim(&host, &site.defined_at).map_err(|first| {
                    let text =
                        format!("{host} is the host of a site here and of the one at {first}: remove one of the two");
                    ConfigError::whole_file(&site.defined_at.file, text)
                })?;
            }
            kept.push(Arc::clone(site));
        }
        Ok(kept)
    }

    /// The issuers that sites trust, each once, and a line for each table that nothing refers to.
    pub(crate) fn used_by(self, sites: &[Arc<Site>]) -> (Vec<Arc<TrustedIssuer>>, Vec<String>) {
        let mut used: Vec<Arc<TrustedIssuer>> = Vec::new();
        for issuer in sites.iter().flat_map(|site| &site.issuers) {
            if !used.iter().any(|known| Arc::ptr_eq(known, issuer)) {
                used.push(Arc::clone(issuer));
            }
        }
        let mut unused = Vec::new();
        let mut say = |place: &Place, kind: &str, name: &str| {
            unused.push(format!("{place}: no site uses [{kind}.{name}]: remove it, or name it in one"));
        };
        for entry in self.issuers.iter().flatten() {
            if !used.iter().any(|known| Arc::ptr_eq(known, &entry.table)) {
                say(&entry.place, "issuer", &entry.table.name);
            }
        }
        let mut policies: Vec<_> = self.policies.iter().flat_map(HashMap::values).collect();
        policies.sort_by_key(|entry| entry.place.line);
        for entry in policies {
            if !sites.iter().any(|site| site.policies().any(|policy| Arc::ptr_eq(policy, &entry.table))) {
                say(&entry.place, "policy", &entry.table.name);
            }
        }
        (used, unused)
    }
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    match suggestion::nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {kind} `{name}`: did you mean \"{near}\"?"),
        None if known.is_empty() => format!("there is no {kind} `{name}`: write [{kind}.{name}] with its keys"),
        None => {
            format!(
                "there is no {kind} `{name}`: write [{kind}.{name}] with its keys, or one of {}",
                suggestion::list(known)
            )
        }
    }
}
