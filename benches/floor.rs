//! The least that a server over standard input and output can cost: canned answers, and no more.
//! Built by `cost.rs` with rustc alone; it has no dependency, and knows no JSON.

use std::io::{self, BufRead, Write};

const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"floor","version":"1"}}"#;
const TOOLS: &str = r#"{"tools":[{"name":"get_service_accounts","description":"List service accounts.","inputSchema":{"type":"object"}}]}"#;
const CALLED: &str = r#"{"content":[{"type":"text","text":"{\"service_accounts\":[],\"total\":0}"}],"structuredContent":{"service_accounts":[],"total":0}}"#;

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let Some(id) = id(&line) else { continue };
        let result = if line.contains("\"tools/call\"") {
            CALLED
        } else if line.contains("\"tools/list\"") {
            TOOLS
        } else {
            INITIALIZED
        };
        writeln!(output, r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)?;
        output.flush()?;
    }
    Ok(())
}

/// A notification has none.
fn id(line: &str) -> Option<&str> {
    let (_, id) = line.split_once(r#""id":"#)?;
    id.split([',', '}']).next()
}
