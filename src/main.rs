//! The door. What is behind it is compiled with the library: an executable that polled the library's
//! futures itself would hold a second copy of each.

fn main() -> std::process::ExitCode {
    apc_mcp::commands::main()
}
