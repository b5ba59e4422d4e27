//! What failed tests said, kept for the end of a run: a log is long, and who reads it may see its end only.

/// Lines of a panic that are kept beside its place.
const LINES: usize = 8;
/// Characters of one of them.
const LONGEST_LINE: usize = 400;

/// The panics so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Panics {
    /// Each with its place and its first lines.
    pub said: Vec<String>,
    /// How many more lines belong to the newest of them.
    to_come: usize,
}

impl Panics {
    /// Takes one line of output into account.
    pub fn read(&mut self, line: &str) {
        let shown: String = line.chars().take(LONGEST_LINE).collect();
        if line.contains("' panicked at ") || line.contains(") panicked at ") {
            self.said.push(shown);
            self.to_come = LINES;
        } else if self.to_come > 0 && !line.is_empty() {
            self.to_come -= 1;
            if let Some(panic) = self.said.last_mut() {
                panic.push('\n');
                panic.push_str(&shown);
            }
        } else {
            self.to_come = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_panic_are_kept_up_to_a_length() {
        let long = "x\n".repeat(20);
        let text = format!(
            "before\n\nthread 'a::one' (17) panicked at tests/a.rs:3:5:\nleft: 1\nright: 2\n\nafter\n\
             thread 'main' panicked at src/b.rs:1:1:\n{long}after\n"
        );
        let mut panics = Panics::default();
        text.lines().for_each(|line| panics.read(line));
        let panics = panics.said;
        assert_eq!(panics[0], "thread 'a::one' (17) panicked at tests/a.rs:3:5:\nleft: 1\nright: 2");
        assert_eq!(panics[1].lines().count(), 1 + LINES);
        assert_eq!(panics.len(), 2);
    }
}
