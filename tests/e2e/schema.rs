//! The JSON Schema of `lime.toml`: it takes what the command takes, and knows every key that the command knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lime_tests::python::python;
use lime_tests::{Output, lime};
use tempfile::TempDir;

/// Judges the TOML files in its arguments by the schema in the first.
const JUDGE: &str = "
import json, jsonschema, sys, tomllib
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
judge = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
    found = [error.message for error in judge.iter_errors(tomllib.load(open(name, 'rb')))]
    print(name, 'is', 'valid' if not found else found)
";

fn schema(folder: &TempDir) -> String {
    let Output { stdout, .. } = Output::of(lime(["schema"]));
    let file = folder.path().join("schema.json");
    fs::write(&file, &stdout).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn every_example_is_valid_and_a_slip_is_not() {
    let folder = TempDir::new().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let files = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let is_gateway = |name: &str| name.ends_with(".toml") && !name.contains("/issuer");
    let mut files: Vec<String> =
        files.map(|path| path.to_str().unwrap().to_owned()).filter(|name| is_gateway(name)).collect();
    let count = files.len();
    let site = "[[site]]\nurl = \"https://a.example\"\norigin = \"http://127.0.0.1:3000\"\n";
    for (name, text) in [
        ("slip", site.replace("origin", "orgin")),
        ("kind", site.replace("\"http://127.0.0.1:3000\"", "3000")),
        ("word", format!("{site}mode = \"enforced\"\n")),
    ] {
        let file = folder.path().join(format!("{name}.toml"));
        fs::write(&file, text).unwrap();
        files.push(file.to_str().unwrap().to_owned());
    }
    let mut command = python();
    command.args(["-c", JUDGE, &schema(&folder)]).args(&files);
    let said = Output::of(command).stdout;
    let valid = said.lines().filter(|line| line.ends_with("is valid")).count();
    assert_eq!((valid, said.lines().count()), (count, count + 3), "{said}");
    assert!(count >= 4, "{said}");
}

#[test]
fn the_schema_and_the_reader_know_the_same_keys() {
    let folder = TempDir::new().unwrap();
    let text = fs::read_to_string(schema(&folder)).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut known = BTreeSet::new();
    collect(&schema, &mut known);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/src");
    let mut read = BTreeSet::new();
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("issuer.rs") {
                let text = fs::read_to_string(&path).unwrap();
                read.extend(text.split("Key::new(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    assert_eq!(known, read);
}

/// The names of all properties.
fn collect(schema: &serde_json::Value, known: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) {
        known.extend(properties.keys().cloned());
        properties.values().for_each(|property| collect(property, known));
    }
    for word in ["items", "additionalProperties"] {
        schema.get(word).into_iter().for_each(|inner| collect(inner, known));
    }
    for word in ["anyOf", "oneOf"] {
        schema
            .get(word)
            .and_then(serde_json::Value::as_array)
            .into_iter()
            .flatten()
            .for_each(|inner| collect(inner, known));
    }
}
