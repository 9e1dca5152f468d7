use super::*;
use crate::secret::Secret;

const SITE: &str = "https://tools.example";
const MCP: &str = "https://tools.example/mcp";
const OTHER: &str = "https://other.example";

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + secs)
}

fn described(text: &str) -> String {
    format!("{{\"name\":\"read\",\"description\":\"{text}\"}}")
}

struct Rig {
    folder: tempfile::TempDir,
    secret: Secret,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::open(None, folder.path()).unwrap();
        Self { folder, secret }
    }

    fn open(&self) -> PinStore {
        let files = Arc::new(StateFiles::new(self.folder.path().to_owned(), &self.secret));
        PinStore::open(files)
    }
}

fn seen(store: &PinStore, endpoint: &str, text: &str, secs: u64) -> PinVerdict {
    let verdict = store.judge(SITE, endpoint, ("read", &described(text)), at(secs));
    store.settle();
    verdict
}

fn diff(tool: &str, site: Option<&str>) -> PinOrder {
    PinOrder::Diff { site: site.map(str::to_owned), tool: tool.to_owned() }
}

fn accept(hash: Option<&str>) -> PinOrder {
    PinOrder::Accept { site: Some(SITE.to_owned()), tool: "read".to_owned(), hash: hash.map(str::to_owned) }
}

fn is_hidden(store: &PinStore, endpoint: &str, tool: &str) -> bool {
    store.hidden_at(endpoint).is_some_and(|tools| tools.hides(tool))
}

#[test]
fn what_is_pinned_outlives_the_process() {
    let rig = Rig::new();
    let store = rig.open();
    assert_eq!(seen(&store, MCP, "a", 0), PinVerdict::New);
    assert_eq!(seen(&store, MCP, "b", 1), PinVerdict::Changed);
    assert!(is_hidden(&store, MCP, "read") && !is_hidden(&store, OTHER, "read") && !is_hidden(&store, MCP, "x"));
    store.save();
    let store = rig.open();
    assert!(is_hidden(&store, MCP, "read"), "at once, before any list is asked for");
    assert_eq!(seen(&store, MCP, "a", 2), PinVerdict::Changed);
    assert_eq!((store.changed_at(MCP), store.changed_at(OTHER)), (1, 0));
}

#[test]
fn a_file_that_somebody_edited_counts_as_none() {
    let rig = Rig::new();
    let store = rig.open();
    seen(&store, MCP, "a", 0);
    store.save();
    let path = rig.folder.path().join(FILE);
    let text = std::fs::read_to_string(&path).unwrap().replacen("read", "rEad", 1);
    std::fs::write(&path, text).unwrap();
    assert_eq!(seen(&rig.open(), MCP, "b", 1), PinVerdict::New);
}

#[test]
fn an_operator_sees_what_changed_and_accepts_just_that() {
    let store = Rig::new().open();
    seen(&store, MCP, "a", 0);
    seen(&store, MCP, "b", 1);
    let row = store.order(&diff("read", None)).unwrap().remove(0);
    assert_eq!((row.state, row.changed_at), (PinState::Changed, Some(at(1))));
    let expected = serde_json::json!([{ "at": "description", "before": "a", "after": "b" }]);
    assert_eq!(serde_json::to_value(row.differences).unwrap(), expected);
    seen(&store, MCP, "c", 2);
    let looked_at = row.changed_hash.unwrap();
    assert!(matches!(store.order(&accept(Some(&looked_at))), Err(PinsRefused::NotAccepted(_, _))), "it is c by now");
    let row = store.order(&accept(None)).unwrap().remove(0);
    assert_eq!(row.state, PinState::Accepted);
    assert!(!is_hidden(&store, MCP, "read"));
    assert_eq!(seen(&store, MCP, "c", 3), PinVerdict::Same);
}

#[test]
fn where_several_endpoints_have_a_tool_one_must_be_named() {
    let store = Rig::new().open();
    for endpoint in [MCP, OTHER] {
        seen(&store, endpoint, "a", 0);
        seen(&store, endpoint, "b", 1);
    }
    assert!(matches!(store.order(&diff("read", None)), Err(PinsRefused::Ambiguous(_, _))));
    assert!(matches!(store.order(&diff("write", None)), Err(PinsRefused::NoSuchTool(_, _))));
    for site in [MCP, SITE, OTHER] {
        assert_eq!(store.order(&diff("read", Some(site))).unwrap().len(), 1, "{site}");
    }
    let all = |site: Option<&str>| store.order(&PinOrder::AcceptAll { site: site.map(str::to_owned) }).unwrap().len();
    assert_eq!((all(Some(SITE)), all(None), all(None)), (1, 1, 0));
    assert_eq!(store.order(&PinOrder::List { site: None }).unwrap().len(), 2);
    let forget = PinOrder::Forget { site: Some(OTHER.to_owned()), tool: "read".to_owned() };
    assert_eq!(store.order(&forget).unwrap().len(), 1);
    assert!(matches!(store.order(&forget), Err(PinsRefused::NoSuchTool(_, _))));
}

#[test]
fn where_no_more_can_be_pinned_what_is_not_is_hidden() {
    let store = Rig::new().open();
    for index in 0..1000 {
        let verdict = store.judge(SITE, MCP, (&format!("t{index}"), "{}"), at(0));
        assert_eq!(verdict, PinVerdict::New);
    }
    assert_eq!(store.judge(SITE, MCP, ("one more", "{}"), at(0)), PinVerdict::NoRoom);
    store.settle();
    assert!(is_hidden(&store, MCP, "one more") && !is_hidden(&store, MCP, "t7"));
    assert!(!is_hidden(&store, OTHER, "one more"), "there is room at another endpoint");
    store.order(&PinOrder::Forget { site: None, tool: "t7".to_owned() }).unwrap();
    assert!(!is_hidden(&store, MCP, "one more"), "and here, once one is forgotten");
}

#[test]
fn an_endpoint_belongs_to_the_site_of_its_host() {
    for (endpoint, site) in [(MCP, SITE), (OTHER, OTHER), ("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080")] {
        assert_eq!(order::site_of(endpoint), site);
    }
}
