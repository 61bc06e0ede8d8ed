//! Counts words and lines.

use std::cmp::Reverse;
use std::collections::BTreeMap;

wit_bindgen::generate!();

struct Text;

impl Guest for Text {
    fn word_counts(text: String) -> Vec<(String, u64)> {
        let mut counts = BTreeMap::new();
        for word in words(&text) {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| Reverse(*count)); // stable: words stay in order
        counts
    }

    fn word_count(text: String) -> u64 {
        words(&text).count() as u64
    }

    fn line_count(text: String) -> u64 {
        text.lines().count() as u64
    }

    fn longest_word(text: String) -> Option<String> {
        words(&text)
            .rev()
            .max_by_key(|word| word.chars().count())
            .map(String::from)
    }

    fn sum(counts: Vec<u64>) -> u64 {
        counts.into_iter().fold(0, u64::saturating_add)
    }
}

/// The words of `text`, in order.
fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
}

export!(Text);
