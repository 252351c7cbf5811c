//! "Did you mean …?" for names that are not known.

/// At most so many names are suggested.
const MOST: usize = 3;

/// The names closest to a word that is none of them, the closest first; empty if none is close.
pub fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let upper = word.to_ascii_uppercase();
    // One mistake in four letters is still the same word.
    let reach = (word.len() / 4).clamp(1, 4);
    let near = names.filter(|name| name.len().abs_diff(upper.len()) <= reach);
    let distances = near.map(|name| (strsim::damerau_levenshtein(&upper, &name.to_ascii_uppercase()), name));
    let mut close: Vec<_> = distances.filter(|(distance, _)| *distance <= reach).collect();
    close.sort_unstable();
    close.dedup();
    let nearest = close.first().map_or(0, |(distance, _)| *distance);
    close
        .into_iter()
        .filter(|(distance, _)| *distance <= nearest + 1)
        .map(|(_, name)| name)
        .take(MOST)
        .collect()
}

/// ``; did you mean `A`, `B`?``, or nothing.
pub fn did_you_mean<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    let close = closest(word, names);
    if close.is_empty() { String::new() } else { format!("; did you mean `{}`?", close.join("`, `")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["TCGETS", "TCSETS", "TIOCGWINSZ", "VIDIOC_QBUF", "struct winsize"];

    #[test]
    fn the_closest_come_first() {
        let close = |word| closest(word, NAMES.into_iter());
        assert_eq!(close("TCGTES"), ["TCGETS"]);
        assert_eq!(close("tcets"), ["TCGETS", "TCSETS"]);
        assert_eq!(close("struct winsiz"), ["struct winsize"]);
        assert!(close("X").is_empty() && close("NOTHING_LIKE_IT").is_empty());
        assert_eq!(did_you_mean("TIOCGWINZ", NAMES.into_iter()), "; did you mean `TIOCGWINSZ`?");
        assert_eq!(did_you_mean("", NAMES.into_iter()), "");
    }
}
