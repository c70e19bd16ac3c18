//! Has the linker lay the functions that a session runs side by side, in the order of `src/order.txt`. The system maps a
//! file in pieces, so what lies between them would take memory in every idle server.

use std::path::PathBuf;
use std::{env, fs, io};

const ORDER: &str = "src/order.txt";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ORDER}");
    if is_released() && has_usual_linker() {
        let script = PathBuf::from(variable("OUT_DIR")).join("order.ld");
        fs::write(&script, linker_script(&fs::read_to_string(ORDER)?))?;
        println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    }
    Ok(())
}

/// What people run every day is linked as it comes.
fn is_released() -> bool {
    variable("PROFILE") == "release"
}

/// Both rustc's own lld and GNU ld read the script. Of a linker that somebody has chosen nothing is known.
fn has_usual_linker() -> bool {
    let chosen = env::var_os("RUSTC_LINKER").is_some()
        || variable("CARGO_ENCODED_RUSTFLAGS").contains("link");
    variable("CARGO_CFG_TARGET_OS") == "linux" && !chosen
}

/// A section of its own for the functions, before all others.
fn linker_script(order: &str) -> String {
    let names = order
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let sections: String = names.map(|name| format!("    *(.text.{name})\n")).collect();
    format!("SECTIONS {{\n  .text.session : {{\n{sections}  }}\n}}\nINSERT BEFORE .text;\n")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
