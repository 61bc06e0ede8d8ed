//! What effects answered when a task ran, for its tests.
//!
//! ```text
//! homestar run titles.wasm 'title("https://example.com/")' --allow https=example.com --receipt page.car
//! homestar replay page.car --fixture page.json
//! ```
//!
//! In a test, the recording answers in place of effects, in its order:
//!
//! ```no_run
//! use homestar_sdk::{https, testing};
//!
//! let page = testing::recorded("page.json");
//! let url = page.args()[0].as_str().unwrap();
//! assert_eq!(page.result(), &*https::get(url).unwrap().text());
//! ```
//!
//! The test fails if something else is asked for than was recorded, or less.

mod player;
#[cfg(test)]
mod tests;
mod value;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use serde_json::Value;
pub use value::bytes;
pub(crate) use value::{Case, is_called, read};

use crate::{StandIn, digest, dns, https, keys, random, state};
use player::Player;
use value::Read;

/// Plays the recording in a file of `homestar replay --fixture`, in this thread, until what is returned is dropped. That panics
/// if calls are left over.
///
/// # Panics
///
/// If there is no such file, or it is damaged.
pub fn recorded(path: impl AsRef<Path>) -> Recorded {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("can't read {}: {error}", path.display()));
    let recording = Recording::read(path, &text).unwrap_or_else(|why| {
        panic!(
            "{} is damaged, or nothing that `homestar replay --fixture` wrote: {why}",
            path.display()
        )
    });
    let recording = Rc::new(recording);
    let player = || Player(recording.clone());
    let guards = vec![
        digest::stand_in(player()),
        dns::stand_in(player()),
        https::stand_in(player()),
        keys::stand_in(player()),
        random::stand_in(player()),
        state::stand_in(player()),
    ];
    Recorded { recording, guards }
}

/// A recording that answers in place of effects as long as this lives.
pub struct Recorded {
    recording: Rc<Recording>,
    guards: Vec<StandIn>,
}

impl Recorded {
    /// Returns the function that was called.
    #[must_use]
    pub fn func(&self) -> &str {
        &self.recording.func
    }

    /// Returns its arguments, as DAG-JSON. [`bytes`] reads bytes.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        &self.recording.args
    }

    /// Returns what the task returned, as DAG-JSON. [`bytes`] reads bytes.
    ///
    /// # Panics
    ///
    /// If the task failed.
    #[must_use]
    pub fn result(&self) -> &Value {
        let Recording { path, out, .. } = &*self.recording;
        let failed = || {
            format!(
                "{}: the task failed: {}",
                path.display(),
                out["error"]["message"]
            )
        };
        out.get("ok").unwrap_or_else(|| panic!("{}", failed()))
    }

    /// Returns how the task failed: a map with `kind`, `message` and the `value` of its own error.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[must_use]
    pub fn error(&self) -> &Value {
        let Recording { path, out, .. } = &*self.recording;
        let error = out.get("error");
        error.unwrap_or_else(|| panic!("{}: the task did not fail", path.display()))
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.guards.clear();
        let Recording {
            path, calls, next, ..
        } = &*self.recording;
        let next = next.get();
        // What failed the test already says more.
        if next == calls.len() || std::thread::panicking() {
            return;
        }
        let left = match calls.len() - next {
            1 => "a recorded call was".to_owned(),
            left => format!("{left} recorded calls were"),
        };
        panic!(
            "{}: {left} not made; call {} is\n  {}",
            path.display(),
            next + 1,
            calls[next].shown()
        );
    }
}

/// What a task asked effects, with the answers.
struct Recording {
    path: PathBuf,
    func: String,
    args: Vec<Value>,
    calls: Vec<Call>,
    out: Value,
    next: Cell<usize>,
}

struct Call {
    name: String,
    args: Vec<Value>,
    answer: Value,
}

impl Call {
    /// Returns it as people read it.
    fn shown(&self) -> String {
        shown(&self.name, &self.args)
    }
}

/// Most characters of arguments that are shown.
const SHOWN_MAX: usize = 300;

fn shown(name: &str, args: &[Value]) -> String {
    let args: Vec<_> = args.iter().map(|arg| whole(arg).to_string()).collect();
    let args = args.join(", ");
    match args.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{name}({}…)", &args[..end]),
        None => format!("{name}({args})"),
    }
}

/// Returns a value without fields that say nothing: an option may be left out.
fn whole(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, field)| !field.is_null());
            let fields = fields.map(|(name, field)| (name.clone(), whole(field)));
            Value::Object(fields.collect::<BTreeMap<_, _>>().into_iter().collect())
        }
        value => value.clone(),
    }
}

impl Recording {
    fn read(path: &Path, text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let field = |value: &Value, name: &str| {
            let field = value.get(name).cloned();
            field.ok_or_else(|| format!("`{name}` is missing"))
        };
        let text = |value: &Value, name: &str| {
            let text = field(value, name)?.as_str().map(str::to_owned);
            text.ok_or_else(|| format!("`{name}` is no text"))
        };
        let list = |value: &Value, name: &str| {
            let list = field(value, name)?.as_array().cloned();
            list.ok_or_else(|| format!("`{name}` is no list"))
        };
        let call = |value: &Value| {
            Ok::<_, String>(Call {
                name: text(value, "call")?,
                args: list(value, "args")?,
                answer: field(value, "answer")?,
            })
        };
        let out = field(&value, "out")?;
        if out.get("ok").or(out.get("error")).is_none() {
            return Err("there is no outcome".into());
        }
        Ok(Self {
            path: path.to_owned(),
            func: text(&value, "func")?,
            args: list(&value, "args")?,
            calls: list(&value, "calls")?
                .iter()
                .map(call)
                .collect::<Result<_, _>>()?,
            out,
            next: Cell::new(0),
        })
    }

    fn upcoming(&self) -> Option<&Call> {
        self.calls.get(self.next.get())
    }

    /// Returns the recorded answer to what has to be the next call.
    fn answer(&self, name: &str, args: &[Value]) -> &Value {
        let (path, number) = (self.path.display(), self.next.get() + 1);
        let Some(recorded) = self.upcoming() else {
            panic!(
                "{path}: call {number} was not recorded:\n  {}",
                shown(name, args)
            );
        };
        let is_same = recorded.name == name
            && args.len() == recorded.args.len()
            && args
                .iter()
                .zip(&recorded.args)
                .all(|(a, b)| whole(a) == whole(b));
        if !is_same {
            panic!(
                "{path}: call {number} is another than was recorded\n  now       {}\n  recorded  {}",
                shown(name, args),
                recorded.shown()
            );
        }
        self.next.set(number);
        &recorded.answer
    }

    /// As [`Self::answer`], of a function that may fail.
    fn ask<T: Read, E: Case>(&self, name: &str, args: &[Value]) -> Result<T, E> {
        let answer = self.answer(name, args);
        let result = match answer.get("error") {
            None => answer.get("ok").and_then(T::read).map(Ok),
            Some(Value::String(case)) => E::case(case, &Value::Null).map(Err),
            Some(error) => {
                let case = error.as_object().and_then(|fields| fields.iter().next());
                case.and_then(|(case, value)| E::case(case, value)).map(Err)
            }
        };
        result.unwrap_or_else(|| panic!("{}: {answer} is no answer of {name}", self.path.display()))
    }
}
