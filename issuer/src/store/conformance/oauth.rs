//! Resources and consents, and what the other rules of OAuth begin with.

use super::*;

pub(super) const URL: &str = "https://s1.example/mcp";

pub(super) fn scope(name: &str) -> Scope {
    Scope { name: name.to_owned(), description: format!("Do {name}") }
}

/// Adds a resource at a site of [`registered`].
pub(super) async fn resource(store: &Store, name: &str, site: &str, url: &str) -> ResourceRegistration {
    let resource = NewResource { site: id(site), url: url.to_owned(), scopes: vec![scope("read"), scope("write")] };
    store.add_resource(name.to_owned(), resource, NOW).await.unwrap()
}

/// [`registered`], with an owner `p` of whom nothing else is, and the resource `r` at `s1`.
pub(super) async fn with_resource(store: &Store) {
    registered(store).await;
    store.register("p".to_owned(), NewSubject::Owner { name: "P".to_owned() }, NOW).await.unwrap();
    assert_eq!(resource(store, "r", "s1", URL).await, ResourceRegistration::Done);
}

/// The consent of an owner to `c` at a resource; `name` is its id and its agent's, should they be new.
pub(super) async fn consented(store: &Store, name: &str, owner: &str, url: &str, at: UnixMillis) -> AgentId {
    let consent = NewConsent {
        id: name.to_owned(),
        agent: id(&format!("agent-{name}")),
        owner: id(owner),
        client: "c".to_owned(),
        client_name: "Client".to_owned(),
        resource: store.resource_by_url(url).await.unwrap().unwrap(),
        redirect_host: "app.example".to_owned(),
        scope: format!("read {name}"),
        remembered: Some("https://app.example/back".to_owned()),
    };
    store.give_consent(consent, at).await.unwrap()
}

/// The agents the revocation log tells of, in its order.
pub(super) async fn told(store: &Store) -> Vec<(String, UnixMillis, bool)> {
    let Revocations::Rows { rows, .. } = store.revocations_after(0).await.unwrap() else { panic!() };
    rows.into_iter().filter(|row| row.kind == "agent").map(|row| (row.id, row.not_before, row.suspended)).collect()
}

#[test]
fn a_resource_is_found_by_its_url_and_shares_the_standing_of_its_site() {
    everywhere(async |store| {
        with_resource(&store).await;
        assert_eq!(resource(&store, "again", "s2", URL).await, ResourceRegistration::Taken);
        assert_eq!(resource(&store, "x", "nowhere", "https://x.example").await, ResourceRegistration::UnknownSite);
        let found = store.resource_by_url(URL).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), &found.site, found.site_name.as_str()), ("r", &id("s1"), "s1"));
        assert_eq!((found.organisation, found.organisation_name.as_str()), (id("o"), "Owner"));
        assert_eq!(found.scopes, [scope("read"), scope("write")], "in the order they were given");
        assert_eq!(found.standing, Standing::Active);
        assert!(store.resource_by_url("https://s1.example/mcp/").await.unwrap().is_none(), "byte for byte");
        store.change_standing(Kind::Site, "s1".to_owned(), Change::Suspend, after(1)).await.unwrap();
        let found = store.resource_by_url(URL).await.unwrap().unwrap();
        assert_eq!((found.standing, found.not_before), (Standing::Suspended, after(1)));
        store.change_standing(Kind::Owner, "o".to_owned(), Change::Suspend, after(2)).await.unwrap();
        store.change_standing(Kind::Site, "s1".to_owned(), Change::Resume, after(3)).await.unwrap();
        let found = store.resources().await.unwrap().remove(0);
        assert_eq!((found.standing, found.not_before), (Standing::OwnerSuspended, after(3)));
        for (url, count) in [("https://s2.example/a", 2), ("https://s2.example/b", 2)] {
            assert_eq!(resource(&store, url, "s2", url).await, ResourceRegistration::Done);
            assert_eq!(store.two_resources().await.unwrap().len(), count);
        }
        assert!(store.remove_resource("r".to_owned(), after(4)).await.unwrap());
        assert!(!store.remove_resource("r".to_owned(), after(4)).await.unwrap());
        assert!(store.resource_by_url(URL).await.unwrap().is_none());
    });
}

#[test]
fn an_owner_has_one_agent_for_each_client_and_organisation() {
    everywhere(async |store| {
        with_resource(&store).await;
        assert_eq!(resource(&store, "same", "s2", "https://s2.example/mcp").await, ResourceRegistration::Done);
        let elsewhere = NewSubject::Site {
            owner: "p".to_owned(),
            name: "s3".to_owned(),
            origin: "https://s3.example".to_owned(),
            host: "s3.example".to_owned(),
            token: token(Holder::Site),
        };
        store.register("s3".to_owned(), elsewhere, NOW).await.unwrap();
        assert_eq!(resource(&store, "other", "s3", "https://s3.example").await, ResourceRegistration::Done);

        let first = consented(&store, "k1", "p", URL, after(1)).await;
        assert_eq!(first, id("agent-k1"));
        assert_eq!(consented(&store, "k2", "p", URL, after(2)).await, first, "a second time");
        assert!(!store.is_listed(&first, &id("s2")).await.unwrap());
        assert_eq!(consented(&store, "k3", "p", "https://s2.example/mcp", after(3)).await, first, "its organisation");
        assert!(store.is_listed(&first, &id("s1")).await.unwrap() && store.is_listed(&first, &id("s2")).await.unwrap());
        assert_eq!(consented(&store, "k4", "p", "https://s3.example", after(4)).await, id("agent-k4"), "another one");
        assert_eq!(consented(&store, "k5", "o", URL, after(5)).await, id("agent-k5"), "another owner");

        let agent = store.agent(&first).await.unwrap().unwrap();
        assert_eq!((agent.owner, agent.name.as_str(), agent.any_site), (id("p"), "Client", false));
        let consent: ConsentRecord = store.consent(&id("p"), "c", URL).await.unwrap().unwrap();
        assert_eq!((consent.id.as_str(), consent.scope.as_str()), ("k1", "read k1 k2"), "one consent, of all of them");
        assert_eq!(consent.created_at, after(2), "as last given");
        let of_owner = store.consents_of(&id("p")).await.unwrap();
        assert_eq!(of_owner.iter().map(|consent| consent.id.as_str()).collect::<Vec<_>>(), ["k4", "k3", "k1"]);
        assert!(store.consent(&id("p"), "another", URL).await.unwrap().is_none());
        assert_eq!(store.audited("consent.given").await.len(), 5);
    });
}

#[test]
fn of_a_hundred_first_consents_one_makes_the_agent() {
    everywhere(async |store| {
        with_resource(&store).await;
        let calls: JoinSet<AgentId> = (0..100)
            .map(|n| {
                let store = Arc::clone(&store);
                async move { consented(&store, &format!("k{n}"), "p", URL, after(1)).await }
            })
            .collect();
        let mut agents = calls.join_all().await;
        agents.dedup();
        assert_eq!(agents.len(), 1);
        assert_eq!(store.list(Kind::Agent).await.unwrap().len(), 2, "beside the one that was there");
        assert_eq!(store.consents_of(&id("p")).await.unwrap().len(), 1);
    });
}

/// Gives a consent of `p` to `c` for one scope.
async fn allowed(store: &Store, scope: &str, remembered: Option<&str>, at: UnixMillis) -> ConsentRecord {
    let name = format!("{}-{}", scope.replace(' ', "-"), at.get());
    let consent = NewConsent {
        id: name.clone(),
        agent: id(&name),
        owner: id("p"),
        client: "c".to_owned(),
        client_name: "Client".to_owned(),
        resource: store.resource_by_url(URL).await.unwrap().unwrap(),
        redirect_host: "app.example".to_owned(),
        scope: scope.to_owned(),
        remembered: remembered.map(str::to_owned),
    };
    store.give_consent(consent, at).await.unwrap();
    store.consent(&id("p"), "c", URL).await.unwrap().unwrap()
}

#[test]
fn what_is_remembered_is_of_one_place_and_what_is_allowed_is_of_all() {
    everywhere(async |store| {
        with_resource(&store).await;
        let settled = |redirect_uri: &str, scope: &str| {
            Some(Remembered { redirect_uri: redirect_uri.to_owned(), scope: scope.to_owned() })
        };
        for (secs, scope, uri, expected) in [
            (1, "a", None, ("a", None)),
            (2, "b", Some("https://one"), ("a b", settled("https://one", "b"))),
            (3, "c b", Some("https://one"), ("a b c", settled("https://one", "b c"))),
            (4, "a", Some("https://two"), ("a b c", settled("https://two", "a"))),
            (5, "c", None, ("a b c", None)),
        ] {
            let consent = allowed(&store, scope, uri, after(secs)).await;
            assert_eq!((consent.scope.as_str(), consent.remembered), expected, "{secs}");
        }
    });
}

#[test]
fn of_many_consents_at_once_none_is_lost() {
    everywhere(async |store| {
        with_resource(&store).await;
        let calls: JoinSet<()> = (0..40)
            .map(|n| {
                let store = Arc::clone(&store);
                async move { drop(allowed(&store, &format!("s{n}"), None, after(1)).await) }
            })
            .collect();
        calls.join_all().await;
        let consent = store.consent(&id("p"), "c", URL).await.unwrap().unwrap();
        assert_eq!(consent.scope.split(' ').count(), 40, "{}", consent.scope);
    });
}

#[test]
fn a_suspended_agent_comes_back_as_such() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k1", "p", URL, after(1)).await;
        store.change_standing(Kind::Agent, agent.to_string(), Change::Suspend, after(2)).await.unwrap();
        assert_eq!(consented(&store, "k2", "p", URL, after(3)).await, agent);
        let found = store.agent(&agent).await.unwrap().unwrap();
        assert_eq!((found.standing, found.not_before), (Standing::Suspended, after(2)));
        assert!(store.agent(&id("nobody")).await.unwrap().is_none());
    });
}

#[test]
fn a_consent_is_withdrawn_by_its_owner_alone_and_takes_what_its_agent_holds_along() {
    everywhere(async |store| {
        with_resource(&store).await;
        let agent = consented(&store, "k1", "p", URL, after(1)).await;
        assert!(!store.withdraw_consent(&id("o"), "k1".to_owned(), after(2)).await.unwrap());
        assert!(store.withdraw_consent(&id("p"), "k1".to_owned(), after(2)).await.unwrap());
        assert!(!store.withdraw_consent(&id("p"), "k1".to_owned(), after(3)).await.unwrap());
        assert!(store.consent(&id("p"), "c", URL).await.unwrap().is_none());
        assert_eq!(told(&store).await, [(agent.to_string(), after(2), false)]);
        assert_eq!(store.agent(&agent).await.unwrap().unwrap().not_before, after(2));
        assert_eq!(store.generations().await.unwrap().credentials, 1, "a running issuer sees it");
        assert_eq!(store.audited("consent.withdrawn").await, [("p".to_owned(), "k1".to_owned())]);
        assert_eq!(consented(&store, "k2", "p", URL, after(4)).await, agent, "the agent stays the same");
    });
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("issuer.db");
        let first = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut first = sqlx::SqliteConnection::connect_with(&first).await.unwrap();
        first.execute("CREATE TABLE lime_schema (version BIGINT PRIMARY KEY, holder TEXT NOT NULL)").await.unwrap();
        first.execute("INSERT INTO lime_schema (version, holder) VALUES (0, ''), (1, 'done')").await.unwrap();
        for statement in include_str!("../schema.sql").split("\n;") {
            first.execute(statement).await.unwrap();
        }
        first.execute("INSERT INTO owners VALUES ('old', 'Old', 0, 0, 0, 0)").await.unwrap();
        first.close().await.unwrap();
        let store = Store::open(&Location::Sqlite(path)).await.unwrap();
        with_resource(&store).await;
        consented(&store, "k", "old", URL, after(1)).await;
        assert_eq!(store.consents_of(&id("old")).await.unwrap().len(), 1);
    });
}
