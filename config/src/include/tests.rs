use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::Gateway;

const MAIN: &str = "include = ['sites.d/*.toml']\n[policy.read]\nrequire = 'passport'\n";

fn site(host: &str) -> String {
    format!("[[site]]\nurl = 'https://{host}'\norigin = 'http://127.0.0.1:3000'\n")
}

/// A folder with a main file and some in `sites.d`.
fn folder(main: &str, files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lime.toml"), main).unwrap();
    fs::create_dir(folder.path().join("sites.d")).unwrap();
    write(&folder, files);
    folder
}

fn write(folder: &TempDir, files: &[(&str, String)]) {
    for (name, text) in files {
        fs::write(folder.path().join("sites.d").join(name), text).unwrap();
    }
}

fn load(folder: &TempDir) -> Result<Gateway, ConfigError> {
    Gateway::load(&folder.path().join("lime.toml"), &|_| None)
}

fn hosts(gateway: &Gateway) -> Vec<&str> {
    gateway.sites.iter().map(|site| site.url.host()).collect()
}

/// What is wrong, with the folder left out.
fn problem(folder: &TempDir) -> String {
    load(folder).unwrap_err().to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn sites_of_included_files_are_sites() {
    let main = format!("{MAIN}{}", site("main.example"));
    let read = format!("{}policy = 'read'\nissuer = 'https://id.example'\n", site("b.example"));
    let files = [("b.toml", read), ("a.toml", site("a.example")), (".hidden.toml", "x".into()), ("a.txt", "x".into())];
    let folder = folder(&main, &files);
    let gateway = load(&folder).unwrap();
    assert_eq!(hosts(&gateway), ["main.example", "a.example", "b.example"]);
    assert_eq!(&*gateway.sites[2].policy.name, "read");
    assert_eq!(gateway.files.included.len(), 2);
    assert_eq!(gateway.files.folders, [folder.path().join("sites.d")]);
}

#[test]
fn what_is_wrong_in_an_included_file_is_told_with_its_name() {
    let folder = folder(MAIN, &[("a.toml", format!("listen = '127.0.0.1:1'\n{}", site("a.example")))]);
    assert_eq!(
        problem(&folder),
        "sites.d/a.toml:1:10: `listen` belongs in the main file: an included one holds [[site]] alone"
    );
    write(&folder, &[("a.toml", site("a.example")), ("b.toml", site("A.example"))]);
    assert_eq!(
        problem(&folder),
        "sites.d/b.toml:2:7: `url`: a.example is already the host of the site at sites.d/a.toml:2: remove one of the two"
    );
    write(&folder, &[("a.toml", "[[site]]\nulr = 1\n".into()), ("b.toml", "x".into())]);
    let found = problem(&folder);
    assert!(found.contains("sites.d/a.toml:2:1: unknown key `ulr`") && found.contains("sites.d/b.toml:1"), "{found}");
}

#[test]
fn a_folder_or_file_that_is_not_there_is_told() {
    let none = folder("include = 'conf.d/*.toml'\n", &[]);
    let found = problem(&none);
    assert!(found.starts_with("lime.toml: `include`: conf.d cannot be read"), "{found}");
    let none = folder("include = 'sites.d/a.toml'\n", &[]);
    assert!(problem(&none).starts_with("sites.d/a.toml: no such file"));
    let empty = folder(MAIN, &[]);
    assert_eq!(problem(&empty), "lime.toml: no site: write a [[site]] with its `url` and `origin`");
    let star = folder("include = 'a*/b*.toml'\n", &[]);
    assert!(problem(&star).contains("one `*` may stand in the name of the files"));
}

#[test]
fn a_broken_file_keeps_its_last_good_sites_and_those_alone() {
    let main = format!("{MAIN}{}", site("main.example"));
    let folder = folder(&main, &[("a.toml", site("a.example")), ("b.toml", site("b.example"))]);
    let before = load(&folder).unwrap();
    write(&folder, &[("a.toml", format!("{}[[site]]\n", site("a2.example"))), ("b.toml", site("b2.example"))]);
    let reloaded = before.reload(&folder.path().join("lime.toml"), &|_| None).unwrap();
    assert_eq!(hosts(&reloaded.gateway), ["main.example", "a.example", "b2.example"]);
    assert_eq!(reloaded.kept.len(), 1);
    assert!(reloaded.kept[0].to_string().contains("a.toml:4"), "{}", reloaded.kept[0]);
    // What is wrong with the main file is wrong for all.
    fs::write(folder.path().join("lime.toml"), "listen = 1").unwrap();
    assert!(before.reload(&folder.path().join("lime.toml"), &|_| None).is_err());
}

#[test]
fn a_host_that_a_broken_file_had_is_still_its_own() {
    let folder = folder(MAIN, &[("a.toml", site("a.example")), ("b.toml", site("b.example"))]);
    let before = load(&folder).unwrap();
    write(&folder, &[("a.toml", "x".into()), ("b.toml", site("a.example"))]);
    let reloaded = before.reload(&folder.path().join("lime.toml"), &|_| None).unwrap();
    // The new file claims what the old one has: it is the broken one then.
    assert_eq!(hosts(&reloaded.gateway), ["a.example", "b.example"]);
    assert_eq!(reloaded.kept.len(), 2);
}

#[test]
fn ten_thousand_sites_load_in_a_blink() {
    let files: Vec<(String, String)> = (0..10)
        .map(|file| {
            let sites = (0..1000).map(|n| site(&format!("s{n}.f{file}.example"))).collect();
            (format!("{file}.toml"), sites)
        })
        .collect();
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let folder = folder(MAIN, &files);
    let started = std::time::Instant::now();
    assert_eq!(load(&folder).unwrap().sites.len(), 10_000);
    let took = started.elapsed();
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn whatever_is_changed_in_a_folder_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let sites = home.path().join("sites.d");
    for (folder, text) in [("one", "a"), ("two", "b")] {
        fs::create_dir(home.path().join(folder)).unwrap();
        fs::write(home.path().join(folder).join("a.toml"), text).unwrap();
    }
    symlink("one", &sites).unwrap();
    let pattern = Pattern::parse("sites.d/*.toml").unwrap();
    let files = Files::find(&home.path().join("lime.toml"), &[pattern]).unwrap();
    let mut seen = vec![files.as_read];
    assert_eq!(files.fingerprint(), files.as_read);
    fs::write(sites.join("b.toml"), "x").unwrap();
    seen.push(files.fingerprint());
    fs::write(sites.join("b.toml"), "xy").unwrap();
    seen.push(files.fingerprint());
    fs::remove_file(sites.join("b.toml")).unwrap();
    // The whole folder, in one step.
    symlink("two", home.path().join("new")).unwrap();
    fs::rename(home.path().join("new"), &sites).unwrap();
    seen.push(files.fingerprint());
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
}
