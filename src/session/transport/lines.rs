//! Lines of a stream, of bounded length.
//! Knows nothing of the messages in them.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// The longest line that is read, in bytes, without its line feed.
pub const LINE_MAX: usize = 4 * 1024 * 1024;

/// The length of each part of an oversized line that is kept, in bytes. Ids stand in one of them.
const KEPT: usize = 4096;

/// A line.
pub enum InputLine {
    /// A whole line, with its line feed. The last line may have none.
    Whole(Vec<u8>),
    /// A line that is longer than [`LINE_MAX`].
    Oversized(OversizedLine),
    /// The input has ended.
    End,
}

/// The parts of an oversized line that are kept.
#[derive(Default)]
pub struct OversizedLine {
    /// The first bytes.
    pub beginning: Vec<u8>,
    /// The last bytes, with the line feed if there is one.
    pub end: Vec<u8>,
}

impl OversizedLine {
    /// Takes note of further bytes of the line.
    fn extend(&mut self, bytes: &[u8]) {
        let missing = KEPT - self.beginning.len();
        self.beginning.extend(bytes.iter().take(missing));
        self.end.extend(last(bytes));
        self.end = last(&self.end).to_vec();
    }
}

fn last(bytes: &[u8]) -> &[u8] {
    bytes.last_chunk::<KEPT>().map_or(bytes, |chunk| chunk)
}

/// Reads a stream line by line.
pub struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// The kept parts of an oversized line, while the rest of it is skipped.
    oversized: Option<OversizedLine>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of this stream.
    pub fn of(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            oversized: None,
        }
    }

    /// Reads the next line. A future that is dropped loses nothing: the bytes stay for the next one.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub async fn next(&mut self) -> io::Result<InputLine> {
        loop {
            let room = LINE_MAX + 1 - self.line.len();
            let mut input = (&mut self.input).take(room as u64);
            let read = input.read_until(b'\n', &mut self.line).await?;
            let is_complete = self.line.ends_with(b"\n") || read == 0;
            if let Some(line) = self.accept(is_complete) {
                return Ok(line);
            }
        }
    }

    /// Returns the line if the bytes so far complete one.
    fn accept(&mut self, is_complete: bool) -> Option<InputLine> {
        if self.oversized.is_none() && self.line.len() > LINE_MAX && !is_complete {
            self.oversized = Some(OversizedLine::default());
        }
        if let Some(oversized) = &mut self.oversized {
            oversized.extend(&self.line);
            self.line.clear();
        }
        if !is_complete {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        Some(match self.oversized.take() {
            Some(oversized) => InputLine::Oversized(oversized),
            None if line.is_empty() => InputLine::End,
            None => InputLine::Whole(line),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8]) -> Vec<String> {
        let mut lines = Lines::of(input);
        let mut found = Vec::new();
        loop {
            found.push(match lines.next().await.unwrap() {
                InputLine::Whole(line) => format!("whole {}", line.len()),
                InputLine::Oversized(parts) => {
                    format!("oversized {} {}", parts.beginning.len(), parts.end.len())
                }
                InputLine::End => return found,
            });
        }
    }

    #[tokio::test]
    async fn a_line_of_the_greatest_length_is_read_and_a_longer_one_is_not() {
        let longest = [vec![b'x'; LINE_MAX], vec![b'\n']].concat();
        assert_eq!(lines(&longest).await, [format!("whole {}", LINE_MAX + 1)]);
        let longer = [&b"x"[..], &longest, b"y\n"].concat();
        let expected = ["oversized 4096 4096", "whole 2"];
        assert_eq!(lines(&longer).await, expected);
    }

    #[tokio::test]
    async fn a_last_line_without_a_line_feed_is_a_line() {
        assert_eq!(lines(b"a\nbc").await, ["whole 2", "whole 2"]);
        let longer = vec![b'x'; 3 * LINE_MAX];
        assert_eq!(lines(&longer).await, ["oversized 4096 4096"]);
    }

    #[tokio::test]
    async fn the_ends_of_an_oversized_line_are_kept_wherever_it_is_cut() {
        for length in [
            LINE_MAX + 3,
            LINE_MAX + 2,
            LINE_MAX + 4000,
            2 * LINE_MAX + 3,
        ] {
            let line = [b"first", &vec![b'x'; length - 10][..], b"last\n", b"next\n"].concat();
            let mut lines = Lines::of(&line[..]);
            let InputLine::Oversized(parts) = lines.next().await.unwrap() else {
                panic!("{length} bytes are not too long")
            };
            assert!(parts.beginning.starts_with(b"firstx"), "{length}");
            assert!(parts.end.ends_with(b"xlast\n"), "{length}");
            assert!(parts.end.len() <= KEPT, "{length}");
        }
    }
}
