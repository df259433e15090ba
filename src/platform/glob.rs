//! Patterns with `*`: for allowed origins, and for the names of channels.

/// A pattern in which `*` stands for any run of characters, also none. Everything else stands for itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glob(String);

impl Glob {
    /// Every string is a pattern.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_string())
    }

    /// Whether the pattern covers all of `text`. Takes at most pattern times text steps.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on when what follows the last star does not fit: after that star, one character later.
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, t));
                    p += 1;
                }
                Some(c) if *c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => match star {
                    Some((after, from)) => {
                        star = Some((after, from + 1));
                        p = after;
                        t = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|c| *c == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "a", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-b-c", true),
            ("*ab", "aab", true),
            ("**a", "ba", true),
            ("chat:*", "chat:1", true),
            ("chat:*", "chats", false),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_does_not_take_for_ever() {
        let pattern = Glob::new(&"a*".repeat(50));
        assert!(!pattern.matches(&format!("{}b", "c".repeat(20_000))));
        assert!(!Glob::new("*a*a*a*a*a*b").matches(&"a".repeat(20_000)));
    }
}
