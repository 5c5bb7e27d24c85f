//! What the sources themselves must keep to: imports that point one way, and one module alone that
//! knows the fields of one trade.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate: each uses only those above it. The engines, in one line, do not use each
/// other.
const ORDER: [&[&str]; 21] = [
    &["error"],
    &["shutdown"],
    &["timer"],
    &["object"],
    &["reason"],
    &["message"],
    &["codec"],
    &["schema"],
    &["queue"],
    &["store"],
    &["source"],
    &["handler"],
    &["batch", "meter"],
    &["observe"],
    &["retry"],
    &["compression"],
    &["layout"],
    &["log"],
    &["sink"],
    &["producer", "consumer"],
    &["maintain"],
];

/// What only a store chain's events have.
const RETAIL: [&str; 11] = [
    "request_id",
    "store_id",
    "cust_id",
    "sku",
    "gift_wrap",
    "priority_shipping",
    "is_return",
    "bad_msg",
    "sale_event",
    "inventory_event",
    "EventType",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The sources below a folder, without tests: the path of each below it, and its code without comments.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if ["tests", "mocks", "model", "identities", "explore"].contains(&&*name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let code = text.lines().map(|line| line.split("//").next().unwrap());
                let code = code.collect::<Vec<_>>().join("\n");
                let path = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((path, code));
            }
        }
    }
    assert!(!found.is_empty(), "{folder:?}");
    found
}

#[test]
fn an_import_only_points_up_the_list() {
    let place = |module: &str| ORDER.iter().position(|line| line.contains(&module));
    for (path, code) in sources(&root().join("event-core/src")) {
        let module = path.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = place(module).unwrap_or_else(|| panic!("{module} has no place in the list"));
        for used in code.split("crate::").skip(1) {
            let name = used.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap();
            let is_above = place(name).is_some_and(|of| of < own);
            assert!(name == module || is_above, "{path} uses crate::{name}");
        }
    }
}

#[test]
fn one_module_knows_the_fields_of_a_store_chain() {
    for (folder, allowed) in [
        ("event-core/src", &["schema/retail/", "lib.rs"][..]),
        ("event-aws/src", &["error.rs", "sqs.rs"]),
        ("event-mem/src", &["source/synthetic.rs"]),
        ("event-bins/src", &[]),
        ("event-bins/local/src", &[]),
    ] {
        for (path, code) in sources(&root().join(folder)) {
            if allowed.iter().any(|allowed| path.starts_with(allowed)) {
                continue;
            }
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let known = code.split(|c| !is_name(c)).find(|name| RETAIL.contains(name));
            assert_eq!(known, None, "{folder}/{path}");
        }
    }
}
