//! A server as its client has it: two pipes and a process, and what the system knows of that.
//! Reads of an answer only what tells that it is one.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// The path at which cargo puts the executable.
const BUILT: &str = env!("CARGO_BIN_EXE_apc-mcp");

/// Builds the server as it is released and copies it into the directory. A build for benchmarks also has the features that
/// tests need.
pub fn build_released(directory: &Path) -> io::Result<PathBuf> {
    let target = Path::new(BUILT).ancestors().nth(2);
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--bin", "apc-mcp"])
        .arg("--target-dir")
        .arg(target.ok_or(io::ErrorKind::NotFound)?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !status.success() {
        return Err(io::Error::other("the server does not build"));
    }
    copied(Path::new(BUILT), directory)
}

/// Copies an executable into the directory. A file that a linker has just written starts slower than a copy, which is what
/// people install.
pub fn copied(executable: &Path, directory: &Path) -> io::Result<PathBuf> {
    let copy = directory.join("apc-mcp");
    fs::copy(executable, &copy)?;
    Ok(copy)
}

/// An executable and all the environment that it gets.
pub struct Program {
    path: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Program {
    /// A program that gets no environment.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            environment: Vec::new(),
        }
    }

    /// The program with a variable more.
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Starts it; nothing has been said yet.
    pub fn start(&self) -> io::Result<Session> {
        let mut child = Command::new(&self.path)
            .env_clear()
            .envs(
                self.environment
                    .iter()
                    .map(|(name, value)| (name, OsStr::new(value))),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Session {
            child,
            input,
            output: BufReader::with_capacity(64 * 1024, output),
            line: String::new(),
            asked: 0,
        })
    }

    /// Starts it and opens the session.
    pub fn open(&self) -> io::Result<Session> {
        let mut session = self.start()?;
        session.initialize()?;
        Ok(session)
    }
}

/// A running server.
pub struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
    asked: u64,
}

/// The end of a process.
pub struct End {
    /// From the end of its input.
    pub took: Duration,
    /// All the processor time of its life.
    pub cpu: Duration,
}

impl Session {
    /// Opens the session.
    pub fn initialize(&mut self) -> io::Result<()> {
        self.send("initialize", r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"cost","version":"1"}}"#)?;
        self.answer()?;
        self.input
            .write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n")
    }

    /// The whole answer to a request.
    pub fn ask(&mut self, method: &str, params: &str) -> io::Result<&str> {
        self.send(method, params)?;
        self.answer()
    }

    /// The whole answer to a call of `get_service_accounts`.
    pub fn call(&mut self, arguments: &str) -> io::Result<&str> {
        self.ask("tools/call", &to_get(arguments))
    }

    /// Makes so many calls and keeps as many under way as said, until all are answered.
    pub fn calls(&mut self, arguments: &str, number: u32, in_flight: u32) -> io::Result<()> {
        let params = to_get(arguments);
        for _ in 0..in_flight {
            self.send("tools/call", &params)?;
        }
        for answered in 1..=number {
            self.answer()?;
            if answered <= number - in_flight {
                self.send("tools/call", &params)?;
            }
        }
        Ok(())
    }

    /// Ends its input and waits until it is gone.
    pub fn end(mut self) -> io::Result<End> {
        let pid = Pid::from_child(&self.child);
        let since = Instant::now();
        drop(self.input);
        // Not reaped yet: what it cost can still be read.
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        let took = since.elapsed();
        let cpu = cpu(self.child.id())?;
        self.child.wait()?;
        Ok(End { took, cpu })
    }

    /// The processor time so far. That of one thread: there is no other, as the table shows.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu(self.child.id())
    }

    /// A number of `/proc/<pid>/status`.
    pub fn status(&self, name: &str) -> io::Result<f64> {
        self.number_in("status", name)
    }

    /// A number of `/proc/<pid>/smaps_rollup`, which is exact where that of status is not.
    pub fn memory(&self, name: &str) -> io::Result<f64> {
        self.number_in("smaps_rollup", name)
    }

    fn number_in(&self, file: &str, name: &str) -> io::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("no {name} in {file}")))
    }

    fn send(&mut self, method: &str, params: &str) -> io::Result<()> {
        self.asked += 1;
        let request = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"{method}\",\"params\":{params}}}\n",
            self.asked
        );
        self.input.write_all(request.as_bytes())
    }

    fn answer(&mut self) -> io::Result<&str> {
        self.line.clear();
        self.output.read_line(&mut self.line)?;
        if !self.line.contains(r#""result":"#) || self.line.contains(r#""isError":true"#) {
            return Err(io::Error::other(format!("no result: {}", self.line)));
        }
        Ok(&self.line)
    }
}

fn to_get(arguments: &str) -> String {
    format!(r#"{{"name":"get_service_accounts","arguments":{arguments}}}"#)
}

fn cpu(pid: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse().ok());
    nanoseconds
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("no schedstat"))
}
