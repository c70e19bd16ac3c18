//! Finds out which functions a session runs, and writes them to `src/order.txt`, in whose order the linker lays them:
//! `cargo bench --bench order -- --write`. It needs valgrind.
//!
//! Worth doing after a change of the compiler or of a library; a name that no longer exists does no harm.

// It is for people at a terminal, and what fails here fails before their eyes.
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

#[allow(dead_code, reason = "each benchmark needs its part of it")]
mod api;
#[allow(dead_code, reason = "each benchmark needs its part of it")]
mod session;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use api::{Api, FEW, TOKEN};
use session::{Program, Session};

const ORDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/order.txt");

const HEAD: &str = "# The functions that a session runs, side by side in the executable (build.rs).
# Written by: cargo bench --bench order -- --write
";

/// What a session goes on to do.
type Work = fn(&mut Session) -> io::Result<()>;

/// The parts of a session, each of which includes what comes before it.
const CHAPTERS: [(&str, Work); 3] = [
    ("the answer to initialize", |_| Ok(())),
    ("the list of tools", list),
    ("a call", call),
];

fn main() -> io::Result<()> {
    if !std::env::args().any(|argument| argument == "--write") {
        eprintln!(
            "Nothing is measured here. To renew src/order.txt: cargo bench --bench order -- --write"
        );
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let executable = session::build_released(
        directory.path(),
        &["--config", "profile.release.strip=false"],
    )?;
    let api = Api::start()?;
    let mut known = BTreeSet::new();
    let mut text = HEAD.to_owned();
    for (title, work) in CHAPTERS {
        let profile = directory.path().join("profile");
        let written_to = format!("--callgrind-out-file={}", profile.display());
        let program = Program::new(&executable)
            .under(
                "valgrind",
                &["--tool=callgrind", "--demangle=no", "-q", &written_to],
            )
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", directory.path().to_string_lossy())
            .env("APC_API_URL", api.url())
            .env("APC_API_TOKEN", TOKEN);
        let mut session = program.open()?;
        work(&mut session)?;
        session.end()?;
        let ran = functions(&profile)?;
        let new: BTreeSet<_> = ran.difference(&known).cloned().collect();
        let _ = write!(text, "\n# {title}\n");
        for name in &new {
            let _ = writeln!(text, "{name}");
        }
        known.extend(new);
    }
    fs::write(ORDER, text)
}

fn list(session: &mut Session) -> io::Result<()> {
    session.ask("tools/list", "{}").map(drop)
}

fn call(session: &mut Session) -> io::Result<()> {
    list(session)?;
    session
        .call(&format!(r#"{{"workspace_id":"{FEW}"}}"#))
        .map(drop)
}

/// The functions of a profile that are Rust's.
fn functions(profile: &Path) -> io::Result<BTreeSet<String>> {
    let text = fs::read_to_string(profile)?;
    let names = text.lines().filter_map(|line| {
        let function = line
            .strip_prefix("fn=")
            .or_else(|| line.strip_prefix("cfn="))?;
        pattern(function.split_once(' ')?.1)
    });
    Ok(names.collect())
}

/// The symbol as a pattern of the linker's: without what differs from one compiler to the next. In a generic function's
/// name that is all there is to tell its copies apart, so all of them are meant.
fn pattern(symbol: &str) -> Option<String> {
    if symbol.starts_with("_ZN") {
        // _ZN…17h<16 hexadecimal digits>E
        let (name, _hash) = symbol.rsplit_once("17h")?;
        return Some(format!("{name}17h*"));
    }
    // _R…Cs<number of the crate>_<its name>…
    let mut parts = symbol.strip_prefix("_R")?.split("Cs");
    let mut pattern = format!("_R{}", parts.next()?);
    for part in parts {
        match part.split_once('_') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                let _ = write!(pattern, "Cs*_{rest}");
            }
            _ => {
                let _ = write!(pattern, "Cs{part}");
            }
        }
    }
    Some(match pattern.split_once(['.', '\'']) {
        Some((name, _copy)) => format!("{name}*"),
        None => format!("{pattern}*"),
    })
}
