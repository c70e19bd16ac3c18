//! Lines of a stream, of bounded length.
//! Knows nothing of the messages in them.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// The longest line that is read, in bytes, without its line feed.
pub const LINE_MAX: usize = 4 * 1024 * 1024;

/// The length of the part of an oversized line that is kept, in bytes. Most ids stand there.
const BEGINNING: usize = 4096;

/// A line.
pub enum Line {
    /// A whole line, with its line feed. The last line may have none.
    Whole(Vec<u8>),
    /// The beginning of a line that is longer than [`LINE_MAX`].
    Oversized(Vec<u8>),
    /// The input has ended.
    End,
}

/// Reads a stream line by line.
pub struct Lines<R> {
    input: BufReader<R>,
    /// The bytes of the line so far.
    line: Vec<u8>,
    /// The beginning of an oversized line, while the rest of it is skipped.
    oversized: Option<Vec<u8>>,
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
    pub async fn next(&mut self) -> io::Result<Line> {
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
    fn accept(&mut self, is_complete: bool) -> Option<Line> {
        if self.oversized.is_none() && self.line.len() > LINE_MAX && !is_complete {
            self.oversized = Some(self.line.iter().copied().take(BEGINNING).collect());
        }
        if self.oversized.is_some() {
            self.line.clear();
        }
        if !is_complete {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        Some(match self.oversized.take() {
            Some(beginning) => Line::Oversized(beginning),
            None if line.is_empty() => Line::End,
            None => Line::Whole(line),
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
            let (kind, bytes) = match lines.next().await.unwrap() {
                Line::Whole(line) => ("whole", line),
                Line::Oversized(beginning) => ("oversized", beginning),
                Line::End => return found,
            };
            found.push(format!("{kind} {}", bytes.len()));
        }
    }

    #[tokio::test]
    async fn a_line_of_the_greatest_length_is_read_and_a_longer_one_is_not() {
        let longest = [vec![b'x'; LINE_MAX], vec![b'\n']].concat();
        assert_eq!(lines(&longest).await, [format!("whole {}", LINE_MAX + 1)]);
        let longer = [&b"x"[..], &longest, b"y\n"].concat();
        let expected = ["oversized 4096", "whole 2"];
        assert_eq!(lines(&longer).await, expected);
    }

    #[tokio::test]
    async fn a_last_line_without_a_line_feed_is_a_line() {
        assert_eq!(lines(b"a\nbc").await, ["whole 2", "whole 2"]);
        let longer = vec![b'x'; 3 * LINE_MAX];
        assert_eq!(lines(&longer).await, ["oversized 4096"]);
    }
}
