//! Counts words.

#[homestar_sdk::tasks]
mod words {
    /// A word, and how often it stands there.
    #[derive(Debug, PartialEq)]
    pub struct Word {
        pub text: String,
        pub times: u32,
    }

    /// The most frequent words of `text`, `count` at most.
    pub fn top_words(text: &str, count: u32) -> Result<Vec<Word>, String> {
        let mut words: Vec<Word> = Vec::new();
        let text = text.to_lowercase();
        for text in text.split(|c: char| !c.is_alphanumeric()) {
            match words.iter_mut().find(|word| word.text == text) {
                _ if text.is_empty() => {}
                Some(word) => word.times += 1,
                None => words.push(Word {
                    text: text.into(),
                    times: 1,
                }),
            }
        }
        if words.is_empty() {
            return Err("there are no words".into());
        }
        words.sort_by_key(|word| std::cmp::Reverse(word.times));
        words.truncate(count as usize);
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::words::*;

    #[test]
    fn the_most_frequent_comes_first() {
        let words = top_words("To be, or not to be: to …", 2).unwrap();
        let words: Vec<_> = words.iter().map(|word| (&*word.text, word.times)).collect();
        assert_eq!(words, [("to", 3), ("be", 2)]);
    }

    #[test]
    fn without_words_there_is_no_answer() {
        assert_eq!(top_words("?!", 1), Err("there are no words".into()));
    }
}
