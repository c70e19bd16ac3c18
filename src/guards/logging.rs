//! Tracing to standard error or a file, never to standard output, which belongs to the protocol.
//! Lets no library speak: at debug level rmcp and hyper would log whole messages, keys included.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::guards::secret::Secrets;

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(LevelFilter);

impl Default for Level {
    fn default() -> Self {
        Self(LevelFilter::WARN)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Level {
    /// The level of that name: off, error, warn, info, debug or trace.
    pub fn named(name: &str) -> Option<Self> {
        let named = matches!(name, "off" | "error" | "warn" | "info" | "debug" | "trace");
        named.then(|| name.parse().ok().map(Self)).flatten()
    }
}

/// Starts the log.
///
/// # Errors
/// The file cannot be opened.
pub fn start(level: Level, file: Option<&Path>, secrets: &Secrets) -> io::Result<()> {
    let sink = match file {
        Some(path) => Sink::File(Arc::new(open(path)?)),
        None => Sink::Stderr,
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Scrubbing {
            sink,
            secrets: secrets.clone(),
        });
    // A second log in one process is a test's business; the first one stays.
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(Targets::new().with_target(env!("CARGO_CRATE_NAME"), level.0))
        .try_init();
    // What a panic says may hold anything, secrets included, and would go to standard error as it is.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a fault of this server");
    }));
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[derive(Clone)]
enum Sink {
    Stderr,
    File(Arc<File>),
}

/// Takes secrets out of every line on its way.
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
