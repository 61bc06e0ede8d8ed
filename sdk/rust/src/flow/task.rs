//! Tasks of a workflow that is being written, and what is said of how they are run.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value as Json};

use super::arg::{LABEL, Node};
use super::value::Value;

/// Tells one workflow, or one `for_each`, from another.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

pub(super) fn number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// The tasks of one workflow.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) flow: u64,
    pub(super) all: Vec<Said>,
    /// The `for_each` that is being written, if one is.
    pub(super) each: Option<u64>,
    /// What is wrong with how it is written, each with its place.
    pub(super) faults: Vec<String>,
}

/// What was said of a task.
#[derive(Debug)]
pub(super) struct Said {
    /// What its function is called, without its interface.
    name: String,
    pub(super) label: Option<String>,
    /// Its fields, as the file has them.
    pub(super) fields: Vec<(&'static str, Node)>,
    /// Where it stands in the program.
    pub(super) place: String,
}

impl Said {
    pub(super) fn field(&self, name: &str) -> Option<&Node> {
        let mut fields = self.fields.iter();
        fields
            .find(|(field, _)| *field == name)
            .map(|(_, node)| node)
    }

    pub(super) fn set(&mut self, name: &'static str, node: Node) {
        self.fields.retain(|(field, _)| *field != name);
        self.fields.push((name, node));
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<Tasks>>>> = const { RefCell::new(None) };
}

/// Has `tasks` be the workflow that is being written, and returns the one before.
pub(super) fn enter(tasks: Option<Rc<RefCell<Tasks>>>) -> Option<Rc<RefCell<Tasks>>> {
    CURRENT.replace(tasks)
}

/// Returns the workflow that is being written.
#[track_caller]
pub(super) fn current(name: &str) -> Rc<RefCell<Tasks>> {
    let current = CURRENT.with_borrow(Clone::clone);
    current.unwrap_or_else(|| {
        panic!("`{name}` makes a task of a workflow; call it in the function of `workflow(name, function)`")
    })
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self {
            flow: number(),
            all: Vec::new(),
            each: None,
            faults: Vec::new(),
        }
    }

    /// The label of each task: its own, or the name of its function with a number if others have that.
    pub(super) fn labels(&self) -> Vec<String> {
        let mut taken: HashSet<_> = self
            .all
            .iter()
            .filter_map(|task| task.label.clone())
            .collect();
        let mut numbers = HashMap::new();
        let mut one = |task: &Said| {
            if let Some(label) = &task.label {
                return label.clone();
            }
            let mut label = task.name.clone();
            while !taken.insert(label.clone()) {
                let number = numbers.entry(task.name.clone()).or_insert(1);
                *number += 1;
                label = format!("{}-{number}", task.name);
            }
            label
        };
        self.all.iter().map(&mut one).collect()
    }

    /// Takes note of what stands for something of another workflow, or of a `for_each` that is over.
    pub(super) fn check(&mut self, node: &Node, place: &str, name: &str) {
        let mut faults = Vec::new();
        node.visit(&mut |part| match part {
            Node::Each { each, .. } if self.each != Some(*each) => faults.push(format!(
                "{place}: `{name}` takes the element of a `for_each`, which means nothing outside of its function"
            )),
            Node::Await { flow, .. } if *flow != self.flow => {
                faults.push(format!("{place}: `{name}` takes what a task of another workflow gives"));
            }
            _ => {}
        });
        self.faults.append(&mut faults);
    }
}

pub(super) fn place(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

/// A component, by a path, a CID, an `ipfs://` or an `https://` URL. A path is looked for where the program runs.
#[derive(Clone, Copy, Debug)]
pub struct Component(&'static str);

impl Component {
    /// The component of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Makes a task of the workflow that is being written.
    ///
    /// # Panics
    ///
    /// If none is.
    #[track_caller]
    pub fn call<T>(&self, call: &'static str, args: impl IntoIterator<Item = Node>) -> Task<T> {
        let tasks = current(call);
        let place = place(Location::caller());
        let name = call.rsplit('#').next().unwrap_or(call).to_owned();
        let text = |text: &str| Node::Json(text.into());
        let mut fields = vec![("component", text(self.0)), ("call", text(call))];
        let args: Vec<_> = args.into_iter().collect();
        let at = {
            let mut tasks = tasks.borrow_mut();
            args.iter().for_each(|arg| tasks.check(arg, &place, &name));
            if !args.is_empty() {
                fields.push(("args", Node::List(args)));
            }
            tasks.all.push(Said {
                name,
                label: None,
                fields,
                place,
            });
            tasks.all.len() - 1
        };
        let flow = tasks.borrow().flow;
        Task {
            tasks,
            flow,
            at,
            gives: PhantomData,
        }
    }
}

/// A task, and what it will give.
#[derive(Debug)]
pub struct Task<T> {
    tasks: Rc<RefCell<Tasks>>,
    flow: u64,
    at: usize,
    gives: PhantomData<fn() -> T>,
}

impl<T> Clone for Task<T> {
    fn clone(&self) -> Self {
        self.to()
    }
}

/// What becomes of the failure of a task that gives `T`.
#[derive(Clone, Debug)]
pub enum Catch<T> {
    /// Those who wait get this value.
    Ok(T),
    /// Those who wait get what this task gives.
    Rewire(Task<T>),
    /// The failure says this.
    Message(String),
    /// A function is asked.
    Call {
        /// The function.
        call: String,
        /// Its component, if it isn't the task's own.
        component: Option<String>,
        /// Which tasks it may name.
        rewire: Vec<Task<T>>,
    },
}

impl<T> Task<T> {
    /// It, as one that gives another type.
    pub(super) fn to<U>(&self) -> Task<U> {
        Task {
            tasks: Rc::clone(&self.tasks),
            flow: self.flow,
            at: self.at,
            gives: PhantomData,
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn flow(&self) -> u64 {
        self.flow
    }

    pub(super) fn node(&self, key: &'static str) -> Node {
        Node::Await {
            key,
            flow: self.flow(),
            task: self.at,
        }
    }

    /// Its failure: `kind`, `message` and perhaps `value`. A task that is passed this runs only if this one fails.
    #[must_use]
    pub fn error(&self) -> Any {
        Any(self.node("await/error"))
    }

    /// Whichever comes of it: `ok` with the value, or `error` with the failure.
    #[must_use]
    pub fn outcome(&self) -> Any {
        Any(self.node("await/*"))
    }

    fn with(self, set: impl FnOnce(&mut Said)) -> Self {
        let mut tasks = self.tasks.borrow_mut();
        if let Some(said) = tasks.all.get_mut(self.at) {
            set(said);
        }
        drop(tasks);
        self
    }

    fn set(self, name: &'static str, value: impl Into<Json>) -> Self {
        let value = Node::Json(value.into());
        self.with(|said| said.set(name, value))
    }

    /// Adds an entry to a field that is a map.
    fn entry(self, name: &'static str, key: &str, value: Json) -> Self {
        self.with(|said| {
            let mut entries = match said.field(name) {
                Some(Node::Json(Json::Object(entries))) => entries.clone(),
                _ => Map::new(),
            };
            entries.insert(key.to_owned(), value);
            said.set(name, Node::Json(Json::Object(entries)));
        })
    }

    /// Calls it so in the workflow, instead of by its function with a number.
    pub fn label(self, label: impl Into<String>) -> Self {
        let label = label.into();
        self.with(|said| said.label = Some(label))
    }

    /// Limits what it uses: `fuel`, `memory`, `time`, `output`, `storage`, `log`, `calls` or `call-bytes`, each a number or a
    /// text with a unit, such as `"64MiB"`.
    pub fn limit(self, what: &str, amount: impl Into<Json>) -> Self {
        self.entry("limits", what, amount.into())
    }

    /// Lets it reach these of the outside, such as `"https=GET api.example.com"`.
    pub fn grant<'a>(self, grants: impl IntoIterator<Item = &'a str>) -> Self {
        let grants: Vec<_> = grants.into_iter().map(Json::from).collect();
        self.set("grant", grants)
    }

    /// Has an effect provide an interface.
    pub fn pin(self, interface: &str, effect: &str) -> Self {
        self.entry("pin", interface, effect.into())
    }

    /// Tries it so often again after a failure that may pass.
    pub fn retry(self, times: u32) -> Self {
        self.set("retry", times)
    }

    /// Tries it again, waiting so long at first and so long at the most: `retry_after(3, "500ms", "30s")`.
    pub fn retry_after(self, times: u32, backoff: &str, max: &str) -> Self {
        self.set(
            "retry",
            serde_json::json!({"times": times, "backoff": backoff, "max": max}),
        )
    }

    /// Uses a receipt of another run that is no older, though the outside had a part in it: `"1h"`.
    pub fn reuse(self, age: &str) -> Self {
        self.set("reuse", age)
    }

    /// Says whether what it gives is kept out of logs and exports.
    pub fn secret(self, is_secret: bool) -> Self {
        self.set("secret", is_secret)
    }

    /// Says who runs it: `local`, `any` for others too, or a peer by its address or its id.
    pub fn place(self, who: &str) -> Self {
        self.set("place", who)
    }

    /// Sets it apart from a task that is the same otherwise.
    pub fn nonce(self, nonce: &str) -> Self {
        self.set("nonce", nonce)
    }

    /// Says what becomes of its failure.
    pub fn catch(self, catch: Catch<T>) -> Self
    where
        T: Value,
    {
        let text = |text: String| Node::Json(text.into());
        let label = |task: Task<T>| task.node(LABEL);
        let entry = match catch {
            Catch::Ok(value) => vec![("ok".to_owned(), value.write())],
            Catch::Rewire(task) => vec![("rewire".to_owned(), label(task))],
            Catch::Message(message) => vec![("msg".to_owned(), text(message))],
            Catch::Call {
                call,
                component,
                rewire,
            } => {
                let mut entries = vec![("call".to_owned(), text(call))];
                entries.extend(component.map(|name| ("component".to_owned(), text(name))));
                if !rewire.is_empty() {
                    let labels = rewire.into_iter().map(label).collect();
                    entries.push(("rewire".to_owned(), Node::List(labels)));
                }
                entries
            }
        };
        self.with(|said| said.set("catch", Node::Map(entry)))
    }
}

/// Stands for something whose type is known when the workflow is checked.
#[derive(Clone, Debug)]
pub struct Any(Node);

impl Any {
    pub(super) fn node(self) -> Node {
        self.0
    }
}

/// The element that `for_each` is at.
#[derive(Clone, Debug)]
pub struct Each<T> {
    pub(super) each: u64,
    gives: PhantomData<fn() -> T>,
}

impl<T> Each<T> {
    pub(super) fn new(each: u64) -> Self {
        Self {
            each,
            gives: PhantomData,
        }
    }

    pub(super) fn node(&self) -> Node {
        Node::Each {
            part: "value",
            each: self.each,
        }
    }
}

/// The index or name of the element that `for_each` is at.
#[derive(Clone, Debug)]
pub struct Key {
    pub(super) each: u64,
}

impl Key {
    pub(super) fn node(&self) -> Node {
        Node::Each {
            part: "key",
            each: self.each,
        }
    }
}
