//! `lime.toml`: the gateway, its listeners and its sites.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::include::{self, Files, Pattern};
use crate::reader::{self, Key, Reported, Table};
use crate::server::{self, Short};
use crate::surroundings::Surroundings;
use crate::value::Value;
use crate::{ConfigError, Methods, Place, Policy, Require, Route, Server, Site, TrustedIssuer, WebOrigin, load};

const VERSION: Key = Key::new("version", "1");
const INCLUDE: Key = Key::new("include", r#"["sites.d/*.toml"]"#);
const SERVER: Key = Key::new("server", r#"{ state = "/var/lib/lime" }"#);
const ISSUER: Key = Key::new("issuer", r#"url = "https://id.example.net""#);
const POLICY: Key = Key::new("policy", r#"require = "passport""#);
pub(crate) const SITE: Key =
    Key::new("site", r#"[{ url = "https://shop.example.com", origin = "http://127.0.0.1:3000" }]"#);

/// Sites that are named for one warning; platforms have thousands, and all of them may begin with `observe`.
const SAME_WARNINGS_MAX: usize = 5;

const NO_SITE: &str = "no site: write a [[site]] with its `url` and `origin`";

/// The configuration of a gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What is one for the whole process.
    pub server: Server,
    /// Those that sites trust, each once.
    pub issuers: Vec<Arc<TrustedIssuer>>,
    /// At least one; no two of one host.
    pub sites: Vec<Arc<Site>>,
    /// The files it was read from.
    pub files: Files,
    /// Tables that nothing refers to, for [`Gateway::warnings`].
    unused: Vec<String>,
}

/// A configuration that was read again.
#[derive(Debug)]
pub struct Reloaded {
    /// What to serve from now on.
    pub gateway: Gateway,
    /// What is wrong with included files whose last good sites are served on.
    pub kept: Vec<ConfigError>,
}

/// A path of a site that asks for nothing.
#[derive(Clone, Debug)]
pub struct OpenPath<'a> {
    /// The site.
    pub site: &'a WebOrigin,
    /// The path, as it is written; or that it is all of which nothing is written.
    pub path: String,
    /// For which methods.
    pub methods: String,
    /// The name of its policy.
    pub policy: &'a str,
    /// Where it is written.
    pub defined_at: &'a Place,
}

/// What the main file says.
struct Main {
    server: Server,
    include: Vec<Pattern>,
    sites: Vec<Site>,
    surroundings: Surroundings,
}

impl Gateway {
    /// A configuration that was made rather than read.
    #[must_use]
    pub fn new(server: Server, sites: Vec<Site>) -> Self {
        let mut issuers: Vec<Arc<TrustedIssuer>> = Vec::new();
        for issuer in sites.iter().flat_map(|site| &site.issuers) {
            if !issuers.iter().any(|known| known.url == issuer.url) {
                issuers.push(Arc::clone(issuer));
            }
        }
        let sites = sites.into_iter().map(Arc::new).collect();
        Self { server, issuers, sites, files: Files::default(), unused: Vec::new() }
    }

    /// Reads a file and those that it includes. `env` looks a variable up: `LIME__SERVER__LISTEN` overrides `listen` of
    /// `[server]`, and so on for every key of the top level and of `[server]`.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::parse(&load::text(path)?, path, env)
    }

    /// Reads the text of a file, and the files that it includes. Relative paths in it are relative to the folder of
    /// `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn parse(text: &str, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let reloaded = Self::read_all(text, path, env, &[])?;
        ConfigError::all(reloaded.kept).map_or(Ok(reloaded.gateway), Err)
    }

    /// Reads the file and those that it includes once more. Of an included file that is broken, the sites that were last
    /// good stay; what is wrong with the main file is an error.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn reload(&self, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Reloaded, ConfigError> {
        Self::read_all(&load::text(path)?, path, env, &self.sites)
    }

    fn read_all(
        text: &str,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
        last_good: &[Arc<Site>],
    ) -> Result<Reloaded, ConfigError> {
        let Main { server, include, sites, mut surroundings } = reader::read(text, path, env, Main::read)?;
        let mut sites: Vec<_> = sites.into_iter().map(Arc::new).collect();
        let files = Files::find(path, &include)?;
        let mut kept = Vec::new();
        for file in &files.included {
            match include::sites(file, &mut surroundings) {
                Ok(found) => sites.extend(found.into_iter().map(Arc::new)),
                Err(error) => {
                    let before = last_good.iter().filter(|site| *site.defined_at.file == **file);
                    sites.extend(surroundings.keep(before)?);
                    kept.push(error);
                }
            }
        }
        if sites.is_empty() && kept.is_empty() {
            return Err(ConfigError::whole_file(path, NO_SITE));
        }
        let (issuers, unused) = surroundings.used_by(&sites);
        Ok(Reloaded { gateway: Self { server, issuers, sites, files, unused }, kept })
    }

    /// Every path that asks for nothing, site by site.
    #[must_use]
    pub fn open_paths(&self) -> Vec<OpenPath<'_>> {
        self.sites.iter().flat_map(|site| open_paths(site)).collect()
    }

    /// What is allowed but should be known, one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.server.warnings();
        warnings.extend(self.unused.iter().cloned());
        warnings.extend(self.issuers.iter().flat_map(|issuer| issuer.warnings()));
        warnings.extend(site_warnings(&self.sites));
        warnings
    }
}

/// One line each with the place. Of what is the same at many sites, the first ones and how many more there are.
fn site_warnings(sites: &[Arc<Site>]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut counts = BTreeMap::new();
    for site in sites {
        for text in site.warnings() {
            let count: &mut usize = counts.entry(text).or_default();
            *count += 1;
            if *count <= SAME_WARNINGS_MAX {
                lines.push(format!("{}: {}: {text}", site.defined_at, site.url));
            }
        }
    }
    let more = counts.into_iter().filter(|(_, count)| *count > SAME_WARNINGS_MAX);
    lines.extend(more.map(|(text, count)| format!("{} more sites: {text}", count - SAME_WARNINGS_MAX)));
    lines
}

fn open_paths(site: &Site) -> Vec<OpenPath<'_>> {
    let is_open = |policy: &Policy| policy.require == Require::None;
    let of_route = |route: &'_ Route| (route.path.to_string(), route.methods.to_string());
    let mut found = Vec::new();
    for route in site.routes().iter().filter(|route| is_open(&route.policy)) {
        let (path, methods) = of_route(route);
        let (policy, defined_at) = (&*route.policy.name, &route.defined_at);
        found.push(OpenPath { site: &site.url, path, methods, policy, defined_at });
    }
    for (index, route) in site.routes().iter().enumerate() {
        if let Some(methods) = other_methods(site, index).filter(|_| !is_open(&route.policy)) {
            let (path, defined_at) = (route.path.to_string(), &route.defined_at);
            let policy = &*site.policy.name;
            found.push(OpenPath { site: &site.url, path, methods, policy, defined_at });
        }
    }
    if is_open(&site.policy) {
        let is_all = site.routes().is_empty() && site.mcp.is_empty();
        let path = if is_all { "/*" } else { "every other path" };
        found.push(OpenPath {
            site: &site.url,
            path: path.to_owned(),
            methods: Methods::Any.to_string(),
            policy: &site.policy.name,
            defined_at: &site.defined_at,
        });
    }
    found
}

/// The methods of a route's path that are open because it, and the other routes there, are for some methods only. Said
/// of the first of them.
fn other_methods(site: &Site, index: usize) -> Option<String> {
    let path = site.routes().get(index)?.path.sample();
    let mut closed = Vec::new();
    for (at, route) in site.routes().iter().enumerate().filter(|(_, route)| route.path.matches(path.as_bytes())) {
        match &route.methods {
            Methods::Any => return None,
            Methods::Only(_) if at < index && route.path.sample() == path => return None,
            Methods::Only(_) if route.policy.require == Require::None => {}
            Methods::Only(methods) => closed.extend(methods.iter().map(ToString::to_string)),
        }
    }
    (site.policy.require == Require::None).then(|| format!("all but {}", closed.join(" ")))
}

impl Main {
    fn read(top: &mut Table<'_>) -> Result<Self, Reported> {
        let version = top.optional(VERSION, |value| value.integer(1..=1));
        let include = top.optional(INCLUDE, |value| value.each(|item| item.parsed_by(Pattern::parse)));
        let short = top.optional(server::LISTEN, Value::addresses);
        let short = Short { at: top.written(server::LISTEN).cloned(), listen: short };
        let server = top.section(SERVER, "in [server]", |table| Server::read(table, short));
        let mut issuers_so_far = Vec::new();
        let issuers =
            top.named(ISSUER, "in [issuer.NAME]", |table, name| TrustedIssuer::read(table, name, &mut issuers_so_far));
        let policies = top.named(POLICY, "in [policy.NAME]", Policy::read);

        let addresses = server.as_ref().map(Server::addresses).unwrap_or_default();
        let mut surroundings = Surroundings::new(addresses, issuers, policies);
        let sites = top.sections(SITE, "in [[site]]", |table| Site::read(table, &mut surroundings));
        let include = include?.unwrap_or_default();
        if sites.as_ref().is_ok_and(Vec::is_empty) && include.is_empty() {
            return Err(top.report(SITE, NO_SITE));
        }
        version?;
        Ok(Self { server: server?, include, sites: sites?, surroundings })
    }
}

#[cfg(test)]
mod tests;
