//! The log, on standard error or in a file; standard output belongs to the protocol. No library logs.
//! Never waits for a reader: lines go through a bounded queue, and those that do not fit are dropped and counted.
//!
//! A thread of its own writes, because nothing else is safe: standard error is shared with other processes, so it cannot
//! be made non-blocking, and between a look at a pipe and the write somebody else may have filled it. The thread starts
//! with the first line: a server that has nothing to say has one thread.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use tracing::level_filters::LevelFilter as Level;

use crate::guards::regular_file;
use crate::guards::secret::Secrets;

/// The number of lines that wait at most.
const WAITING_MAX: usize = 256;

/// The time that the last lines have at the end of the process.
const LAST_LINES: Duration = Duration::from_millis(250);

/// A log that was started. Dropping it gives the last lines a moment to be written.
#[must_use]
pub struct Log(Arc<Writer>);

/// Starts the log, and logs panics from then on. If the file cannot be opened, it says so and logs on standard error.
pub fn start(level: Level, file: Option<&Path>, secrets: &Secrets) -> (Log, io::Result<()>) {
    let (file, opened) = match file.map(regular_file::append).transpose() {
        Ok(file) => (file.map(Arc::new), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let writer = Arc::new(Writer {
        file,
        secrets: secrets.clone(),
        thread: Mutex::default(),
        dropped: Arc::default(),
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Arc::clone(&writer));
    // A test may start a second log in one process; the first one stays.
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(Targets::new().with_target(env!("CARGO_CRATE_NAME"), level))
        .try_init();
    log_panics();
    (Log(writer), opened)
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish(LAST_LINES);
    }
}

/// Logs the place of a panic and not its message, which may hold anything, secrets included.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.unwrap_or_default(), "a fault of this server");
    }));
}

/// Writes to the file, or to standard error. Nobody is left to be told of a log that cannot be written.
fn write(mut file: Option<&File>, line: &str) {
    let _ = match &mut file {
        Some(file) => file.write_all(line.as_bytes()),
        None => io::stderr().write_all(line.as_bytes()),
    };
}

/// The queue before the thread that writes. It takes secrets out of every line.
struct Writer {
    file: Option<Arc<File>>,
    secrets: Secrets,
    thread: Mutex<Option<WriterThread>>,
    dropped: Arc<AtomicU64>,
}

struct WriterThread {
    lines: SyncSender<String>,
    /// Disconnected when the thread has written everything.
    ended: Receiver<()>,
}

impl Writer {
    /// Hands a line to the thread, or counts it as dropped.
    fn hand_over(&self, line: String) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            *thread = self.start().ok();
        }
        let taken = thread.as_ref().map(|thread| thread.lines.try_send(line));
        if !matches!(taken, Some(Ok(()))) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn start(&self) -> io::Result<WriterThread> {
        let (lines, waiting) = sync_channel::<String>(WAITING_MAX);
        let (running, ended) = sync_channel::<()>(0);
        let (file, dropped) = (self.file.clone(), Arc::clone(&self.dropped));
        let write_all = move || {
            let _running = running;
            for line in waiting {
                write(file.as_deref(), &line);
                let missing = dropped.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    write(file.as_deref(), &gap(missing));
                }
            }
        };
        let thread = thread::Builder::new().name("log".to_owned());
        thread.spawn(write_all)?;
        Ok(WriterThread { lines, ended })
    }

    /// Waits until everything is written, but not longer than this.
    fn finish(&self, longest: Duration) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(WriterThread { lines, ended }) = thread.take() {
            drop(lines);
            let _ = ended.recv_timeout(longest);
        }
    }
}

/// The line that stands for dropped ones, in the form of the others.
fn gap(missing: u64) -> String {
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    format!(
        "{time}  WARN {}: lines of the log were dropped, because nobody read it missing={missing}\n",
        module_path!()
    )
}

impl Write for &Writer {
    /// The formatter hands over one whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.hand_over(self.secrets.scrub_foreign(&text));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
            let (_log, opened) = start(Level::WARN, Some(&path), &Secrets::default());
            opened.unwrap_err();
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
