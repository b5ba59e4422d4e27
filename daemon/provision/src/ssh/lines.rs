//! Turns a stream of bytes into lines, in bounded memory.

/// A longer line is cut here: no program that we run has more to say in one.
const LONGEST_LINE: usize = 4096;

/// Collects bytes until a line is whole.
#[derive(Default)]
pub(super) struct LineBuffer {
    line: Vec<u8>,
}

impl LineBuffer {
    /// Takes bytes and gives every line that became whole. Empty lines are left out.
    pub(super) fn push(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n' || *byte == b'\r') {
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") || part.ends_with(b"\r") {
                self.flush(&mut on_line);
            }
        }
    }

    /// Gives what is left when the stream ends without a line feed.
    pub(super) fn flush(&mut self, mut on_line: impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim_end();
        if !text.is_empty() {
            on_line(text);
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            buffer.push(chunk, |line| lines.push(line.to_owned()));
        }
        buffer.flush(|line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn lines_come_whole_however_the_stream_is_cut() {
        assert_eq!(lines(&[b"one\ntw", b"o\r\n", b"\nthr", b"ee"]), ["one", "two", "three"]);
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_is_whole() {
        let endless = vec![b'x'; 10 * LONGEST_LINE];
        let lines = lines(&[&endless, &endless, b"\nnext\n"]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), LONGEST_LINE);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(lines(&[b"a\xff\xfeb\n"]), ["a\u{fffd}\u{fffd}b"]);
    }
}
