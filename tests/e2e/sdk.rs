//! The three published SDKs, unmodified: against an issuer, and through a gateway.

use std::fs;

use lime_tests::{Gateway, Issuer, IssuerSetup, Nginx, free_port, lime, python};

#[track_caller]
fn check(file: &str, issuer: &Issuer) {
    check_with(file, issuer, &[]);
}

#[track_caller]
fn check_with(file: &str, issuer: &Issuer, more: &[(&str, &str)]) {
    let lime = lime([""; 0]);
    let known = [
        ("LIME_TEST_ISSUER", issuer.url.as_str()),
        ("LIME_TEST_ISSUER_FILE", issuer.file().to_str().unwrap()),
        ("LIME_TEST_LIME", lime.get_program().to_str().unwrap()),
    ];
    python::pytest(file, &[&known, more].concat());
}

#[test]
fn an_agent_logs_in_at_a_site() {
    check("test_agent_login.py", &Issuer::start());
}

#[test]
fn an_agent_logs_in_at_a_site_with_a_store_in_postgresql() {
    if let Some(setup) = IssuerSetup::default().on_postgres() {
        check("test_agent_login.py", &setup.start());
    }
}

#[test]
fn a_token_is_accepted_by_an_mcp_server() {
    check("test_mcp.py", &Issuer::start());
}

#[test]
fn every_negative_path_is_the_error_the_sdk_knows() {
    check("test_negative_paths.py", &Issuer::start());
}

#[test]
fn what_is_over_is_refused() {
    let setup = IssuerSetup::default().setting("login_request_ttl = \"3s\"").setting("login_passport_ttl = \"2s\"");
    check("test_expiry.py", &setup.start());
}

#[test]
fn the_agent_sdk_goes_through_a_gateway_in_front_of_nginx_and_of_an_mcp_server() {
    let nginx = Nginx::start();
    let issuer = Issuer::start();
    let owner = issuer.owner();
    let [files, tools] = ["files", "tools"].map(|name| issuer.site(&owner, &format!("http://{name}.lime.test")));
    let credential = issuer.gateway(&owner, &[&files.id, &tools.id]);
    let tools_port = free_port().to_string();
    let gateway = Gateway::start(|_, folder| {
        fs::write(folder.join("gateway.token"), &credential.token).unwrap();
        let site = |name: &str, protect: &str, origin: &str| {
            format!(
                "[[site]]\nurl = \"http://{name}.lime.test\"\norigin = \"{origin}\"\nmode = \"enforce\"\n\
                 protect = [\"{protect}\"]\nissuer = \"{}\"\ncredential = {{ file = \"gateway.token\" }}\n\
                 login = \"edge\"\n",
                issuer.url
            )
        };
        let tools = format!("http://127.0.0.1:{tools_port}");
        site("files", "/agents/*", &nginx.url) + &site("tools", "/mcp/*", &tools)
    });
    let known = [
        ("LIME_TEST_GATEWAY_PORT", gateway.url.rsplit(':').next().unwrap()),
        ("LIME_TEST_FILES_SITE", files.id.as_str()),
        ("LIME_TEST_TOOLS_SITE", tools.id.as_str()),
        ("LIME_TEST_TOOLS_PORT", tools_port.as_str()),
    ];
    check_with("test_gateway.py", &issuer, &known);
}
