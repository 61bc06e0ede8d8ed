//! Workflows, from functions whose calls are tasks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::arg::{Arg, Node};
use super::content::{File, Link};
use super::error::{Error, Failure};
use super::given::Given;
use super::program::{self, Fault, Receipt, Refused, Run, text};
use super::task::{Each, Key, Task, Tasks, current, enter, number, place};
use super::value::Value;

/// Tasks, and what they need of each other.
#[derive(Debug)]
pub struct Workflow<G> {
    name: String,
    tasks: Rc<RefCell<Tasks>>,
    labels: Vec<String>,
    result: G,
    defaults: Map<String, Json>,
    allow: Vec<String>,
    jobs: Option<u16>,
    folder: Option<PathBuf>,
    fails_fast: bool,
    is_fresh: bool,
}

/// Makes a workflow of the tasks that `write` calls. What it returns is what a run gives: a task, or tasks in tuples, lists and
/// maps.
///
/// # Panics
///
/// Within another workflow.
#[track_caller]
pub fn workflow<G: Given>(name: &str, write: impl FnOnce() -> G) -> Workflow<G> {
    let tasks = Rc::new(RefCell::new(Tasks::new()));
    let leave = Enter::new(&tasks, name);
    let result = write();
    drop(leave);
    let mut said = tasks.borrow_mut();
    let flow = said.flow;
    let caller = place(Location::caller());
    let mut is_foreign = said.all.is_empty();
    result.visit(&mut |of, _| is_foreign |= of != flow);
    if said.all.is_empty() {
        said.faults.push(format!("{caller}: it calls no task"));
    } else if is_foreign {
        let words = format!("{caller}: it gives what a task of another workflow does");
        said.faults.push(words);
    }
    let labels = said.labels();
    let mut seen = BTreeMap::new();
    for (at, label) in labels.iter().enumerate() {
        if let Some(other) = seen.insert(label.clone(), at) {
            let (here, there) = (&said.all[at].place, &said.all[other].place);
            let words = format!("{here}: the task at {there} is called `{label}` already");
            said.faults.push(words);
        }
    }
    drop(said);
    Workflow {
        name: name.to_owned(),
        tasks,
        labels,
        result,
        defaults: Map::new(),
        allow: Vec::new(),
        jobs: None,
        folder: None,
        fails_fast: false,
        is_fresh: false,
    }
}

/// While it lives, a workflow is being written.
struct Enter;

impl Enter {
    #[track_caller]
    fn new(tasks: &Rc<RefCell<Tasks>>, name: &str) -> Self {
        let before = enter(Some(Rc::clone(tasks)));
        assert!(
            before.is_none(),
            "`{name}` is a workflow, and one can't be written within another"
        );
        Self
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        enter(None);
    }
}

impl<G: Given> Workflow<G> {
    /// Says something of all tasks that don't say otherwise, as `defaults` in the file of a workflow does: `limits`, `grant`,
    /// `pin`, `retry`, `reuse`, `secret` or `place`.
    #[must_use]
    pub fn default(mut self, field: &str, value: impl Into<Json>) -> Self {
        self.defaults.insert(field.to_owned(), value.into());
        self
    }

    /// Lets tasks reach something of the outside when it runs, beside what the workflow grants.
    #[must_use]
    pub fn allow(mut self, grant: &str) -> Self {
        self.allow.push(grant.to_owned());
        self
    }

    /// Runs so many tasks at a time.
    #[must_use]
    pub fn jobs(mut self, count: u16) -> Self {
        self.jobs = Some(count);
        self
    }

    /// Looks for paths there, and not where the program runs.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Starts nothing any more once a task failed.
    #[must_use]
    pub fn fail_fast(mut self) -> Self {
        self.fails_fast = true;
        self
    }

    /// Runs tasks though there is a receipt.
    #[must_use]
    pub fn without_receipts(mut self) -> Self {
        self.is_fresh = true;
        self
    }

    /// The text of its file.
    #[must_use]
    pub fn json(&self) -> String {
        let tasks = self.tasks.borrow();
        let tasks = tasks.all.iter().zip(&self.labels).map(|(task, label)| {
            let fields = task.fields.iter();
            let fields =
                fields.map(|(name, node)| ((*name).to_owned(), node.written(&self.labels)));
            (label.clone(), Json::Object(fields.collect()))
        });
        let mut file = Map::new();
        file.insert("name".to_owned(), self.name.clone().into());
        if !self.defaults.is_empty() {
            file.insert("defaults".to_owned(), self.defaults.clone().into());
        }
        file.insert("tasks".to_owned(), Json::Object(tasks.collect()));
        format!("{:#}\n", Json::Object(file))
    }

    /// Writes its file, for `homestar run` and for others. Its name ends in `.json`.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        std::fs::write(path, self.json())
            .map_err(|error| Error::input(format!("can't write {}: {error}", path.display())))
    }

    /// Checks it and runs nothing. Returns notes of what may go wrong.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        let facts = self.ask()?;
        let notes = facts["notes"].as_array().into_iter().flatten();
        let line = |note: &Json| self.line(note["task"].as_str(), &text(&note["message"]));
        Ok(notes.map(line).collect())
    }

    /// Its name: the CID of its one encoded form. The components that it names have to be there.
    pub fn cid(&self) -> Result<String, Error> {
        Ok(text(&self.ask()?["workflow"]))
    }

    /// Runs it and waits.
    pub fn run(&self) -> Result<Run<G::Values>, Error> {
        self.run_with(|_| {})
    }

    /// Does the same, and tells `heard` of each line of `homestar run --json`.
    pub fn run_with(&self, mut heard: impl FnMut(&Json)) -> Result<Run<G::Values>, Error> {
        let mut news = News::default();
        let mut arguments = vec!["run".to_owned(), "-".to_owned(), "--json".to_owned()];
        for grant in &self.allow {
            arguments.extend(["--allow".to_owned(), grant.clone()]);
        }
        if let Some(jobs) = self.jobs {
            arguments.extend(["--jobs".to_owned(), jobs.to_string()]);
        }
        arguments.extend(self.fails_fast.then(|| "--fail-fast".to_owned()));
        arguments.extend(self.is_fresh.then(|| "--no-cache".to_owned()));
        self.result.visit(&mut |_, task| {
            arguments.extend(["--result".to_owned(), self.labels[task].clone()]);
        });
        self.tell(&arguments, &mut |event| {
            heard(&event);
            news.take(event);
        })?;
        self.end(news)
    }

    fn end(&self, news: News) -> Result<Run<G::Values>, Error> {
        let Some(finished) = news.finished else {
            return Err(Error::host("`homestar run` ended without a word"));
        };
        let counts = finished["counts"].as_object().into_iter().flatten();
        let counts = counts.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)));
        let run = Run {
            id: news.id,
            workflow: news.workflow,
            receipts: news.receipts,
            counts: counts.collect(),
            result: (),
        };
        match finished["how"].as_str() {
            Some("cancelled") => return Err(Error::Interrupted),
            Some("failed") => {
                let all: Vec<_> = finished["failed"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .collect();
                // What another task awaits ends no run.
                let ends = |failed: &&&Json| failed["handled"] != true;
                let failed: Vec<_> = all.iter().filter(ends).copied().collect();
                let failed = if failed.is_empty() { all } else { failed };
                let failures = failed.into_iter().map(|failed| {
                    let task = text(&failed["task"]);
                    Failure {
                        kind: text(&failed["kind"]),
                        message: text(&failed["message"]),
                        value: news.errors.get(&task).cloned(),
                        place: self.place(&task),
                        task,
                    }
                });
                return Err(Error::Run {
                    failures: failures.collect(),
                    run: Box::new(run),
                });
            }
            _ => {}
        }
        let result = self.result.values(&|task| {
            let label = &self.labels[task];
            let value = finished["results"][label].get("ok").cloned();
            value.ok_or_else(|| Error::input(format!("what the task `{label}` gave is secret")))
        })?;
        Ok(Run {
            result,
            id: run.id,
            workflow: run.workflow,
            receipts: run.receipts,
            counts: run.counts,
        })
    }

    fn ask(&self) -> Result<Json, Error> {
        let mut answer = Json::Null;
        let arguments = ["check", "-", "--json"].map(str::to_owned);
        self.tell(&arguments, &mut |facts| answer = facts)?;
        Ok(answer["ok"].take())
    }

    fn tell(&self, arguments: &[String], heard: &mut dyn FnMut(Json)) -> Result<(), Error> {
        let faults = self.tasks.borrow().faults.clone();
        if !faults.is_empty() {
            return Err(self.wrong(faults));
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let told = program::tell(&arguments, &self.json(), self.folder.as_deref(), heard);
        told.map_err(|fault| match fault {
            Fault::Refused(refused) => self.refused(refused),
            Fault::Other(error) => error,
        })
    }

    fn refused(&self, refused: Refused) -> Error {
        if refused.problems.is_empty() {
            return Error::Homestar {
                kind: refused.kind,
                message: refused.message,
            };
        }
        let problems = refused.problems.iter();
        let problems = problems.map(|(task, message)| self.line(task.as_deref(), message));
        self.wrong(problems.collect())
    }

    fn wrong(&self, problems: Vec<String>) -> Error {
        Error::Workflow {
            name: self.name.clone(),
            problems,
        }
    }

    /// A problem, with its place in the program.
    fn line(&self, task: Option<&str>, message: &str) -> String {
        let Some(task) = task else {
            return message.to_owned();
        };
        let place = self.place(task).map_or(String::new(), |place| place + ": ");
        format!("{place}task `{task}`: {message}")
    }

    /// Where the task of a label stands, or the one of which that is an element.
    fn place(&self, label: &str) -> Option<String> {
        let whole = label.split('[').next()?;
        let at = self.labels.iter().position(|label| label == whole)?;
        Some(self.tasks.borrow().all.get(at)?.place.clone())
    }
}

/// What was heard of a run.
#[derive(Default)]
struct News {
    id: String,
    workflow: String,
    receipts: BTreeMap<String, Receipt>,
    /// The errors that functions returned, by the labels of their tasks.
    errors: BTreeMap<String, Json>,
    finished: Option<Json>,
}

impl News {
    fn take(&mut self, event: Json) {
        match event["event"].as_str() {
            Some("begun") => {
                self.id = text(&event["run"]);
                self.workflow = text(&event["workflow"]["/"]);
            }
            Some("ended") => {
                let receipt = Receipt::new(&event);
                if let Some(value) = event["out"]["error"].get("value") {
                    self.errors.insert(receipt.task.clone(), value.clone());
                }
                self.receipts.insert(receipt.task.clone(), receipt);
            }
            Some("finished") => self.finished = Some(event),
            _ => {}
        }
    }
}

/// What `for_each` goes through: elements of type `T`.
#[derive(Clone, Debug)]
pub struct Source<T>(Arg<Vec<T>>);

impl<T: Value> From<Vec<T>> for Source<T> {
    fn from(items: Vec<T>) -> Self {
        Self(Arg::of(Node::List(
            items.iter().map(Value::write).collect(),
        )))
    }
}

impl<T: Value, const COUNT: usize> From<[T; COUNT]> for Source<T> {
    fn from(items: [T; COUNT]) -> Self {
        Vec::from(items).into()
    }
}

impl<T> From<Vec<Arg<T>>> for Source<T> {
    fn from(items: Vec<Arg<T>>) -> Self {
        Self(items.into())
    }
}

impl<T> From<&Task<Vec<T>>> for Source<T> {
    fn from(task: &Task<Vec<T>>) -> Self {
        Self(Arg::of(task.node("await/ok")))
    }
}

impl<T> From<Task<Vec<T>>> for Source<T> {
    fn from(task: Task<Vec<T>>) -> Self {
        Self::from(&task)
    }
}

/// The files of a folder.
impl From<File> for Source<Link> {
    fn from(folder: File) -> Self {
        Self(Arg::of(Node::Json(folder.written())))
    }
}

impl From<Link> for Source<Link> {
    fn from(folder: Link) -> Self {
        Self(Arg::of(Node::Json(folder.written())))
    }
}

/// Does what `call` calls for each element of a list, of a folder, or of what a task gives. It is called once, with what stands
/// for the element and for its index or name, and returns the task that it calls.
///
/// # Panics
///
/// Outside of a workflow.
#[track_caller]
pub fn for_each<T, R>(
    source: impl Into<Source<T>>,
    call: impl FnOnce(Each<T>, Key) -> Task<R>,
) -> Task<Vec<R>> {
    let tasks = current("for_each");
    let caller = place(Location::caller());
    let source = source.into().0.into_node();
    let each = number();
    let outer = tasks.borrow_mut().each.replace(each);
    let before = tasks.borrow().all.len();
    let task = call(Each::new(each), Key { each });
    let mut tasks = tasks.borrow_mut();
    tasks.each = outer;
    let mut faults = Vec::new();
    if outer.is_some() {
        faults.push(format!(
            "{caller}: a `for_each` within another isn't possible"
        ));
    }
    if task.flow() != tasks.flow || task.at() < before {
        faults.push(format!(
            "{caller}: the function of `for_each` returns the task that it calls"
        ));
    }
    for (at, other) in tasks.all.iter().enumerate().skip(before) {
        let mut takes = false;
        if let Some(args) = other.field("args").filter(|_| at != task.at()) {
            args.visit(&mut |part| {
                takes |= matches!(part, Node::Each { each: of, .. } if *of == each)
            });
        }
        if takes {
            let words = "takes the element, but only the task that is returned is done for each";
            faults.push(format!("{}: it {words}", other.place));
        }
    }
    tasks.faults.append(&mut faults);
    tasks.check(&source, &caller, "for_each");
    if let Some(said) = tasks.all.get_mut(task.at()) {
        said.set("for-each", source);
    }
    task.to()
}
