//! The log, on standard error or in a file; standard output belongs to the protocol. No library logs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use tracing::level_filters::LevelFilter as Level;

use crate::guards::regular_file;
use crate::guards::secret::Secrets;

/// Starts the log, and logs panics from then on. A log file that cannot be opened leaves standard error.
///
/// # Errors
/// The file cannot be opened.
pub fn start(level: Level, file: Option<&Path>, secrets: &Secrets) -> io::Result<()> {
    let file = file.map(regular_file::append).transpose();
    let (sink, opened) = match file {
        Ok(Some(file)) => (Sink::File(Arc::new(file)), Ok(())),
        Ok(None) => (Sink::Stderr, Ok(())),
        Err(error) => (Sink::Stderr, Err(error)),
    };
    let secrets = secrets.clone();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Scrubbing { sink, secrets });
    // A test may start a second log in one process; the first one stays.
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(Targets::new().with_target(env!("CARGO_CRATE_NAME"), level))
        .try_init();
    log_panics();
    opened
}

/// Logs the place of a panic and not its message, which may hold anything, secrets included.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.unwrap_or_default(), "a fault of this server");
    }));
}

#[derive(Clone)]
enum Sink {
    Stderr,
    File(Arc<File>),
}

/// A writer that takes secrets out of every line.
#[derive(Clone)]
struct Scrubbing {
    sink: Sink,
    secrets: Secrets,
}

impl Write for Scrubbing {
    /// The formatter hands over one whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let clean = self.secrets.scrub(&text);
        match &self.sink {
            Sink::Stderr => io::stderr().write_all(clean.as_bytes())?,
            Sink::File(file) => (&**file).write_all(clean.as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Scrubbing {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_panic_is_logged_without_its_message_although_the_log_file_is_broken() {
        const INNER: &str = "APC_MCP_TEST_INNER";
        if std::env::var_os(INNER).is_some() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("missing/log");
            start(Level::WARN, Some(&path), &Secrets::default()).unwrap_err();
            panic!("the message");
        }
        // The hook belongs to the whole process, so the panic needs a process of its own.
        let test = std::thread::current().name().unwrap().to_owned();
        let inner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", &test])
            .env(INNER, "1")
            .output()
            .unwrap();
        let stderr = String::from_utf8(inner.stderr).unwrap();
        assert!(stderr.contains("a fault of this server"), "{stderr}");
        assert!(!stderr.contains("the message"), "{stderr}");
    }
}
