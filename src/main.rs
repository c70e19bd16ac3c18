//! Parses, sets up the log, runs; holds the exit codes and nothing else.
fn main() {}
