use std::path::Path;

use super::*;
use crate::{ConfigError, Gateway, LimitPer};

const SITE: &str = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\n\
                    issuer = 'https://id.example'\npolicy = 'p'\n";

fn parse(policy: &str) -> Result<Gateway, ConfigError> {
    Gateway::parse(&format!("[policy.p]\n{policy}\n{SITE}"), Path::new("lime.toml"), &|_| None)
}

#[track_caller]
fn policy(text: &str) -> Arc<Policy> {
    let gateway = parse(text).unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(&gateway.sites[0].policy)
}

#[track_caller]
fn refuse(text: &str, problem: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), problem);
}

#[test]
fn a_policy_may_say_all_there_is() {
    let found = policy(
        "require = 'passport'\nscopes = ['orders:write', 'a']\nowner_level = 2\nagents = { deny = 'x' }\n\
         owners = { allow = ['o'] }\nlimit = [{ per = 'agent', rate = '60/m', burst = 5 }, { per = 'site', rate = '9/s' }]",
    );
    assert_eq!((&*found.name, found.require), ("p", Require::Passport));
    assert_eq!(found.scopes, ["orders:write".into(), "a".into()]);
    assert_eq!(found.owner_level.get(), 2);
    assert!(found.agents.admits(Some("y")) && !found.agents.admits(Some("x")));
    let [agent, site] = &found.limits[..] else { panic!("two limits") };
    assert_eq!((agent.per, agent.burst, agent.rate.to_string().as_str()), (LimitPer::Agent, 5, "60/m"));
    assert_eq!((site.per, site.burst), (LimitPer::Site, 9));
}

#[test]
fn a_list_lets_in_whom_it_says() {
    let listed = |text: &str| policy(&format!("require = 'passport'\nowners = {text}")).owners.clone();
    for (text, admitted, refused) in [
        ("{}", &[Some("a"), None][..], &[][..]),
        ("{ allow = ['a'] }", &[Some("a")], &[Some("b"), None]),
        ("{ deny = ['a'] }", &[Some("b"), None], &[Some("a")]),
        ("{ allow = ['a', 'b'], deny = ['c'] }", &[Some("a")], &[Some("c"), Some("d"), None]),
    ] {
        let listed = listed(text);
        assert!(admitted.iter().all(|id| listed.admits(*id)), "{text}");
        assert!(!refused.iter().any(|id| listed.admits(*id)), "{text}");
    }
}

#[test]
fn what_no_policy_can_ask_is_refused_with_a_remedy() {
    refuse("require = 'signed'", "lime.toml:2:11: `require`: `signed` is not served yet: write \"passport\"");
    refuse("require = 'pasport'", "lime.toml:2:11: `require`: `pasport` is not known: did you mean \"passport\"?");
    refuse("", "lime.toml:1:9: no `require` in [policy.NAME]: write `require = \"passport\"`");
    for key in ["scopes = ['a']", "owner_level = 1", "agents = { deny = 'a' }", "owners = { deny = 'a' }"] {
        let name = key.split(' ').next().unwrap();
        refuse(
            &format!("require = 'none'\n{key}"),
            &format!(
                "lime.toml:3:{}: `{name}` is told by a passport: write `require = \"passport\"` beside it",
                name.len() + 4
            ),
        );
    }
    refuse(
        "require = 'passport'\nscopes = ['a b']",
        "lime.toml:3:11: `scopes`: `a b` is no scope: write one word, like \"orders:write\", and a list for several",
    );
    refuse(
        "require = 'passport'\nagents = { allow = [] }",
        "lime.toml:3:20: `allow = []` lets nobody in: write the ids that may, or leave it out for everybody",
    );
    refuse(
        "require = 'passport'\nagents = { allow = ['a'], deny = ['a'] }",
        "lime.toml:3:34: `deny`: `a` also stands under `allow`: keep one of the two",
    );
    refuse(
        "require = 'none'\nlimit = { per = 'agent', rate = '60/w' }",
        "lime.toml:3:33: `rate`: not a rate: write a number from 1 to 1000000 and a period, like \"10/s\", \"60/m\", \
         \"1000/h\" or \"5000/d\"",
    );
    let many: String = (0..=10_000).map(|id| format!("'{id}',")).collect();
    let error = parse(&format!("require = 'passport'\nagents = {{ deny = [{many}] }}")).unwrap_err().to_string();
    assert!(error.contains("`deny`: 10001 ids: a list has at most 10000"), "{error}");
    let own =
        Gateway::parse(&format!("[policy.open]\nrequire = 'passport'\n{SITE}"), Path::new("lime.toml"), &|_| None);
    assert!(own.unwrap_err().to_string().contains("[policy.open] is built in"));
}

#[test]
fn rates_are_numbers_per_period() {
    for text in ["1/s", "60/m", "1000/h", "1000000/d"] {
        assert_eq!(text.parse::<crate::Rate>().unwrap().to_string(), text);
    }
    for text in ["", "60", "0/s", "+1/s", "1000001/s", "1/", "/s", "1/sec", "1.5/s", "-1/s", "99999999999/s"] {
        assert!(text.parse::<crate::Rate>().is_err(), "{text}");
    }
}
