//! The most frequent words of several texts: `cargo run --example flow 'a text' 'and another'`.

mod component;

use std::env;

use homestar_sdk::flow::{Error, Task, Workflow, workflow};

fn main() -> Result<(), Error> {
    let mut texts: Vec<String> = env::args().skip(1).collect();
    if texts.is_empty() {
        texts = vec!["to be or not to be".into(), "let it be".into()];
    }
    let run = top_words(texts).run()?;
    for word in run.result {
        println!("{} {}", word.text, word.times);
    }
    Ok(())
}

fn top_words(texts: Vec<String>) -> Workflow<Task<Vec<component::Word>>> {
    workflow("top-words", || {
        // Each text is a task, and what it gives is passed on as a value would be.
        let counted: Vec<_> = texts.into_iter().map(component::words).collect();
        component::top(counted, 3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_a_task() {
        let file = top_words(vec!["a".into(), "b".into()]).json();
        for label in ["\"words\"", "\"words-2\"", "\"top\""] {
            assert!(file.contains(label), "{file}");
        }
    }
}
