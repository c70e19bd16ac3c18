//! The house rules: who may know whom, which words live where, and that what is written stays true.
//! Reads files and `--help`; a message says how to change the rule that it is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The map of the house: the rooms of src/, each with the rooms that it may use. `lib` is not on it: it names them all.
const MAP: &[(&str, &[&str])] = &[
    ("apc", &["guards"]),
    ("cli", &["config"]),
    (
        "commands",
        &["apc", "cli", "config", "guards", "session", "tools"],
    ),
    ("config", &["apc", "guards"]),
    ("guards", &["apc"]),
    ("main", &["commands"]),
    ("session", &["apc", "config", "guards", "tools"]),
    ("tools", &["apc", "config", "guards"]),
];

/// Words with a home: they may stand there and nowhere else. A path that ends in `/` is a whole folder.
const HOMES: &[(&str, &[&str])] = &[
    ("reqwest", &["apc/http/"]),
    ("include_str!", &["apc/documents/"]),
    ("mutation {", &[]),
    ("mutation($", &[]),
    ("query {", &[]),
    ("query($", &[]),
    ("CallToolResult", &["tools/"]),
    ("schemars", &["tools/", "session/prompts/"]),
    // cli.rs asks for the number of arguments, the others for the path of this executable.
    (
        "std::env",
        &[
            "config/",
            "commands/client/mod.rs",
            "commands/sandbox/background.rs",
            "cli.rs",
        ],
    ),
    ("env::var", &["config/"]),
    ("APC_API_TOKEN", &["config/setting.rs"]),
    ("stdout()", &["commands/"]),
    // These panic when the reader has gone, and on standard output they break the protocol.
    ("println!", &[]),
    ("print!(", &[]),
];

/// A file of src/, by its path below it.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Product code: no comments, and nothing from its tests on.
    fn code(&self) -> String {
        let product = self.text.split("\n#[cfg(test)]\nmod ").next().unwrap();
        let lines = product
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    /// The paths by which the file can name the top of the crate.
    fn roots(&self) -> &'static [&'static str] {
        match self.path.contains('/') && !self.path.ends_with("/mod.rs") {
            true => &["crate::", "apc_mcp::", "super::super::"],
            false => &["crate::", "apc_mcp::", "super::"],
        }
    }

    fn uses(&self) -> BTreeSet<String> {
        let code = self.code();
        let heads = self
            .roots()
            .iter()
            .flat_map(|root| code.split(root).skip(1));
        heads.flat_map(first_names).collect()
    }
}

/// The names that begin `rest`: of `a::b` it is a, of `{a::b, c}` they are a and c.
fn first_names(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return Vec::from([name(rest)]);
    };
    let mut names = Vec::from([name(group)]);
    let mut depth = 1;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn name(text: &str) -> String {
    let letters = text.trim_start().chars();
    letters
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => Vec::from([path]),
        })
        .collect()
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let files = files_below(&folder);
    let rust = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| Source {
        path: below(&folder, path),
        text: fs::read_to_string(path).unwrap(),
    })
    .collect()
}

fn below(folder: &Path, path: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap();
    path.to_str().unwrap().replace('\\', "/")
}

fn rooms() -> BTreeSet<&'static str> {
    MAP.iter().map(|(room, _)| *room).collect()
}

/// The rooms that the file uses although the map does not allow it, as sentences.
fn strangers(file: &Source) -> Vec<String> {
    let allowed = MAP.iter().find(|(room, _)| *room == file.room());
    let Some((room, allowed)) = allowed else {
        return Vec::from([format!("src/{} belongs to no room of the map", file.path)]);
    };
    file.uses()
        .into_iter()
        .filter(|used| rooms().contains(used.as_str()))
        .filter(|used| used != room && !allowed.contains(&used.as_str()))
        .map(|used| format!("src/{} uses {used}", file.path))
        .collect()
}

fn is_at_home(path: &str, homes: &[&str]) -> bool {
    homes.iter().any(|home| match home.ends_with('/') {
        true => path.starts_with(home),
        false => path == *home,
    })
}

#[test]
fn rooms_use_only_those_that_the_map_allows() {
    let wrong: Vec<_> = sources()
        .iter()
        .filter(|file| file.path != "lib.rs")
        .flat_map(strangers)
        .collect();
    assert!(
        wrong.is_empty(),
        "{}.\nMove the code to the room that knows such things, or hand in what it needs. If the house itself should \
         change, change MAP in tests/it/house.rs and the map in src/lib.rs in the same commit, and say why.",
        wrong.join("\n")
    );
}

#[test]
fn the_map_allows_nothing_that_nobody_uses() {
    let sources = sources();
    let uses = |room: &str, other: &str| {
        let mut files = sources.iter().filter(|file| file.room() == room);
        files.any(|file| file.uses().contains(other))
    };
    let unused: Vec<_> = MAP
        .iter()
        .flat_map(|(room, allowed)| allowed.iter().map(move |other| (room, other)))
        .filter(|(room, other)| !uses(room, other))
        .collect();
    assert!(
        unused.is_empty(),
        "no file uses these: {unused:?}. Take them out of MAP in tests/it/house.rs"
    );
}

#[test]
fn no_word_has_a_home_where_it_does_not_stand() {
    let sources = sources();
    let stands = |word: &str, home: &str| {
        let mut files = sources
            .iter()
            .filter(|file| is_at_home(&file.path, &[home]));
        files.any(|file| file.code().contains(word))
    };
    let empty: Vec<_> = HOMES
        .iter()
        .flat_map(|(word, homes)| homes.iter().map(move |home| (word, home)))
        .filter(|(word, home)| !stands(word, home))
        .collect();
    assert!(
        empty.is_empty(),
        "these do not stand there: {empty:?}. Take the homes out of HOMES in tests/it/house.rs"
    );
}

#[test]
fn words_stay_in_the_rooms_that_own_them() {
    let sources = sources();
    let wrong: Vec<_> = HOMES
        .iter()
        .flat_map(|(word, homes)| sources.iter().map(move |file| (word, homes, file)))
        .filter(|(word, homes, file)| !is_at_home(&file.path, homes) && file.code().contains(*word))
        .map(|(word, homes, file)| format!("src/{} mentions {word}, home: {homes:?}", file.path))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}.\nCall the room that owns the word. If another one should own it as well, change HOMES in \
         tests/it/house.rs and the last paragraphs of src/lib.rs, and say why.",
        wrong.join("\n")
    );
}

#[test]
fn the_rules_notice_every_form_of_an_import() {
    for (code, used) in [
        ("use crate::config::Config;", "config"),
        ("use crate::{\n    apc::{self, X},\n    tools,\n};", "tools"),
        ("let x = crate::tools::place();", "tools"),
        ("use super::super::tools;", "tools"),
    ] {
        let file = Source {
            path: "guards/secret.rs".to_owned(),
            text: code.to_owned(),
        };
        assert!(file.uses().contains(used), "{code}");
        assert!(!strangers(&file).is_empty(), "{code}");
    }
    let comment = Source {
        path: "cli.rs".to_owned(),
        text: "// crate::tools\nfn a() {}\n#[cfg(test)]\nmod tests { use crate::tools; }"
            .to_owned(),
    };
    assert!(strangers(&comment).is_empty());
}

#[test]
fn every_room_is_on_the_map_of_the_crate() {
    let map = read("src/lib.rs");
    for file in sources() {
        let room = file.room();
        let is_door = matches!(room, "lib" | "main");
        assert!(
            is_door || map.contains(&format!("[`{room}`]")),
            "src/lib.rs shows no room {room}: add it to the table in the crate's documentation"
        );
    }
}

#[test]
fn every_file_begins_with_its_purpose() {
    for file in sources() {
        assert!(
            file.text.starts_with("//! "),
            "src/{} does not begin with a line of `//!` that says what it is for",
            file.path
        );
    }
}

#[test]
fn graphql_documents_live_in_one_folder() {
    let folder = root().join("src");
    for path in files_below(&folder) {
        let path = below(&folder, &path);
        let at_home = is_at_home(&path, &["apc/documents/"]);
        assert!(
            !path.ends_with(".graphql") || at_home,
            "src/{path}: GraphQL lives in src/apc/documents/"
        );
    }
}

#[test]
fn the_changelog_has_a_section_for_this_version() {
    let heading = format!("## {}", env!("CARGO_PKG_VERSION"));
    let changelog = read("CHANGELOG.md");
    let newest = changelog.lines().find(|line| line.starts_with("## "));
    assert!(
        newest.is_some_and(|line| line == heading || line.starts_with(&format!("{heading} "))),
        "the newest section of CHANGELOG.md is {newest:?}, and Cargo.toml has {heading}: write down what users notice"
    );
}

fn help() -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_apc-mcp"))
        .arg("--help")
        .output();
    String::from_utf8(program.unwrap().stdout).unwrap()
}

/// The part of a document below a heading, up to the next.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let below = document.split(&format!("\n## {heading}\n")).nth(1);
    let below = below.unwrap_or_else(|| panic!("README.md has no section {heading}"));
    below.split("\n## ").next().unwrap()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-')
}

fn flags(text: &str) -> BTreeSet<&str> {
    words(text)
        .filter(|word| word.starts_with("--") && word.len() > 3)
        .collect()
}

fn variables(text: &str) -> BTreeSet<&str> {
    words(text)
        .filter(|word| word.starts_with("APC_") || word.starts_with("ASTRO_"))
        .collect()
}

#[test]
fn the_readme_and_the_help_have_the_same_settings() {
    let (readme, help) = (read("README.md"), help());
    let rows = section(&readme, "Settings")
        .lines()
        .filter(|line| line.starts_with("| "));
    let columns: Vec<Vec<&str>> = rows.map(|row| row.split('|').collect()).collect();
    let named: String = columns.iter().map(|cells| cells[1]).collect();
    let read: String = columns.iter().map(|cells| cells[2]).collect();

    let entries = help
        .lines()
        .filter(|line| line.trim_start().starts_with("--"));
    let offered: String = entries.collect::<Vec<_>>().join("\n");
    let change = "change src/config/setting.rs or the table under Settings in README.md";
    assert_eq!(flags(&named), flags(&offered), "{change}");
    assert_eq!(variables(&read), variables(&help), "{change}");
}

#[test]
fn every_setting_that_the_code_names_is_one_of_the_help() {
    let help = help();
    // A variable and flags of the astro CLI and of clients, and those of single commands.
    let others = BTreeSet::from([
        "ASTRO_HOME",
        "--scope",
        "--port",
        "--env",
        "--add-mcp",
        "--all",
        "--json",
        "--write",
        "--yes",
        "--background",
    ]);
    let settings: BTreeSet<_> = &(&flags(&help) | &variables(&help)) | &others;
    for file in sources() {
        let code = file.code();
        let named = &flags(&code) | &variables(&code);
        let unknown: Vec<_> = named.difference(&settings).collect();
        assert!(
            unknown.is_empty(),
            "src/{} names {unknown:?}, which is no setting",
            file.path
        );
    }
}

#[test]
fn the_readme_and_the_help_have_the_same_commands() {
    let (readme, help) = (read("README.md"), help());
    let rows = section(&readme, "Commands")
        .lines()
        .filter_map(|line| line.strip_prefix("| `apc-mcp "));
    let told: BTreeSet<_> = rows.map(name).collect();
    let list = help.split("\nCommands:\n").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let mut offered: BTreeSet<_> = list.lines().map(name).collect();
    offered.remove("help");
    assert_eq!(told, offered, "the table under Commands in README.md");
}

fn documents() -> Vec<String> {
    let mut found: Vec<_> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    if root().join("docs").is_dir() {
        found.extend(files_below(&root().join("docs")));
    }
    let texts = found
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    texts.map(|path| below(&root(), path)).collect()
}

/// The anchors of a document's headings, as they are made on the web.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|title| {
            let kept = title
                .chars()
                .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let documents = documents();
    for known in ["README.md", "CONTRIBUTING.md", "SECURITY.md"] {
        assert!(documents.iter().any(|path| path == known), "{known}");
    }
    for path in documents {
        let text = read(&path);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let aim = match file {
                "" => root().join(&path),
                file => root().join(&path).parent().unwrap().join(file),
            };
            assert!(aim.exists(), "{path} links to {target}");
            let known =
                anchor.is_empty() || anchors(&fs::read_to_string(aim).unwrap()).contains(anchor);
            assert!(known, "{path} links to {target}");
        }
    }
}

/// The texts between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_security_policy_names_is_there() {
    let policy = read("SECURITY.md");
    let tests: Vec<_> = quoted(&policy)
        .filter_map(|text| text.split_once("::"))
        .collect();
    assert!(tests.len() > 20, "SECURITY.md names {}", tests.len());
    for (module, test) in tests {
        let file = read(&format!("tests/it/{module}.rs"));
        assert!(
            file.contains(&format!("fn {test}(")),
            "SECURITY.md names {module}::{test}, which is not there: name the test that holds the promise now"
        );
    }
}

#[test]
fn every_promise_of_the_readme_is_in_the_security_policy() {
    let (readme, policy) = (read("README.md"), read("SECURITY.md"));
    let promises = section(&readme, "What it will and will not do");
    let headings = promises
        .lines()
        .filter_map(|line| line.strip_prefix("**")?.split(".**").next());
    for heading in headings.filter(|heading| *heading != "What it does not do") {
        assert!(
            policy.contains(&format!("\n## {heading}\n")),
            "SECURITY.md has no section {heading}"
        );
    }
}
