//! Which known word was meant by one that is not known.

/// Words that are less alike than this are not the same word mistyped.
const ALIKE: f64 = 0.6;

/// The known word that is most like this one, whatever its case, if one is like it at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&word, &known.to_lowercase());
    let rated = known.into_iter().map(|known| (likeness(known), known));
    let best = rated.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["published", "replicas", "memory"];
        assert_eq!(nearest("repliacs", known), Some("replicas"));
        assert_eq!(nearest("publish", known), Some("published"));
        assert_eq!(nearest("Memory", known), Some("memory"));
        assert_eq!(nearest("volume", known), None);
    }
}
