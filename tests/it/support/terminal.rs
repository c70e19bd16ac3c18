//! A terminal of a given width, with a person at it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::task::JoinHandle;

/// Both ends of a terminal: the person's, and the program's.
pub struct Terminal {
    person: File,
    program: File,
}

impl Terminal {
    pub fn open(columns: u16) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let program = OpenOptions::new()
            .read(true)
            .write(true)
            // Or it would become the terminal of the tests themselves.
            .custom_flags(OpenptFlags::NOCTTY.bits().try_into().unwrap())
            .open(name.into_string().unwrap())
            .unwrap();
        Self {
            person: File::from(terminal),
            program,
        }
    }

    /// The program's end, for one of its streams.
    pub fn end(&self) -> File {
        self.program.try_clone().unwrap()
    }

    /// Has a person read all that is shown, until no program holds the other end any more.
    pub fn read(self) -> JoinHandle<String> {
        tokio::task::spawn_blocking(move || talk(self.person, None))
    }

    /// The same, with something done at the end of these words.
    pub fn when_shown(
        self,
        words: &str,
        act: impl Fn(&mut File) + Send + 'static,
    ) -> JoinHandle<String> {
        let words = words.to_owned();
        tokio::task::spawn_blocking(move || talk(self.person, Some((words, &act))))
    }
}

/// Types a line.
pub fn typed(line: &str) -> impl Fn(&mut File) + Send + 'static {
    let line = format!("{line}\n");
    move |terminal| terminal.write_all(line.as_bytes()).unwrap()
}

/// Something to do once these words are shown.
type Cue<'a> = (String, &'a dyn Fn(&mut File));

fn talk(mut terminal: File, mut waiting: Option<Cue<'_>>) -> String {
    let (mut shown, mut part) = (String::new(), [0; 1024]);
    // A terminal that nobody holds any more is an error to read on Linux.
    while let Ok(length @ 1..) = terminal.read(&mut part) {
        shown.push_str(&String::from_utf8_lossy(&part[..length]));
        let is_shown = |(words, _): &mut Cue<'_>| shown.contains(words.as_str());
        if let Some((_, act)) = waiting.take_if(is_shown) {
            act(&mut terminal);
        }
    }
    assert!(waiting.is_none(), "not asked: {shown}");
    shown
}
