//! Names of WIT as languages have them.

use std::collections::HashSet;

/// Tells whether a text is made as names of WIT are, in any case, so that each language has a form of it.
pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(['-', '_'])
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
}

/// `top-words` as `top_words`.
pub(super) fn snake(name: &str) -> String {
    words(name).collect::<Vec<_>>().join("_")
}

/// `top-words` as `TOP_WORDS`.
pub(super) fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// `top-words` as `TopWords`.
pub(super) fn camel(name: &str) -> String {
    words(name).map(|word| capital(&word)).collect()
}

/// `top-words` as `topWords`.
pub(super) fn lower_camel(name: &str) -> String {
    let mut words = words(name);
    let first = words.next().unwrap_or_default();
    first + &words.map(|word| capital(&word)).collect::<String>()
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

/// Names that are taken, in one place of a text.
#[derive(Default)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// Takes `name`, with `_` behind it while it is taken.
    pub(super) fn take(&mut self, name: String) -> String {
        let mut name = name;
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_form_in_each_language() {
        assert_eq!(snake("top-words"), "top_words");
        assert_eq!(snake("HTTP-get"), "http_get");
        assert_eq!(constant("dark-grey"), "DARK_GREY");
        assert_eq!(camel("many-parameters"), "ManyParameters");
        assert_eq!(lower_camel("top-words"), "topWords");
        assert!(!is_word("2nd") && !is_word("") && !is_word("a b"));
    }

    #[test]
    fn a_name_that_is_taken_gets_a_mark() {
        let mut taken = Taken::new(["list"]);
        assert_eq!(taken.take("list".to_owned()), "list_");
        assert_eq!(taken.take("list".to_owned()), "list__");
        assert_eq!(taken.take("a".to_owned()), "a");
    }
}
