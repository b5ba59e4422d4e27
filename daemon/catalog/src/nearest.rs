//! Which known word was meant.

/// The candidate that is most like the word, if one is like it at all.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.6;
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["published", "replicas", "memory"];
        assert_eq!(nearest("repliacs", known.into_iter()), Some("replicas"));
        assert_eq!(nearest("publish", known.into_iter()), Some("published"));
        assert_eq!(nearest("volume", known.into_iter()), None);
    }
}
