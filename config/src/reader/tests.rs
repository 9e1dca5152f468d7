use std::path::Path;

use crate::Gateway;

const SITE: &str = "[[site]]\nurl = 'https://a.example'\norigin = 'http://127.0.0.1:3000'\n";

/// `text` is a configuration with exactly these problems.
#[track_caller]
fn check(text: &str, problems: &[&str]) {
    check_with(text, &[], problems);
}

#[track_caller]
fn check_with(text: &str, env: &[(&str, &str)], problems: &[&str]) {
    let env = |name: &str| env.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
    let found = match Gateway::parse(text, Path::new("lime.toml"), &env) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found.lines().collect::<Vec<_>>(), problems, "{text}");
}

#[test]
fn a_misspelt_key_is_shown_where_it_stands_with_the_nearest_right_one() {
    check(
        "[[site]]\nurl = 'https://a.example'\norgin = 'http://127.0.0.1:3000'\norigin = 'http://127.0.0.1:3000'",
        &["lime.toml:3:1: unknown key `orgin` in [[site]]: did you mean `origin`?"],
    );
    check(
        &format!("sites = []\n{SITE}"),
        &["lime.toml:1:1: unknown key `sites` at the top level: did you mean `site`?"],
    );
    check(
        &format!("server.tls = {{ certificat = 'c', certificate = 'c', key = 'k' }}\n{SITE}"),
        &["lime.toml:1:16: unknown key `certificat` in [server.tls]: did you mean `certificate`?"],
    );
    check(
        &format!("{SITE}issuer = 'https://i.example'\ncredential = {{ file = 'f', evn = 'E' }}"),
        &["lime.toml:5:28: unknown key `evn` in a secret: did you mean `env`?"],
    );
}

#[test]
fn a_key_in_the_wrong_table_is_sent_to_the_right_one() {
    check(
        &format!("{SITE}listen = '127.0.0.1:80'"),
        &["lime.toml:4:1: unknown key `listen` in [[site]]: it belongs in [server] or at the top of the file, \
             before the first [table]"],
    );
    check(
        &format!("state = '/s'\n{SITE}"),
        &["lime.toml:1:1: unknown key `state` at the top level: it belongs in [server]"],
    );
}

#[test]
fn a_key_like_no_other_is_answered_with_all_there_are() {
    check(
        &format!("colour = 1\n{SITE}"),
        &[
            "lime.toml:1:1: unknown key `colour` at the top level: remove it, or write one of `version`, `include`, `listen`, \
             `server`, `issuer`, `policy`, `site`",
        ],
    );
}

#[test]
fn columns_are_counted_in_characters() {
    check(
        &format!("{SITE}\"ключ\".mode = 1\ncontact = {{ \"ß\" = 1 }}"),
        &[
            "lime.toml:4:1: unknown key `ключ` in [[site]]: remove it, or write one of `url`, `also`, `origin`, \
             `mode`, `protect`, `open`, `policy`, `route`, `mcp`, `issuer`, `limit`, `cors`, `credential`, `login`, `session_ttl`, \
             `shared_cache`, `auth_md`, `owner_headers`, `revocation_max_stale`, `contact`, `page`",
            "lime.toml:5:11: `contact`: takes a string, not a table: write `contact = \"agents@shop.example.com\"`",
        ],
    );
    check(
        "site = [{ contact = 'äöü', url = 1, origin = 'http://127.0.0.1:3000' }]",
        &["lime.toml:1:34: `url`: takes a string, not an integer: write `url = \"https://shop.example.com\"`"],
    );
    check(
        "\r\n\r\n[[site]]\r\nurl = 1\r\norigin = 'http://b'",
        &["lime.toml:4:7: `url`: takes a string, not an integer: write `url = \"https://shop.example.com\"`"],
    );
}

#[test]
fn every_problem_is_found_in_one_pass_and_shown_in_the_order_of_the_file() {
    check(
        "listen = 8080\n[server]\nreplicas = 'two'\nstat = '/s'\n[[site]]\nmode = 'enfroce'\nprotect = ['a', \
             '/b', '/*/c']\n[[site]]\nurl = 'a'",
        &[
            "lime.toml:1:10: `listen`: takes a string, not an integer: write `listen = \"127.0.0.1:8080\"`",
            "lime.toml:3:12: `replicas`: takes a whole number, not a string: write `replicas = 2`",
            "lime.toml:4:1: unknown key `stat` in [server]: did you mean `state`?",
            "lime.toml:5:1: no `url` in [[site]]: write `url = \"https://shop.example.com\"`",
            "lime.toml:5:1: no `origin` in [[site]]: write `origin = \"http://127.0.0.1:3000\"`",
            "lime.toml:6:8: `mode`: `enfroce` is not known: did you mean \"enforce\"?",
            "lime.toml:7:11: `protect`: whose passports count here? write `issuer = \"https://id.example.net\"` \
             beside it",
            "lime.toml:7:12: `protect`: a path starts with a slash: write it like \"/agents/*\"",
            "lime.toml:7:23: `protect`: `*` may only stand alone at the end: write \"/agents/*\" for a folder \
             and all below it",
            "lime.toml:8:1: no `origin` in [[site]]: write `origin = \"http://127.0.0.1:3000\"`",
            "lime.toml:9:7: `url`: no scheme in front: write http://a or https://a",
        ],
    );
}

#[test]
fn what_is_no_toml_is_shown_line_by_line_and_nothing_else_is_judged() {
    check(
        "listen = 127.0.0.1:80\n[[site]]\nurl = https://a.example\norgin = 1\nb = 'x",
        &[
            "lime.toml:1:15: neither a number nor a date nor true or false: write text in quotes, like `key = \
             \"text\"`",
            "lime.toml:3:7: neither a number nor a date nor true or false: write text in quotes, like `key = \
             \"text\"`",
            "lime.toml:5:7: not TOML: invalid literal string, expected `'`: mend this first, the rest was not judged",
        ],
    );
    check(
        &format!("listen = '0.0.0.0:80'\nlisten = '0.0.0.0:81'\n{SITE}"),
        &["lime.toml:2:1: `listen` stands twice: keep one"],
    );
    check(
        "listen = [::1]:80",
        &["lime.toml:1:11: neither a number nor a date nor true or false: write text in quotes, like `key = \
             \"text\"`"],
    );
    check(
        "[server\nreplicas = 2",
        &["lime.toml:1:8: not TOML: unclosed table, expected `]`: mend this first, the rest was not judged"],
    );
    check(&format!("[server]\n[server]\n{SITE}"), &["lime.toml:2:2: `server` stands twice: keep one"]);
}

#[test]
fn a_table_that_is_none_is_refused() {
    let many = ": `site`: there may be many: write [[site]], with two brackets, and its keys below";
    check("[site]\nurl = 'https://a.example'", &[&format!("lime.toml:1:1{many}")]);
    check("site = 1", &[&format!("lime.toml:1:8{many}")]);
    check(
        "site = ['x']",
        &["lime.toml:1:9: `site`: takes a table, not a string: write `site = [{ url = \
             \"https://shop.example.com\", origin = \"http://127.0.0.1:3000\" }]`"],
    );
    check(
        &format!("server = '/s'\n{SITE}"),
        &["lime.toml:1:10: `server`: takes a table, not a string: write `server = { state = \"/var/lib/lime\" }`"],
    );
    check("", &["lime.toml: no site: write a [[site]] with its `url` and `origin`"]);
    check("site = []", &["lime.toml:1:8: no site: write a [[site]] with its `url` and `origin`"]);
}

#[test]
fn a_value_that_does_not_fit_is_answered_with_what_does() {
    let check_server = |line: &str, problem: &str| check(&format!("[server]\n{line}\n{SITE}"), &[problem]);
    check_server("replicas = 0", "lime.toml:2:12: `replicas`: 0 does not fit: write 1 to 10000");
    check_server("replicas = -1", "lime.toml:2:12: `replicas`: -1 does not fit: write 1 to 10000");
    check_server(
        "replicas = 1.5",
        "lime.toml:2:12: `replicas`: takes a whole number, not a float: write `replicas = 2`",
    );
    check_server("grace_period = '25h'", "lime.toml:2:16: `grace_period`: 25h does not fit: write \"0s\" to \"1d\"");
    check_server(
        "grace_period = 8",
        "lime.toml:2:16: `grace_period`: takes a string, not an integer: write `grace_period = \"8s\"`",
    );
    check_server("state = ''", "lime.toml:2:9: `state`: is empty: write `state = \"/var/lib/lime\"`");
    let check_site = |line: &str, problem: &str| check(&format!("{SITE}{line}"), &[problem]);
    check_site("mode = 'on'", "lime.toml:4:8: `mode`: `on` is not known: write one of `off`, `observe`, `enforce`");
    check_site(
        "shared_cache = 'yes'",
        "lime.toml:4:16: `shared_cache`: takes true or false, not a string: write `shared_cache = true`",
    );
    check_site(
        "session_ttl = '1 hour'",
        "lime.toml:4:15: `session_ttl`: not a duration: write a whole number and its unit, like \"250ms\", \
             \"30s\", \"5m\", \"24h\" or \"7d\"",
    );
}

#[test]
fn a_variable_overrides_the_file_and_is_named_when_it_is_wrong() {
    let file = format!("listen = 'nonsense'\n[server]\nreplicas = 0\nops_listen = 1\n{SITE}");
    let right = [
        ("LIME__LISTEN", "0.0.0.0:80, [::]:80"),
        ("LIME__SERVER__REPLICAS", "1"),
        ("LIME__SERVER__OPS_LISTEN", "127.0.0.1:1"),
    ];
    check_with(&file, &right, &[]);
    check_with(
        &file,
        &[
            ("LIME__LISTEN", "0.0.0.0:80,x"),
            ("LIME__SERVER__REPLICAS", "two"),
            ("LIME__SERVER__OPS_LISTEN", ""),
            ("LIME__SERVER__SECRET", "hunter2"),
        ],
        &[
            "LIME__LISTEN: `listen`: `x` is no IP:port: write it like 127.0.0.1:8080 or [::1]:8080; port 0 \
             takes a free one",
            "LIME__SERVER__OPS_LISTEN: `ops_listen`: is empty: write `ops_listen = \"127.0.0.1:9180\"`",
            "LIME__SERVER__REPLICAS: `replicas`: two does not fit: write 1 to 10000",
            "LIME__SERVER__SECRET: `secret`: a secret is not written here but where only Lime reads it: \
             write `{ file = \"PATH\" }` or `{ env = \"NAME\" }`",
        ],
    );
}
