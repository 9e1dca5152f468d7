//! Clients: bounded when they register themselves, kept while they are used.

use super::oauth::{URL, consented, told, with_resource};
use super::*;

fn client(name: &str, expires_at: Option<UnixMillis>) -> ClientRecord {
    ClientRecord {
        id: name.to_owned(),
        name: "Client".to_owned(),
        redirect_uris: vec!["http://127.0.0.1/back".to_owned(), "https://app.example/\"".to_owned()],
        auth: ClientAuth::None,
        refresh_tokens: RefreshTokens::Given,
        agent: None,
        created_at: NOW,
        expires_at,
    }
}

fn of_agent(name: &str, agent: &str, auth: ClientAuth) -> ClientRecord {
    ClientRecord { agent: Some(id(agent)), auth, redirect_uris: vec![], ..client(name, None) }
}

#[test]
fn of_a_hundred_registrations_no_more_succeed_than_there_is_room_for() {
    everywhere(async |store| {
        let calls = (0..100).map(|n| {
            let store = Arc::clone(&store);
            async move {
                let registered = store.register_client(client(&format!("c{n}"), Some(after(60))), 7).await.unwrap();
                registered == ClientRegistration::Done
            }
        });
        assert_eq!(yeses(calls).await, 7);
        assert_eq!(store.clients().await.unwrap().len(), 7);
        assert_eq!(store.forget_clients(after(59)).await.unwrap(), 0);
        assert_eq!(store.forget_clients(after(60)).await.unwrap(), 7);
        let again = store.register_client(client("again", Some(after(90))), 1).await.unwrap();
        assert_eq!(again, ClientRegistration::Done, "there is room again");
        assert!(store.remove_client("again".to_owned(), after(61)).await.unwrap());
        assert!(!store.remove_client("again".to_owned(), after(61)).await.unwrap());
        let again = store.register_client(client("third", Some(after(90))), 1).await.unwrap();
        assert_eq!(again, ClientRegistration::Done);
    });
}

#[test]
fn a_client_lives_while_it_is_used_and_while_a_grant_stands() {
    everywhere(async |store| {
        with_resource(&store).await;
        for name in ["c", "idle", "used"] {
            store.register_client(client(name, Some(after(60))), 100).await.unwrap();
        }
        let day = 24 * 3600;
        store.touch_client("used".to_owned(), after(60 + day), after(59)).await.unwrap();
        assert_eq!(store.client("used", NOW).await.unwrap().unwrap().expires_at, Some(after(60)), "not for a day");
        let touched = 120 + day;
        store.touch_client("used".to_owned(), after(touched), after(59)).await.unwrap();
        store.touch_client("used".to_owned(), after(90), after(59)).await.unwrap();
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let grant = Grant {
            id: "f".to_owned(),
            client: "c".to_owned(),
            client_name: "Client".to_owned(),
            agent: agent.clone(),
            owner: id("p"),
            resource: URL.to_owned(),
            scope: "read".to_owned(),
        };
        let hash = token(Holder::Code);
        let (redirect_uri, challenge) = (String::new(), String::new());
        let code = NewCode { hash: hash.clone(), grant, redirect_uri, challenge, expires_at: after(60) };
        assert!(store.add_code(code, NOW).await.unwrap());
        let refresh = NewRefresh { hash: token(Holder::Refresh), expires_at: after(200) };
        store.redeem_code(hash, Some(refresh), after(1)).await.unwrap();
        let lives = async |name: &str, secs| store.client(name, after(secs)).await.unwrap().is_some();
        for (name, secs, expected) in [
            ("idle", 59, true),
            ("idle", 60, false),
            ("used", touched - 1, true),
            ("used", touched, false),
            ("c", 199, true),
            ("c", 200, false),
        ] {
            assert_eq!(lives(name, secs).await, expected, "{name} {secs}");
        }
        store.touch_client("idle".to_owned(), after(2 * day), after(60)).await.unwrap();
        assert!(!lives("idle", 61).await, "the dead are not woken");
        assert_eq!(store.forget_clients(after(150)).await.unwrap(), 1, "c is spared");
        store.touch_client("c".to_owned(), after(2 * day), after(150)).await.unwrap();
        store.end_family("f".to_owned(), "revoked", after(151)).await.unwrap();
        assert!(lives("c", 2 * day - 1).await);
        assert_eq!(store.forget_clients(after(2 * day)).await.unwrap(), 2);
        assert_eq!(store.client("c", NOW).await.unwrap(), None);
    });
}

#[test]
fn a_consent_goes_with_its_client_and_not_before_its_grants() {
    everywhere(async |store| {
        with_resource(&store).await;
        store.register_client(client("c", Some(after(60))), 100).await.unwrap();
        let agent = consented(&store, "k", "p", URL, NOW).await;
        let document = NewConsent {
            id: "document".to_owned(),
            agent: id("agent-document"),
            owner: id("p"),
            client: "https://app.example/client.json".to_owned(),
            client_name: "Documented".to_owned(),
            resource: store.resource_by_url(URL).await.unwrap().unwrap(),
            redirect_host: "app.example".to_owned(),
            scope: "read".to_owned(),
            remembered: None,
        };
        store.give_consent(document, NOW).await.unwrap();
        let left = async || {
            let mut left: Vec<_> = store.consents_of(&id("p")).await.unwrap().into_iter().map(|one| one.id).collect();
            left.sort();
            left
        };
        assert_eq!(store.forget_consents(after(61)).await.unwrap(), 0, "the client is still there");
        assert_eq!(store.forget_clients(after(61)).await.unwrap(), 1);
        let grant = Grant {
            id: "f".to_owned(),
            client: "c".to_owned(),
            client_name: "Client".to_owned(),
            agent,
            owner: id("p"),
            resource: URL.to_owned(),
            scope: "read".to_owned(),
        };
        let (redirect_uri, challenge) = (String::new(), String::new());
        let code = NewCode { hash: token(Holder::Code), grant, redirect_uri, challenge, expires_at: after(100) };
        assert!(store.add_code(code, after(61)).await.unwrap());
        assert_eq!(store.forget_consents(after(99)).await.unwrap(), 0, "a grant stands");
        assert_eq!(left().await, ["document", "k"]);
        assert_eq!(store.forget_consents(after(100)).await.unwrap(), 1);
        assert_eq!(left().await, ["document"]);
    });
}

#[test]
fn a_client_that_is_a_document_is_known_by_what_it_was_allowed() {
    everywhere(async |store| {
        with_resource(&store).await;
        let url = "https://app.example/client.json";
        let consent = |name: &str, owner: &str, resource: &ResourceRecord| NewConsent {
            id: name.to_owned(),
            agent: id(&format!("agent-{name}")),
            owner: id(owner),
            client: url.to_owned(),
            client_name: "Documented".to_owned(),
            resource: resource.clone(),
            redirect_host: "app.example".to_owned(),
            scope: "read".to_owned(),
            remembered: None,
        };
        let resource = store.resource_by_url(URL).await.unwrap().unwrap();
        assert!(!store.shut_out_document(url.to_owned(), NOW).await.unwrap(), "nobody has let it in");
        let agent = store.give_consent(consent("k1", "p", &resource), after(1)).await.unwrap();
        store.give_consent(consent("k2", "o", &resource), after(2)).await.unwrap();
        consented(&store, "k3", "p", URL, after(3)).await;
        let grant = Grant {
            id: "f".to_owned(),
            client: url.to_owned(),
            client_name: "Documented".to_owned(),
            agent: agent.clone(),
            owner: id("p"),
            resource: URL.to_owned(),
            scope: "read".to_owned(),
        };
        let (redirect_uri, challenge) = (String::new(), String::new());
        let code = NewCode { hash: token(Holder::Code), grant, redirect_uri, challenge, expires_at: after(100) };
        assert!(store.add_code(code, after(3)).await.unwrap());
        let known = store.document_clients(after(4)).await.unwrap();
        assert_eq!(known, [(url.to_owned(), "Documented".to_owned(), after(1))]);
        assert!(store.shut_out_document(url.to_owned(), after(5)).await.unwrap());
        assert!(!store.family_stands("f").await.unwrap());
        assert_eq!(told(&store).await, [(agent.to_string(), after(5), false)]);
        assert_eq!(store.document_clients(after(6)).await.unwrap(), []);
        assert_eq!(store.consents_of(&id("p")).await.unwrap().len(), 1, "another client's");
        assert_eq!(store.audited("client.removed").await, [("operator".to_owned(), url.to_owned())]);
    });
}

#[test]
fn an_operators_client_speaks_for_an_agent_and_does_not_expire() {
    everywhere(async |store| {
        registered(&store).await;
        let with_secret = of_agent("secret", "a", ClientAuth::Secret(token(Holder::Client)));
        let with_keys = of_agent("keys", "a", ClientAuth::Keys(r#"{"keys":[]}"#.to_owned()));
        for known in [&with_secret, &with_keys] {
            assert_eq!(store.add_client(known.clone(), NOW).await.unwrap(), Registration::Done);
            let found = store.client(&known.id, after(1_000_000_000)).await.unwrap();
            assert_eq!(found.as_ref(), Some(known));
        }
        let nobodys = of_agent("nobodys", "nobody", ClientAuth::None);
        assert_eq!(store.add_client(nobodys, NOW).await.unwrap(), Registration::UnknownReference);
        let registered = client("c", Some(after(60)));
        store.register_client(registered.clone(), 1).await.unwrap();
        let listed: Vec<_> = store.clients().await.unwrap().into_iter().map(|client| client.id).collect();
        assert_eq!(listed, ["keys", "secret", "c"]);
        assert_eq!(store.client("c", NOW).await.unwrap(), Some(registered.clone()));
        let refresh_tokens = RefreshTokens::Unwanted;
        let short = ClientRecord { id: "short".to_owned(), refresh_tokens, ..registered };
        store.register_client(short.clone(), 2).await.unwrap();
        assert_eq!(store.client("short", NOW).await.unwrap(), Some(short));
        store.touch_client("secret".to_owned(), after(5), NOW).await.unwrap();
        assert_eq!(store.forget_clients(after(1_000_000_000)).await.unwrap(), 2);
        assert!(store.remove_client("secret".to_owned(), after(9)).await.unwrap());
        assert_eq!(told(&store).await, [("a".to_owned(), after(9), false)], "what it got for its agent ends");
        assert!(store.client("secret", NOW).await.unwrap().is_none());
    });
}
