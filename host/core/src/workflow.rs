//! What people write: many tasks, and what they need of each other.
//!
//! A [`Workflow`] is read from [JSON, YAML or TOML](Format), or from its block. Nothing in it is found or checked
//! yet: that is for [`Workflow::plan`], which is told what the names stand for and what components export.
//!
//! ```text
//! text ──parse──→ Workflow ──plan──→ Plan ──→ Schedule
//!                    │  ↑
//!                 block, CID: the same from all three languages
//! ```
//!
//! ```
//! use homestar_core::workflow::{Format, Workflow};
//!
//! let yaml = "
//! defaults: {component: math.wasm}
//! tasks:
//!   three: {call: add, args: [1, 2]}
//!   five: {call: add, args: [{await/ok: three}, 2]}
//! ";
//! let json = r#"{
//!   "tasks": {
//!     "five": {"args": [{"await/ok": "three"}, 2], "call": "add"},
//!     "three": {"args": [1, 2], "call": "add"}
//!   },
//!   "defaults": {"component": "math.wasm"}
//! }"#;
//! let workflow = Workflow::parse(yaml, Format::Yaml).unwrap();
//! assert_eq!(workflow.cid(), Workflow::parse(json, Format::Json).unwrap().cid());
//!
//! let problems = Workflow::parse("tasks:\n  three: {cal: add}", Format::Yaml).unwrap_err();
//! assert_eq!(
//!     problems[0].to_string(),
//!     "line 2, column 10: task `three`: there is no `call`",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `docs/workflows.md` is the reference page.

pub(crate) mod fields;
mod form2024;
mod problem;
mod settings;
mod task;
mod text;
pub(crate) mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use self::problem::{Fault, Problem};
pub use self::settings::{Catch, Component, ComponentName, LimitTable, Retry, Settings, Site};
pub use self::task::Task;
pub use self::text::{Format, MAX_TEXT_BYTES, Place};
pub use self::value::{Await, Branch, Data, Each, Part, Target, Value};

use self::fields::{Fields, Problems};
use self::text::{Kind, Node};
use crate::ipld::{self, Block, Cid, DAG_CBOR, Ipld, parse_cid};

/// A workflow as it is written.
#[derive(Clone, Debug)]
pub struct Workflow {
    name: Option<String>,
    defaults: Settings,
    /// By their labels, or those of 2024 in their order.
    tasks: Vec<Task>,
    block: Block,
}

impl Workflow {
    /// Reads a workflow from text. All that is wrong with its form is told at once.
    ///
    /// The text may come from anyone: it is limited in size and depth and never causes a panic.
    pub fn parse(text: &str, format: Format) -> Result<Self, Vec<Problem>> {
        let node = text::read(text, format).map_err(|problem| vec![problem])?;
        Self::read(node)
    }

    /// Reads a workflow from its block's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let value: Ipld = ipld::decode(bytes).map_err(|error| {
            vec![Problem::at(
                Place::NOWHERE,
                Fault::Syntax(error.to_string()),
            )]
        })?;
        Self::read(Node::from_ipld(value))
    }

    fn read(node: Node) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut fields = Fields::of("a workflow", node, &mut problems);
        // For editors.
        fields.text("$schema");
        let name = fields.text("name").map(|(name, _)| name);
        let defaults = fields.take("defaults").map(|node| {
            let mut fields = Fields::of("defaults", node, fields.problems);
            let settings = Settings::take(&mut fields);
            fields.end();
            settings
        });
        let tasks = fields.needed("tasks");
        let tasks = tasks
            .map(|node| read_tasks(node, fields.problems))
            .unwrap_or_default();
        fields.end();
        if !problems.is_empty() {
            return Err(problems.into_list());
        }
        let defaults = defaults.unwrap_or_default();
        let written = written(name.as_deref(), &defaults, &tasks);
        let bytes = ipld::encode_value(&written)
            .map_err(|error| vec![Problem::at(Place::NOWHERE, Fault::Encode(error))])?;
        Ok(Self {
            name,
            defaults,
            tasks,
            block: Block::new(DAG_CBOR, bytes),
        })
    }

    /// What it is called, if it says so.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What its tasks share.
    pub fn defaults(&self) -> &Settings {
        &self.defaults
    }

    /// Its tasks.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// What its tasks say of who runs them.
    pub fn sites(&self) -> BTreeSet<Site> {
        let of_tasks = self.tasks.iter().map(|task| &task.settings);
        let all = of_tasks.chain([&self.defaults]);
        all.filter_map(|settings| settings.site.clone()).collect()
    }

    /// Its name among blocks. It is the same whichever language it was written in, in whichever order.
    pub fn cid(&self) -> &Cid {
        self.block.cid()
    }

    /// The workflow in its one encoded form.
    ///
    /// The block may be larger than [`MAX_BLOCK_BYTES`](crate::ipld::MAX_BLOCK_BYTES).
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Returns the same workflow with CIDs in place of names, as far as these are known: for a machine that doesn't have what they
    /// stand for here.
    #[must_use]
    pub fn by_content(&self, cid: &dyn Fn(&str) -> Option<Cid>) -> Self {
        let mut workflow = self.clone();
        let settings = workflow.tasks.iter_mut().map(|task| &mut task.settings);
        for settings in settings.chain([&mut workflow.defaults]) {
            for component in settings.components_mut() {
                if let ComponentName::Text(text) = &component.name
                    && let Some(cid) = cid_in(text).or_else(|| cid(text))
                {
                    component.name = ComponentName::Link(cid);
                }
            }
        }
        for task in &mut workflow.tasks {
            task.visit_mut(&mut |data| {
                if let Some(cid) = cid(&data.name) {
                    data.name = format!("ipfs://{cid}");
                }
            });
        }
        workflow.write();
        workflow
    }

    /// Returns the same workflow with these limits for what says none. Those of 2024 say all of it in each task.
    #[must_use]
    pub fn with_limits(&self, usual: &LimitTable) -> Self {
        let mut workflow = self.clone();
        workflow.defaults.limits = workflow.defaults.limits.or(usual);
        workflow.write();
        workflow
    }

    /// Writes what was changed.
    fn write(&mut self) {
        let written = written(self.name.as_deref(), &self.defaults, &self.tasks);
        // What had a form has one that says something else.
        if let Ok(bytes) = ipld::encode_value(&written) {
            self.block = Block::new(DAG_CBOR, bytes);
        }
    }

    /// The components that tasks use, each once with who is chosen to provide what it asks for.
    pub fn uses(&self) -> Vec<Use<'_>> {
        let mut seen = BTreeSet::new();
        let mut uses = Vec::new();
        for task in &self.tasks {
            let (own, others) = (&task.settings, &self.defaults);
            let component = own.component.as_ref().or(others.component.as_ref());
            let handler = match own.catch.as_ref().or(others.catch.as_ref()) {
                Some(Catch::Handler {
                    component: named, ..
                }) => named.as_ref().or(component),
                _ => None,
            };
            let mut pin = others.pin.clone();
            pin.extend(own.pin.clone());
            // What handles a failure is given nothing of its own, pins included.
            let handler = handler.map(|component| (component, BTreeMap::new()));
            let own = component.map(|component| (component, pin));
            for (component, pin) in own.into_iter().chain(handler) {
                if seen.insert((component.name.clone(), pin.clone())) {
                    let task = Some(&*task.label);
                    uses.push(Use {
                        component,
                        pin,
                        task,
                    });
                }
            }
        }
        uses
    }

    /// The names that have to be found before it can be planned, each with where it first stands. Names that hold
    /// their CID are not among them.
    pub fn names(&self) -> BTreeMap<&str, Name> {
        let mut names = BTreeMap::new();
        let mut add = |text, name| {
            if cid_in(text).is_none() {
                names.entry(text).or_insert(name);
            }
        };
        let settings = self.tasks.iter().map(|task| &task.settings);
        for settings in settings.chain([&self.defaults]) {
            for component in settings.components() {
                if let ComponentName::Text(text) = &component.name {
                    add(
                        text,
                        Name {
                            place: component.place,
                            of: Named::Component,
                        },
                    );
                }
            }
        }
        for task in &self.tasks {
            let folder = task.for_each.as_ref().map(|(value, _)| value);
            task.visit(&mut |part| {
                if let Value::Data(data) = part {
                    let is_folder = folder.is_some_and(|folder| std::ptr::eq(folder, part));
                    let of = if is_folder {
                        Named::Folder
                    } else {
                        Named::Data
                    };
                    add(
                        &data.name,
                        Name {
                            place: data.place,
                            of,
                        },
                    );
                }
            });
        }
        names
    }
}

/// A component that tasks use.
#[derive(Clone, Debug)]
pub struct Use<'a> {
    /// How it is named, and where.
    pub component: &'a Component,
    /// Which effect provides an interface to it.
    pub pin: BTreeMap<String, String>,
    /// The first task that uses it.
    pub task: Option<&'a str>,
}

/// A name that has to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Where it first stands.
    pub place: Place,
    /// What it names.
    pub of: Named,
}

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A component.
    Component,
    /// A file, or a folder that is passed on as it is.
    Data,
    /// A folder whose entries are gone through.
    Folder,
}

impl Settings {
    fn components(&self) -> impl Iterator<Item = &Component> {
        let handler = match &self.catch {
            Some(Catch::Handler { component, .. }) => component.as_ref(),
            _ => None,
        };
        self.component.iter().chain(handler)
    }

    fn components_mut(&mut self) -> impl Iterator<Item = &mut Component> {
        let handler = match &mut self.catch {
            Some(Catch::Handler { component, .. }) => component.as_mut(),
            _ => None,
        };
        self.component.iter_mut().chain(handler)
    }
}

/// The CID in a name that holds one: the CID itself, or an `ipfs://` URL without a path.
pub fn cid_in(name: &str) -> Option<Cid> {
    parse_cid(name.strip_prefix("ipfs://").unwrap_or(name)).ok()
}

fn read_tasks(node: Node, problems: &mut Problems) -> Vec<Task> {
    match node.kind {
        Kind::List(items) => form2024::tasks(items, problems),
        Kind::Map(entries) => {
            let mut tasks = Vec::with_capacity(entries.len());
            for (label, (place, node)) in entries {
                problems.enter(&label);
                tasks.extend(Task::read(label, place, node, problems));
                problems.leave();
            }
            tasks
        }
        Kind::Leaf(_) => {
            problems.kind("tasks", &node, "a map of tasks by their labels");
            Vec::new()
        }
    }
}

fn written(name: Option<&str>, defaults: &Settings, tasks: &[Task]) -> Ipld {
    let mut entries = BTreeMap::new();
    if let Some(name) = name {
        entries.insert("name".to_owned(), Ipld::String(name.to_owned()));
    }
    let defaults = defaults.to_entries();
    if !defaults.is_empty() {
        entries.insert("defaults".to_owned(), Ipld::Map(defaults));
    }
    let is_of_2024 = tasks.iter().any(|task| task.of_2024.is_some());
    let tasks = if is_of_2024 {
        Ipld::List(tasks.iter().map(Task::to_ipld).collect())
    } else {
        let entry = |task: &Task| (task.label.clone(), task.to_ipld());
        Ipld::Map(tasks.iter().map(entry).collect())
    };
    entries.insert("tasks".to_owned(), tasks);
    Ipld::Map(entries)
}

#[cfg(test)]
mod tests;
