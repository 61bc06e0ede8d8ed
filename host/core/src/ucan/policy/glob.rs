//! Texts with gaps: `*@example.com`.

use std::fmt;

/// A pattern for a whole text. `*` stands for any number of characters, `\*` for a star, all else for itself.
///
/// The pattern is split at its stars once; matching looks for each piece behind the one before, and so takes
/// time in proportion to the text, however many stars there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Glob {
    /// What the text begins with.
    first: Box<str>,
    /// What follows behind each star. Empty if there is no star.
    rest: Box<[Box<str>]>,
}

impl Glob {
    /// Reads a pattern. Every text is one.
    pub(super) fn new(pattern: &str) -> Self {
        let mut pieces = vec![String::new()];
        let mut left = pattern;
        while let Some(c) = left.chars().next() {
            let piece = pieces.last_mut().expect("there is always one");
            if let Some(behind) = left.strip_prefix("\\*") {
                piece.push('*');
                left = behind;
                continue;
            }
            match c {
                '*' => pieces.push(String::new()),
                c => piece.push(c),
            }
            left = &left[c.len_utf8()..];
        }
        let first = pieces.remove(0).into();
        let rest = pieces.into_iter().map(Into::into).collect();
        Self { first, rest }
    }

    /// True if the pattern fits the whole text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((last, between)) = self.rest.split_last() else {
            return text == &*self.first;
        };
        // An empty piece always fits. It is not compared, since it points nowhere, and to read nothing from
        // there takes some processors a hundred nanoseconds.
        let mut left = text;
        if !self.first.is_empty() {
            let Some(behind) = text.strip_prefix(&*self.first) else {
                return false;
            };
            left = behind;
        }
        // The first place where a piece fits leaves the most for what follows.
        for piece in between.iter().filter(|piece| !piece.is_empty()) {
            match left.find(&**piece) {
                Some(at) => left = &left[at + piece.len()..],
                None => return false,
            }
        }
        last.is_empty() || left.ends_with(&**last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.replace('*', "\\*"))?;
        for piece in &*self.rest {
            write!(f, "*{}", piece.replace('*', "\\*"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By trying everything.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['\\', '*', rest @ ..] => text.first() == Some(&'*') && slowly(rest, &text[1..]),
            ['*', rest @ ..] => (0..=text.len()).any(|skip| slowly(rest, &text[skip..])),
            [c, rest @ ..] => text.first() == Some(c) && slowly(rest, &text[1..]),
        }
    }

    #[test]
    fn the_examples_of_the_specification() {
        let glob = Glob::new(r"Alice\*, Bob*, Carol.");
        for (text, fits) in [
            ("Alice*, Bob, Carol.", true),
            ("Alice*, Bob, Dan, Erin, Carol.", true),
            ("Alice*, Bob  , Carol.", true),
            ("Alice*, Bob*, Carol.", true),
            ("Alice*, Bob, Carol", false),
            ("Alice*, Bob*, Carol!", false),
            ("Alice, Bob, Carol.", false),
            ("Alice Cooper, Bob, Carol.", false),
            (" Alice*, Bob, Carol. ", false),
        ] {
            assert_eq!(glob.matches(text), fits, "{text}");
        }
    }

    #[test]
    fn edges() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "é", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab*b", "ab", false),
            (r"\", r"\", true),
            (r"\\*", r"\*", true),
            (r"\\*", r"\x", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        // By trying everything this takes longer than the world is old.
        let glob = Glob::new(&"a*".repeat(500));
        assert!(!glob.matches(&"a".repeat(499)));
        assert!(!Glob::new(&format!("{}b", "a*".repeat(100))).matches(&"a".repeat(100_000)));
    }

    proptest! {
        #[test]
        fn as_by_trying_everything(pattern in r"[ab*\\]{0,8}", text in r"[ab*\\]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let glob = Glob::new(&pattern);
            prop_assert_eq!(glob.matches(&text), slowly(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn what_is_read_is_written(pattern: String, stars in r"[a*\\]{0,9}") {
            for pattern in [pattern, stars] {
                let glob = Glob::new(&pattern);
                prop_assert_eq!(glob.to_string(), pattern);
            }
        }
    }
}
