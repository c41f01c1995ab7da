//! The OpenAPI documents and the routes are one list; so are the documents and what is served.

use std::collections::BTreeSet;

use hookbox::api::{Api, Dialect};
use serde_json::Value;

use super::{Desk, request};

fn document(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi");
    serde_json::from_slice(&std::fs::read(format!("{folder}/{name}.json")).unwrap()).unwrap()
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Method and path of each operation of a document.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let here = METHODS.iter().filter(|method| item.get(**method).is_some());
        here.map(|method| (method.to_uppercase(), path.clone()))
    });
    all.collect()
}

fn routes(dialect: Dialect, ours: bool) -> BTreeSet<(String, String)> {
    Api::routes(dialect)
        .filter(|(_, path)| path.starts_with("/hookbox/") == ours)
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect()
}

#[test]
fn each_document_lists_the_routes_and_nothing_else() {
    for (name, dialect, ours) in [
        ("prelude", Dialect::Prelude, false),
        ("fingerprint", Dialect::Fingerprint, false),
        ("hookbox", Dialect::Prelude, true),
        ("hookbox", Dialect::Fingerprint, true),
    ] {
        let (listed, routed) = (operations(&document(name)), routes(dialect, ours));
        assert!(routed.len() >= 8, "{routed:?}");
        assert_eq!(listed, routed, "{name}");
    }
}

#[test]
fn every_operation_says_what_it_needs_and_every_reference_leads_somewhere() {
    for name in ["prelude", "fingerprint", "hookbox"] {
        let document = document(name);
        let mut ids = BTreeSet::new();
        for (method, path) in operations(&document) {
            let operation = &document["paths"][&path][method.to_lowercase()];
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
            let answers = operation["responses"].as_object().unwrap();
            let is_public = operation["security"] == serde_json::json!([]);
            assert_eq!(is_public, path.ends_with("jwks.json"), "{path}");
            assert_eq!(answers.contains_key("401"), !is_public, "{path}");
            let has_body = operation.get("requestBody").is_some();
            assert_eq!(answers.contains_key("415"), has_body, "{method} {path}");
        }
        references(&document, &document);
    }
}

fn references(value: &Value, document: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref") {
                let pointer = target.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{pointer}");
            }
            members.values().for_each(|one| references(one, document));
        }
        Value::Array(items) => items.iter().for_each(|one| references(one, document)),
        _ => {}
    }
}

#[test]
fn the_documents_are_served_to_who_has_a_key() {
    let desk = Desk::fingerprint();
    for name in ["prelude", "fingerprint", "hookbox"] {
        let line = format!("GET /hookbox/v1/openapi/{name}.json");
        assert_eq!(
            desk.ask_as("read-54e9ujn", &line, ""),
            (200, document(name))
        );
        assert_eq!(desk.send(&request("nothing", &line, "")).status, 401);
    }
    assert_eq!(desk.ask("GET /hookbox/v1/openapi/other.json", "").0, 404);
}
