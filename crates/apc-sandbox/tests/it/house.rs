//! The rules of the crate's own house.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::successors;
use std::path::{Path, PathBuf};

/// The modules below the root, lowest first: each may import those before it.
const ORDER: [&str; 8] = [
    "line", "state", "fault", "requests", "snapshot", "handle", "graphql", "http",
];
const LONGEST: usize = 350;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    let is_code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files.filter(is_code).collect()
}

/// The product code of each module but the root, by its path in the crate.
fn modules() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = files(&root).into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap().to_string();
        let name = path.strip_prefix(&root).unwrap().with_extension("");
        let parts: Vec<_> = name.iter().map(|part| part.to_str().unwrap()).collect();
        (parts.join("::").replace("::mod", ""), product)
    });
    named.filter(|(name, _)| name != "lib").collect()
}

/// The modules that each module names, such as `a::b` in `crate::a::b::C`.
fn imports(modules: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let imported = |(name, text): (&String, &String)| {
        let heads = text.split("crate::").skip(1);
        let found = heads.filter_map(|head| longest(head, modules)).collect();
        (name.clone(), found)
    };
    modules.iter().map(imported).collect()
}

/// The longest path at the beginning of `head` that is a module's.
fn longest(head: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let end = head.find(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter));
    let whole = head.get(..end.unwrap_or(head.len()));
    let mut paths = successors(whole, |path| {
        path.rsplit_once("::").map(|(parent, _)| parent)
    });
    let found = paths.find(|path| modules.contains_key(*path));
    found.map(Into::into)
}

/// Modules that can be reached from themselves.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<&String> {
    let reaches_itself = |start: &&String| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = imports[*start].iter().collect();
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                open.extend(&imports[name]);
            }
        }
        seen.contains(start)
    };
    imports.keys().filter(reaches_itself).collect()
}

#[test]
fn no_two_modules_import_each_other() {
    let imports = imports(&modules());
    let found = circles(&imports);
    assert!(found.is_empty(), "these modules are in a circle: {found:?}");
}

#[test]
fn modules_import_only_what_stands_before_them() {
    let rank = |name: &str| {
        let top = name.split("::").next().unwrap();
        let found = ORDER.iter().position(|module| *module == top);
        found.unwrap_or_else(|| {
            panic!("{top} is missing in ORDER in tests/it/house.rs and in the table of src/lib.rs")
        })
    };
    for (name, imported) in imports(&modules()) {
        for other in imported {
            assert!(rank(&other) <= rank(&name), "{name} imports {other}");
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    for (name, text) in modules() {
        let lines = text.lines().count();
        assert!(
            lines <= LONGEST,
            "{name} has {lines} lines, more than {LONGEST}"
        );
        assert!(text.starts_with("//! "), "{name} does not begin with //!");
    }
}

#[test]
fn the_rules_notice_a_circle_of_three() {
    let module = |name: &str, text: &str| (name.to_string(), text.to_string());
    let modules = BTreeMap::from([
        module("a", "use crate::b::{X, Y};"),
        module("b", "use crate::c::d::Z;"),
        module("c::d", "let a = crate::a::f();"),
        module("e", "use crate::a::X;"),
    ]);
    assert_eq!(circles(&imports(&modules)), ["a", "b", "c::d"]);
}
