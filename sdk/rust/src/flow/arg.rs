//! What is passed to a task: values, and what stands for them.

use std::marker::PhantomData;

use serde_json::Value as Json;

use super::content::{Content, Data, File, Link};
use super::task::{Any, Each, Key, Task};
use super::value::Value;

/// The key of what stands for the label of a task and not for what it gives.
pub(super) const LABEL: &str = "label";

/// An argument as it is written, with what stands for values in it.
#[derive(Clone, Debug)]
pub enum Node {
    /// A value.
    Json(Json),
    /// A list.
    List(Vec<Self>),
    /// A map.
    Map(Vec<(String, Self)>),
    /// One branch of what comes of a task, by its place in the workflow.
    #[doc(hidden)]
    Await {
        /// `await/ok`, `await/error` or `await/*`
        key: &'static str,
        /// Which workflow.
        flow: u64,
        /// Which task of it.
        task: usize,
    },
    /// What `for_each` is at.
    #[doc(hidden)]
    Each {
        /// `value` or `key`
        part: &'static str,
        /// Which `for_each`.
        each: u64,
    },
}

impl Node {
    /// Tells `visit` of all that stands for a value in it.
    pub(super) fn visit(&self, visit: &mut impl FnMut(&Self)) {
        match self {
            Self::Json(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.visit(visit)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(visit)),
            Self::Await { .. } | Self::Each { .. } => visit(self),
        }
    }

    /// As the file of a workflow has it, in which tasks have these labels.
    pub(super) fn written(&self, labels: &[String]) -> Json {
        match self {
            Self::Json(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.written(labels)).collect(),
            Self::Map(entries) => {
                let entries = entries.iter();
                entries
                    .map(|(key, value)| (key.clone(), value.written(labels)))
                    .collect()
            }
            // The label alone.
            Self::Await {
                key: LABEL, task, ..
            } => labels[*task].clone().into(),
            Self::Await { key, task, .. } => one(key, labels[*task].clone().into()),
            Self::Each { part, .. } => one("@each", (*part).into()),
        }
    }
}

pub(super) fn one(key: &str, value: Json) -> Json {
    Json::Object([(key.to_owned(), value)].into_iter().collect())
}

/// A value of type `T`, or what stands for it or for parts of it.
#[derive(Clone, Debug)]
pub struct Arg<T>(Node, PhantomData<fn() -> T>);

impl<T> Arg<T> {
    /// What `node` says, which has to be a value of this type.
    #[doc(hidden)]
    #[must_use]
    pub fn of(node: Node) -> Self {
        Self(node, PhantomData)
    }

    /// It as it is written.
    #[must_use]
    pub fn into_node(self) -> Node {
        self.0
    }
}

impl<T: Value> From<T> for Arg<T> {
    fn from(value: T) -> Self {
        Self::of(value.write())
    }
}

impl From<&str> for Arg<String> {
    fn from(text: &str) -> Self {
        Self::of(Node::Json(text.into()))
    }
}

/// What a task gives of this type can be passed where `U` is taken.
pub trait Fits<U> {}

impl<T: Fits<U>, U> From<Task<T>> for Arg<U> {
    fn from(task: Task<T>) -> Self {
        Self::of(task.node("await/ok"))
    }
}

impl<T: Fits<U>, U> From<&Task<T>> for Arg<U> {
    fn from(task: &Task<T>) -> Self {
        Self::of(task.node("await/ok"))
    }
}

impl<T: Fits<U>, U> From<Each<T>> for Arg<U> {
    fn from(each: Each<T>) -> Self {
        Self::of(each.node())
    }
}

impl<T: Fits<U>, U> From<&Each<T>> for Arg<U> {
    fn from(each: &Each<T>) -> Self {
        Self::of(each.node())
    }
}

// Whether these fit is known when the workflow is checked.

impl<T> From<Any> for Arg<T> {
    fn from(any: Any) -> Self {
        Self::of(any.node())
    }
}

impl<T> From<Key> for Arg<T> {
    fn from(key: Key) -> Self {
        Self::of(key.node())
    }
}

// Values with what stands for parts of them.

impl<T> From<Vec<Arg<T>>> for Arg<Vec<T>> {
    fn from(items: Vec<Arg<T>>) -> Self {
        Self::of(Node::List(items.into_iter().map(Arg::into_node).collect()))
    }
}

impl<T: Fits<U>, U> From<Vec<Task<T>>> for Arg<Vec<U>> {
    fn from(tasks: Vec<Task<T>>) -> Self {
        let items: Vec<Arg<U>> = tasks.into_iter().map(Arg::from).collect();
        items.into()
    }
}

impl<T, const COUNT: usize> From<[Arg<T>; COUNT]> for Arg<Vec<T>> {
    fn from(items: [Arg<T>; COUNT]) -> Self {
        Vec::from(items).into()
    }
}

impl<T, E> From<Result<Arg<T>, Arg<E>>> for Arg<Result<T, E>> {
    fn from(result: Result<Arg<T>, Arg<E>>) -> Self {
        let (key, node) = match result {
            Ok(value) => ("ok", value.into_node()),
            Err(error) => ("error", error.into_node()),
        };
        Self::of(Node::Map(vec![(key.to_owned(), node)]))
    }
}

impl Arg<Data> {
    /// A map of data and of what stands for some.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let entries = entries.into_iter();
        let entries = entries.map(|(key, value)| (key.to_owned(), value.into_node()));
        Self::of(Node::Map(entries.collect()))
    }

    /// A list of data and of what stands for some.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::of(Node::List(items.into_iter().map(Self::into_node).collect()))
    }
}

/// Some value, for a parameter that may have none.
pub fn some<T>(value: impl Into<Arg<T>>) -> Arg<Option<T>> {
    Arg::of(value.into().into_node())
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        impl<$($name),+> From<($(Arg<$name>,)+)> for Arg<($($name,)+)> {
            #[expect(non_snake_case, reason = "a type and its value have one name")]
            fn from(($($name,)+): ($(Arg<$name>,)+)) -> Self {
                Self::of(Node::List(vec![$($name.into_node()),+]))
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
}

// Content of any form.

impl From<File> for Arg<Content> {
    fn from(file: File) -> Self {
        Content::File(file).into()
    }
}

impl From<Link> for Arg<Content> {
    fn from(link: Link) -> Self {
        Content::Link(link).into()
    }
}

impl From<Vec<u8>> for Arg<Content> {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Bytes(bytes).into()
    }
}

impl From<Vec<Vec<u8>>> for Arg<Vec<Content>> {
    fn from(items: Vec<Vec<u8>>) -> Self {
        let items = items.into_iter().map(Content::Bytes);
        items.collect::<Vec<_>>().into()
    }
}

impl From<&[u8]> for Arg<Content> {
    fn from(bytes: &[u8]) -> Self {
        Content::Bytes(bytes.to_vec()).into()
    }
}

impl Fits<Content> for Vec<u8> {}
impl Fits<Content> for Link {}
impl Fits<Content> for Content {}
impl Fits<Link> for Link {}
impl Fits<Data> for Link {}
impl<T: Fits<Data>> Fits<Data> for Vec<T> {}
impl<T: Fits<Data>> Fits<Data> for Option<T> {}
impl<T: Fits<Data>, E: Fits<Data>> Fits<Data> for Result<T, E> {}
impl<T: Fits<U>, U> Fits<Vec<U>> for Vec<T> {}
impl<T: Fits<U>, U> Fits<Option<U>> for Option<T> {}
impl<T: Fits<U>, U, E: Fits<F>, F> Fits<Result<U, F>> for Result<T, E> {}
