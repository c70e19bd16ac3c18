//! `apc-mcp sandbox --env`: a sandbox in a process of its own, and the lines by which a shell uses it.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apc_sandbox::{Line, Persona, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::commands::Failed;
use crate::commands::shell::quoted;
use crate::commands::terminal::{note, print};
use crate::config::setting::{API_TOKEN, API_URL, SANDBOX_LINE};

/// The beginning of the last line that the other process prints.
const LAST: &str = "# ";

/// The time between two looks at the session.
const LOOK: Duration = Duration::from_secs(2);

/// Starts the process and prints its lines. It shares no stream with this one, so that no reader waits for its end.
pub(super) fn start(port: u16, line: Line) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["sandbox", "--background", "--port"])
        .arg(port.to_string())
        .arg(format!("{}={line}", SANDBOX_LINE.name()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // An interruption of the shell is not meant for the sandbox.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    let lines = lines(&mut child)?;
    print(lines.join("\n"))?;
    let until = match leader() {
        Some(_) => "until this session ends, or",
        None => "until you end it",
    };
    let end = ending(child.id());
    Ok(note(format!(
        "A sandbox serves in the background {until}: {end}"
    ))?)
}

fn lines(child: &mut Child) -> Result<Vec<String>, Failed> {
    let mut lines = Vec::new();
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(BufRead::lines) {
        lines.push(line?);
        if lines.last().is_some_and(|line| line.starts_with(LAST)) {
            return Ok(lines);
        }
    }
    let words = child.stderr.take().map(io::read_to_string).transpose()?;
    let words = words.unwrap_or_default();
    let words = words.trim();
    Err(words.strip_prefix("apc-mcp: ").unwrap_or(words).into())
}

fn ending(id: u32) -> String {
    let program = if cfg!(windows) {
        "Stop-Process"
    } else {
        "kill"
    };
    format!("{program} {id}")
}

/// The lines that a shell evaluates.
pub(super) fn variables(sandbox: &Sandbox) -> String {
    let (url, token) = (sandbox.url(), sandbox.token(Persona::WorkspaceAdmin));
    let line = |name: &str, value: &str| match cfg!(windows) {
        true => format!("$env:{name} = {};", quoted(value)),
        false => format!("export {name}={};", quoted(value)),
    };
    format!(
        "{}\n{}\n{LAST}A sandbox of the Private Cloud API, as the workspace admin. To end it: {}",
        line(API_URL.variable(), &url),
        line(API_TOKEN.variable(), &token),
        ending(std::process::id())
    )
}

/// Waits for a signal, or for the end of the session in which this process was started.
pub(super) async fn until_the_session_ends(interrupted: &CancellationToken) {
    let leader = leader();
    loop {
        tokio::select! {
            () = interrupted.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if leader.is_some_and(|leader| !is_alive(leader)) {
            return;
        }
    }
}

#[cfg(unix)]
type SessionLeader = nix::unistd::Pid;

/// The process that leads the session, such as the shell of a terminal, if it lives.
#[cfg(unix)]
fn leader() -> Option<SessionLeader> {
    let leader = nix::unistd::getsid(None).ok();
    leader.filter(|leader| is_alive(*leader))
}

/// Tells if there is such a process. A leader outside this container has the id 0, under which nothing can be asked of it.
#[cfg(unix)]
fn is_alive(leader: SessionLeader) -> bool {
    leader.as_raw() != 0 && nix::sys::signal::kill(leader, None) != Err(nix::errno::Errno::ESRCH)
}

#[cfg(not(unix))]
type SessionLeader = std::convert::Infallible;

#[cfg(not(unix))]
fn leader() -> Option<SessionLeader> {
    None
}

#[cfg(not(unix))]
fn is_alive(leader: SessionLeader) -> bool {
    match leader {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_leader_outside_this_container_is_no_process_to_wait_for() {
        assert!(!is_alive(SessionLeader::from_raw(0)));
        assert!(is_alive(SessionLeader::this()));
    }
}
