//! Counts words. Each function is a task; `examples/flow` makes a workflow of them.

#[homestar_sdk::tasks]
mod words {
    /// A word, and how often it stands there.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Word {
        pub text: String,
        pub times: u32,
    }

    /// The words of `text`.
    pub fn words(text: &str) -> Vec<Word> {
        let text = text.to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric());
        let one = |text: &str| Word {
            text: text.into(),
            times: 1,
        };
        merged(words.filter(|text| !text.is_empty()).map(one))
    }

    /// The most frequent words of several texts, `count` at most.
    pub fn top(counted: Vec<Vec<Word>>, count: u32) -> Result<Vec<Word>, String> {
        let mut words = merged(counted.into_iter().flatten());
        if words.is_empty() {
            return Err("there are no words".into());
        }
        words.sort_by_key(|word| std::cmp::Reverse(word.times));
        words.truncate(count as usize);
        Ok(words)
    }

    fn merged(words: impl Iterator<Item = Word>) -> Vec<Word> {
        let mut merged: Vec<Word> = Vec::new();
        for word in words {
            match merged.iter_mut().find(|known| known.text == word.text) {
                Some(known) => known.times += word.times,
                None => merged.push(word),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::words::*;

    #[test]
    fn the_most_frequent_comes_first() {
        let counted = vec![words("To be, or"), words("be")];
        let top: Vec<_> = top(counted, 2).unwrap();
        let top: Vec<_> = top.iter().map(|word| (&*word.text, word.times)).collect();
        assert_eq!(top, [("be", 2), ("to", 1)]);
    }

    #[test]
    fn without_words_there_is_no_answer() {
        assert_eq!(top(vec![], 1), Err("there are no words".into()));
    }
}
