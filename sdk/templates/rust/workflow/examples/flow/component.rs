//! The functions of {{name}}.wasm, for workflows: made by `homestar bind`.

#![allow(dead_code, reason = "a workflow calls what it needs")]

use homestar_sdk::flow::{Arg, Component, Task};

const COMPONENT: Component = Component::new("{{name}}.wasm");

homestar_sdk::flow::record! {
    /// `word`
    Word {
        text: String as String,
        times: u32 as u32,
    }
}

/// `words: func(text: string) -> list<word>`
#[track_caller]
pub fn words(text: impl Into<Arg<String>>) -> Task<Vec<Word>> {
    COMPONENT.call("words", [text.into().into_node()])
}

/// `top: func(counted: list<list<word>>, count: u32) -> result<list<word>, string>`
#[track_caller]
pub fn top(
    counted: impl Into<Arg<Vec<Vec<Word>>>>,
    count: impl Into<Arg<u32>>,
) -> Task<Vec<Word>> {
    COMPONENT.call("top", [counted.into().into_node(), count.into().into_node()])
}
