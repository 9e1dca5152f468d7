//! How a `[[site]]` is read.

use std::cell::RefCell;
use std::sync::Arc;

use super::{AuthMd, Login, Mode, OwnerHeaders, SharedCache, Site, claims};
use crate::limit::Limit;
use crate::reader::{Key, Reported, Table};
use crate::route::{Route, Routes};
use crate::surroundings::Surroundings;
use crate::value::Value;
use crate::{
    HostPattern, McpEndpoint, Origin, Page, PathPattern, Policy, Require, SecretSource, TrustedIssuer, WebOrigin,
};

const URL: Key = Key::new("url", r#""https://shop.example.com""#);
const ALSO: Key = Key::new("also", r#"["www.shop.example.com"]"#);
const ORIGIN: Key = Key::new("origin", r#""http://127.0.0.1:3000""#);
const MODE: Key = Key::new("mode", r#""observe""#);
const PROTECT: Key = Key::new("protect", r#"["/agents/*"]"#);
const OPEN: Key = Key::new("open", r#"["/feed.xml"]"#);
const ROUTE: Key = Key::new("route", r#"[{ path = "/api/*", policy = "passport" }]"#);
const POLICY: Key = Key::new("policy", r#""open""#);
const LIMIT: Key = Key::new("limit", r#"{ per = "client", rate = "60/m" }"#);
const CORS: Key = Key::new("cors", r#"["https://app.example.com"]"#);
const ISSUER: Key = Key::new("issuer", r#""https://id.example.net""#);
const CREDENTIAL: Key = Key::new("credential", r#"{ file = "/etc/lime/shop.token" }"#);
const LOGIN: Key = Key::new("login", r#""edge""#);
const SESSION_TTL: Key = Key::new("session_ttl", r#""1h""#);
const SHARED_CACHE: Key = Key::new("shared_cache", "true");
const AUTH_MD: Key = Key::new("auth_md", "true");
const OWNER_HEADERS: Key = Key::new("owner_headers", "true");
const REVOCATION_MAX_STALE: Key = Key::new("revocation_max_stale", r#""5m""#);
const CONTACT: Key = Key::new("contact", r#""agents@shop.example.com""#);
const MCP: Key = Key::new("mcp", "true");
const PAGE: Key = Key::new("page", r#"{ name = "Lime Shop" }"#);

impl Site {
    /// Reads a `[[site]]`.
    pub(crate) fn read(table: &mut Table<'_>, around: &mut Surroundings) -> Result<Self, Reported> {
        let url = table.required(URL, Value::parsed::<WebOrigin>);
        let also = table.optional(ALSO, |value| value.each(Value::parsed::<HostPattern>));
        let origin = table.required(ORIGIN, Origin::read);
        let mode = table.optional(MODE, |value| value.word(&Mode::ALL.map(|mode| (mode.as_str(), mode))));
        let mut asked = Asked::read(table, around);
        let mcp = table.optional(MCP, |value| endpoints(value, &url, around));
        let issuers = table.optional(ISSUER, |value| issuers(value, around));
        let limits = table.optional(LIMIT, Limit::read_all);
        let cors = table.optional(CORS, |value| value.each(Value::parsed));
        let credential = table.optional(CREDENTIAL, SecretSource::of);
        let login = table.optional(LOGIN, |value| value.word(&Login::WORDS));
        let session_ttl = table.optional(SESSION_TTL, |value| value.duration(Self::SESSION_TTL_RANGE));
        let shared_cache = table.optional(SHARED_CACHE, Value::boolean);
        let auth_md = table.optional(AUTH_MD, Value::boolean);
        let owner_headers = table.optional(OWNER_HEADERS, Value::boolean);
        let revocation_max_stale = table.optional(REVOCATION_MAX_STALE, |value| value.duration(Self::MAX_STALE_RANGE));
        let contact = table.optional(CONTACT, |value| value.string().map(str::to_owned));
        let page = table.optional(PAGE, |value| value.into_table("in `page`")?.read_all(Page::read));

        if let (Ok(asked), Ok(Some(mcp))) = (&mut asked, &mcp) {
            asked.mcp.clone_from(mcp);
            if asked.elsewhere == Elsewhere::Unsaid && !mcp.is_empty() {
                asked.policy = Policy::closed();
            }
            judge_endpoints(table, asked);
        }
        claim_hosts(table, &url, &also, around);
        refuse_loop(table, &origin, around);
        ask_for_companions(table, &url, &mode, &login, &asked, &issuers);

        let (place, origin, asked) = (table.place(ORIGIN), origin?, asked?);
        let first = origin.targets.first().cloned().ok_or_else(|| table.report(ORIGIN, "`origin`: no target"))?;
        let site = Self::new(url?, first, place);
        Ok(Self {
            also: also?.unwrap_or_default(),
            origin,
            mode: mode?.unwrap_or(site.mode),
            policy: asked.policy,
            routes: Routes::new(asked.routes),
            issuers: issuers?.unwrap_or_default(),
            limits: limits?.unwrap_or_default(),
            cors: cors?.unwrap_or_default(),
            credential: credential?,
            login: login?.unwrap_or(site.login),
            session_ttl: session_ttl?.unwrap_or(site.session_ttl),
            shared_cache: if shared_cache? == Some(true) { SharedCache::Yes } else { SharedCache::No },
            auth_md: if auth_md? == Some(true) { AuthMd::Served } else { AuthMd::NotServed },
            owner_headers: if owner_headers? == Some(true) { OwnerHeaders::Yes } else { OwnerHeaders::No },
            revocation_max_stale: revocation_max_stale?,
            contact: contact?,
            page: page?.unwrap_or_default(),
            mcp: asked.mcp,
            ..site
        })
    }
}

/// What paths ask for: `protect`, or `policy` and `[[site.route]]`.
struct Asked {
    policy: Arc<Policy>,
    elsewhere: Elsewhere,
    routes: Vec<Route>,
    mcp: Vec<Arc<McpEndpoint>>,
}

/// Whether it is said what paths without a route ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    Said,
    Unsaid,
}

impl Asked {
    fn read(table: &mut Table<'_>, around: &Surroundings) -> Result<Self, Reported> {
        let protect = table.optional(PROTECT, |value| value.each(Value::parsed::<PathPattern>));
        let open = table.optional(OPEN, |value| value.each(Value::parsed));
        let policy = table.optional(POLICY, |value| around.policy(&value));
        let routes =
            table.sections(ROUTE, "in [[site.route]]", |route| Route::read(route, |value| around.policy(&value)));
        let (protect, open, policy, mut routes) = (protect?, open?, policy?, routes?);
        let has_routes = !routes.is_empty();
        let place = table.place(OPEN);
        routes.extend(open.into_iter().flatten().map(|path| Route::open(path, place.clone())));
        if protect.is_some() && has_routes {
            let text = "`protect` is short for routes: write its paths as [[site.route]] with `policy = \"passport\"`";
            return Err(table.report(PROTECT, text));
        }
        if protect.is_some() && policy.is_some() {
            let text =
                "`protect` is short for routes in a site that is open otherwise: write [[site.route]] in its place";
            return Err(table.report(PROTECT, text));
        }
        let place = table.place(PROTECT);
        let protected = protect.iter().flatten().map(|path| Route::protecting(path.clone(), place.clone()));
        routes.splice(0..0, protected);
        judge_routes(table, &routes)?;
        if protect.is_none() && policy.is_none() && has_routes {
            let text = "a site with routes says what every other path asks for: write `policy = \"open\"`, or another";
            return Err(table.report(ROUTE, text));
        }
        let elsewhere = if protect.is_some() || policy.is_some() { Elsewhere::Said } else { Elsewhere::Unsaid };
        Ok(Self { policy: policy.unwrap_or_else(Policy::open), elsewhere, routes, mcp: Vec::new() })
    }

    fn policies(&self) -> impl Iterator<Item = &Policy> {
        let of_mcp = self.mcp.iter().flat_map(|endpoint| endpoint.policies().map(|policy| &**policy));
        std::iter::once(&*self.policy).chain(self.routes.iter().map(|route| &*route.policy)).chain(of_mcp)
    }

    fn asks_for(&self, require: Require) -> bool {
        self.policies().any(|policy| policy.require >= require)
    }

    fn has_limits(&self) -> bool {
        self.policies().any(|policy| !policy.limits.is_empty())
    }
}

/// Two routes of which neither is the more specific would make the order of lines a rule.
fn judge_routes(table: &Table<'_>, routes: &[Route]) -> Result<(), Reported> {
    if routes.len() > Site::ROUTES_MAX {
        let text = format!("more than {} routes: join those of one policy into folders", Site::ROUTES_MAX);
        return Err(table.report(ROUTE, &text));
    }
    let mut judged = Ok(());
    for (index, route) in routes.iter().enumerate() {
        let tie = routes.iter().take(index).find_map(|first| Some((first, first.ties_with(route)?)));
        if let Some((first, common)) = tie {
            let text = format!(
                "the route at {} never counts: the one at {} has the path {} for {common} too: remove one of the two",
                route.defined_at, first.defined_at, route.path
            );
            judged = Err(table.report_at(&route.defined_at, &text));
        }
    }
    judged
}

/// `mcp`. Of a site without a URL nothing is made: that is a problem of its own.
fn endpoints(
    value: Value<'_>,
    url: &Result<WebOrigin, Reported>,
    around: &Surroundings,
) -> Result<Vec<Arc<McpEndpoint>>, Reported> {
    let url = url.as_ref().map_err(|reported| *reported)?;
    let read = McpEndpoint::read_all(value, url, &|value| around.policy(value));
    read.map(|endpoints| endpoints.into_iter().map(Arc::new).collect())
}

/// A path is the endpoint's or a route's, not both. Of an endpoint at the root servers take any path for it.
fn judge_endpoints(table: &Table<'_>, asked: &Asked) {
    if asked.policy.require != Require::Nobody && asked.mcp.iter().any(|endpoint| endpoint.is_root()) {
        let key = if table.written(PROTECT).is_some() { PROTECT } else { POLICY };
        let text = format!(
            "`{}`: an MCP server at the root may take any other path for its own: write `policy = \"closed\"`, and \
             [[site.route]] for what else is there",
            key.name
        );
        table.report(key, &text);
    }
    for endpoint in &asked.mcp {
        if let Some(route) = asked.routes.iter().find(|route| route.path == endpoint.path) {
            let text = format!(
                "the MCP endpoint has the path {} too, and says itself what it asks for: remove this, and write \
                 `policy` in [site.mcp]",
                endpoint.path
            );
            table.report_at(&route.defined_at, &text);
        }
    }
}

fn issuers(value: Value<'_>, around: &mut Surroundings) -> Result<Vec<Arc<TrustedIssuer>>, Reported> {
    let around = RefCell::new(around);
    value.each_and_all(
        |item| around.borrow_mut().issuer(&item, item.place()),
        |issuers| {
            if issuers.len() > Site::ISSUERS_MAX {
                return Err(format!("more than {} issuers: write those that agents here come from", Site::ISSUERS_MAX));
            }
            let is_twice = |(index, issuer): &(usize, &Arc<TrustedIssuer>)| {
                issuers.iter().take(*index).any(|first| first.url == issuer.url)
            };
            match issuers.iter().enumerate().find(is_twice) {
                Some((_, issuer)) => Err(format!("{} stands twice: keep one", issuer.url)),
                None => Ok(()),
            }
        },
    )
}

/// One host, one site. All names of this machine count as one.
fn claim_hosts(
    table: &Table<'_>,
    url: &Result<WebOrigin, Reported>,
    also: &Result<Option<Vec<HostPattern>>, Reported>,
    around: &mut Surroundings,
) {
    let Ok(url) = url else { return };
    let also = also.as_ref().ok().and_then(Option::as_deref).unwrap_or_default();
    for (index, host) in claims(url, also).into_iter().enumerate() {
        let key = if index == 0 { URL } else { ALSO };
        if let Err(first) = around.claim(&host, &table.place(key)) {
            let text =
                format!("`{}`: {host} is already the host of the site at {first}: remove one of the two", key.name);
            table.report(key, &text);
        }
    }
}

/// A site that is the gateway itself would send each request round and round.
fn refuse_loop(table: &Table<'_>, origin: &Result<Origin, Reported>, around: &Surroundings) {
    let Ok(origin) = origin else { return };
    if origin.target_among(&around.addresses).is_some() {
        table.report(ORIGIN, "`origin`: the gateway itself listens there: write where the site itself listens");
    }
}

/// Some keys mean nothing without others. One that is there but wrong counts as there: its own problem is enough.
fn ask_for_companions(
    table: &Table<'_>,
    url: &Result<WebOrigin, Reported>,
    mode: &Result<Option<Mode>, Reported>,
    login: &Result<Option<Login>, Reported>,
    asked: &Result<Asked, Reported>,
    issuers: &Result<Option<Vec<Arc<TrustedIssuer>>>, Reported>,
) {
    let lacks = |key| table.written(key).is_none();
    let asks_for = |require| asked.as_ref().map_or(true, |asked| asked.asks_for(require));
    let has_limits = !lacks(LIMIT) || asked.as_ref().is_ok_and(Asked::has_limits);
    if matches!(mode, Ok(Some(Mode::Enforce))) && !asks_for(Require::Cleared) && !has_limits {
        let text = "`enforce` has nothing to enforce: write the paths that are for agents, `protect = [\"/agents/*\"]`";
        table.report(MODE, text);
    }
    let wants_passports = asked
        .as_ref()
        .map_or(!lacks(PROTECT), |asked| asked.policies().any(|policy| policy.require == Require::Passport));
    if let (Ok(url), Ok(asked)) = (url, asked)
        && url.is_exposed()
        && asked.policies().any(|policy| policy.require == Require::Cleared)
    {
        let text =
            "`url` is not https: browsers would not keep what strangers work for: write https, or another policy";
        table.report(URL, text);
    }
    if wants_passports && lacks(ISSUER) {
        let key = [PROTECT, ROUTE, POLICY, MCP].into_iter().find(|key| !lacks(*key)).unwrap_or(PROTECT);
        let text = format!(
            "`{}`: whose passports count here? write `issuer = \"https://id.example.net\"` beside it",
            key.name
        );
        table.report(key, &text);
    }
    let lime = match issuers {
        Ok(issuers) => issuers.iter().flatten().filter(|issuer| issuer.is_lime()).count(),
        Err(_) => 1,
    };
    if !lacks(CREDENTIAL) && lime != 1 {
        let text = if lacks(ISSUER) {
            "`credential` is for an issuer: write `issuer = \"https://id.example.net\"` beside it"
        } else {
            "`credential` is for one Lime issuer: write exactly one of those in `issuer`"
        };
        table.report(CREDENTIAL, text);
    }
    if matches!(login, Ok(Some(Login::Edge))) && (lacks(ISSUER) || lacks(CREDENTIAL)) {
        let text = "`login = \"edge\"` opens logins at the issuer: write `issuer` and `credential` beside it";
        table.report(LOGIN, text);
    }
    if !lacks(REVOCATION_MAX_STALE) && lacks(CREDENTIAL) {
        let text = "`revocation_max_stale` counts from the issuer's last word: write `credential` beside it";
        table.report(REVOCATION_MAX_STALE, text);
    }
}
