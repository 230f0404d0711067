//! Patterns of names.

/// Whether a name is of a pattern in which `*` is any text and `?` any one character.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // The last star, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, n) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_are_any_text_and_marks_any_character() {
        for (pattern, name) in [
            ("conv1", "conv1"),
            ("*", ""),
            ("conv*", "conv"),
            ("conv*", "conv2.1"),
            ("*.conv?", "layer1.0.conv2"),
            ("a*b*c", "a b b d c"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("conv1", "conv12"),
            ("conv?", "conv"),
            ("a*b*c", "a b d"),
            ("", "x"),
            ("*x", "xy"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        // Many stars take no exponential time.
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
    }
}
