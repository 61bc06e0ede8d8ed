//! From a workflow to its plan, or to all that is wrong with it.
//!
//! The passes run one after the other and each as far as it can, so that what is wrong in one place hides little of
//! what is wrong elsewhere: names and functions, then who waits for whom, then what flows where.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::flow::{Elements, Flow, Gives, Key};
use super::names::{Promises, promise};
use super::order::{Edges, order};
use super::{Arg, Caught, Found, How, Need, Plan, Planned, Resources, Rules, Signatures, Template};
use crate::ipld::{Cid, Ipld};
use crate::task::{Limits, Resource};
use crate::wit::suggest::nearest;
use crate::wit::{ArgumentError, Function, Type, resolve};
use crate::workflow::fields::Problems;
use crate::workflow::{
    Await, Catch, Component, ComponentName, Fault, LimitTable, Place, Problem, Settings, Target,
    Task, Value, Workflow, cid_in,
};

pub(super) fn plan(
    workflow: &Workflow,
    resources: &Resources,
    signatures: &Signatures,
    rules: &Rules,
) -> Result<Plan, Vec<Problem>> {
    let mut checker = Checker::new(workflow, resources, signatures, rules);
    checker.settings();
    checker.functions();
    checker.targets();
    let Some(order) = checker.order() else {
        checker.flows();
        return Err(checker.problems.into_list());
    };
    checker.flows();
    if !checker.problems.is_empty() {
        return Err(checker.problems.into_list());
    }
    Ok(checker.finish(order))
}

/// What is known about a task.
struct Known<'a> {
    task: &'a Task,
    settings: Arc<Settings>,
    resource: Option<Resource>,
    function: Option<&'a Function>,
    /// The tasks it awaits, in the order in which the awaits stand in it.
    targets: Vec<Option<usize>>,
    catch: Option<Caught>,
    promise: Option<Cid>,
}

struct Checker<'a> {
    workflow: &'a Workflow,
    resources: &'a Resources,
    signatures: &'a Signatures,
    rules: &'a Rules,
    labels: HashMap<&'a str, usize>,
    /// Those instructions that are awaited by their CIDs.
    instructions: HashMap<Cid, usize>,
    tasks: Vec<Known<'a>>,
    problems: Problems,
    notes: Problems,
}

impl<'a> Checker<'a> {
    fn new(
        workflow: &'a Workflow,
        resources: &'a Resources,
        signatures: &'a Signatures,
        rules: &'a Rules,
    ) -> Self {
        let labels = workflow.tasks().iter().enumerate();
        Self {
            workflow,
            resources,
            signatures,
            rules,
            labels: labels.map(|(index, task)| (&*task.label, index)).collect(),
            instructions: HashMap::new(),
            tasks: Vec::with_capacity(workflow.tasks().len()),
            problems: Problems::default(),
            notes: Problems::default(),
        }
    }

    /// What each task says, with what `defaults` say where it doesn't.
    fn settings(&mut self) {
        let defaults = Arc::new(self.workflow.defaults().clone());
        self.limits(&defaults.limits, false);
        self.grants(&defaults);
        for task in self.workflow.tasks() {
            self.problems.enter(&task.label);
            self.limits(&task.settings.limits, task.of_2024.is_some());
            self.grants(&task.settings);
            self.problems.leave();
            let settings = match task.settings == Settings::default() {
                true => defaults.clone(),
                false => Arc::new(task.settings.or(&defaults)),
            };
            self.tasks.push(Known {
                task,
                settings,
                resource: None,
                function: None,
                targets: Vec::new(),
                catch: None,
                promise: None,
            });
        }
    }

    /// Limits of 2024 had no effect and are as large as they can be, so those are lowered and not refused.
    fn limits(&mut self, table: &LimitTable, is_of_2024: bool) {
        if is_of_2024 {
            return;
        }
        let max = &self.rules.max;
        let amounts = [
            ("fuel", table.fuel, max.fuel),
            ("memory", table.memory, max.memory_bytes),
            ("output", table.output, max.output_bytes),
            ("storage", table.storage, max.storage_bytes),
            ("log", table.log, max.log_bytes),
            ("calls", table.calls, max.calls),
            ("call-bytes", table.call_bytes, max.call_bytes),
        ];
        let mut above = |limit, asked: String, max: String| {
            self.problems
                .at(table.place, Fault::Limit { limit, asked, max });
        };
        for (limit, asked, max) in amounts {
            if let Some(asked) = asked.filter(|asked| *asked > max) {
                above(limit, asked.to_string(), max.to_string());
            }
        }
        if let Some(asked) = table.time.filter(|asked| *asked > max.time) {
            above("time", format!("{asked:?}"), format!("{:?}", max.time));
        }
    }

    fn grants(&mut self, settings: &Settings) {
        for (grant, place) in settings.grant.iter().flatten() {
            if !self.rules.ceiling.covers(grant) {
                self.problems.at(*place, Fault::Ceiling(grant.to_string()));
            }
        }
    }

    /// Components, data and functions.
    fn functions(&mut self) {
        for index in 0..self.tasks.len() {
            let known = &self.tasks[index];
            let (task, settings) = (known.task, known.settings.clone());
            self.problems.enter(&task.label);
            match &settings.component {
                Some(component) => {
                    let resource = self.resource(component, task);
                    let name = (&task.call.0[..], task.call.1);
                    let function = resource
                        .as_ref()
                        .and_then(|at| self.function(at.cid(), name));
                    self.tasks[index].resource = resource;
                    self.tasks[index].function = function;
                }
                None => self.problems.at(task.place, Fault::Missing("component")),
            }
            let mut unresolved = Vec::new();
            task.visit(&mut |part| {
                if let Value::Data(data) = part
                    && self.data(&data.name).is_none()
                {
                    unresolved.push((data.place, Fault::Unresolved(data.name.clone())));
                }
                if let (Value::Each(each), None) = (part, &task.for_each) {
                    unresolved.push((each.place, Fault::NoEach));
                }
            });
            for (place, fault) in unresolved {
                self.problems.at(place, fault);
            }
            self.problems.leave();
        }
    }

    fn resource(&mut self, component: &Component, task: &Task) -> Option<Resource> {
        let text = match &component.name {
            ComponentName::Link(cid) => return Some((*cid).into()),
            ComponentName::Text(text) => text,
        };
        // The instruction's own CID covers how the component is written, so those of 2024 keep it.
        if task.of_2024.is_some() && text.starts_with("ipfs://") {
            return match Resource::parse_url(text) {
                Ok(resource) => Some(resource),
                Err(error) => {
                    self.problems.at(component.place, error);
                    None
                }
            };
        }
        let found = self.data(text).map(Resource::from);
        if found.is_none() {
            self.problems
                .at(component.place, Fault::Unresolved(text.clone()));
        }
        found
    }

    /// What a name stands for.
    fn data(&self, name: &str) -> Option<Cid> {
        cid_in(name).or_else(|| self.resources.get(name).map(|found| found.cid))
    }

    fn function(&mut self, component: &Cid, (name, place): (&str, Place)) -> Option<&'a Function> {
        let Some(functions) = self.signatures.get(component) else {
            self.problems.at(place, Fault::Undescribed(*component));
            return None;
        };
        match resolve(functions, name) {
            Ok(function) => Some(function),
            Err(error) => {
                self.problems.at(place, error);
                None
            }
        }
    }

    /// Awaits and rewires by label.
    fn targets(&mut self) {
        for index in 0..self.tasks.len() {
            let task = self.tasks[index].task;
            self.problems.enter(&task.label);
            let mut awaits: Vec<&Await> = Vec::new();
            task.visit(&mut |part| {
                if let Value::Await(awaited) = part {
                    awaits.push(awaited);
                }
            });
            let targets = awaits.into_iter().map(|awaited| match &awaited.target {
                Target::Label(label) => self.label(label, awaited.place),
                Target::Instruction(_) => None,
            });
            self.tasks[index].targets = targets.collect();
            self.tasks[index].catch = self.catch(index);
            self.problems.leave();
        }
    }

    fn label(&mut self, label: &str, place: Place) -> Option<usize> {
        let found = self.labels.get(label).copied();
        if found.is_none() {
            let nearest = nearest(label, self.labels.keys().copied().take(LABELS_COMPARED_MAX));
            let fault = Fault::UnknownTask {
                label: crate::wit::brief::brief(label, 60),
                nearest: nearest.map(str::to_owned),
            };
            self.problems.at(place, fault);
        }
        found
    }

    fn catch(&mut self, index: usize) -> Option<Caught> {
        let settings = self.tasks[index].settings.clone();
        match settings.catch.as_ref()? {
            Catch::Ok(value) => Some(Caught::Ok(value.clone())),
            Catch::Message(message) => Some(Caught::Message(message.clone())),
            Catch::Rewire(label, place) => self.label(label, *place).map(Caught::Rewire),
            Catch::Handler {
                component,
                call,
                rewire,
                place,
            } => {
                let task = self.tasks[index].task;
                let component = component.as_ref().or(settings.component.as_ref())?;
                let resource = self.resource(component, task)?;
                let function = self.function(resource.cid(), (call, *place))?;
                if function.params.len() != 1 {
                    let error = ArgumentError::count(function, 1);
                    self.problems.at(*place, error);
                }
                let targets = rewire
                    .iter()
                    .map(|(label, place)| self.label(label, *place));
                Some(Caught::Handler {
                    resource,
                    func: function.full_name(),
                    rewire: targets.collect::<Option<_>>()?,
                })
            }
        }
    }

    /// Who waits for whom. Awaits by CID can be followed only where awaits by label lead to no circle, since the
    /// name of an instruction is made of the names of those it awaits.
    fn order(&mut self) -> Option<Vec<usize>> {
        let edges = self.edges();
        let by_label = match order(&edges) {
            Ok(order) => order,
            Err(circles) => {
                for circle in circles {
                    self.circle(&circle);
                }
                return None;
            }
        };
        self.promises(&by_label);
        match order(&self.edges()) {
            Ok(order) => Some(order),
            Err(circles) => {
                for circle in circles {
                    self.circle(&circle);
                }
                None
            }
        }
    }

    fn edges(&self) -> Edges {
        let edges = self.tasks.iter().map(|known| {
            let rewires = match &known.catch {
                Some(Caught::Rewire(task)) => std::slice::from_ref(task),
                Some(Caught::Handler { rewire, .. }) => rewire,
                _ => &[],
            };
            let mut needs: Vec<usize> = known
                .targets
                .iter()
                .flatten()
                .chain(rewires)
                .copied()
                .collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        });
        edges.collect()
    }

    fn circle(&mut self, circle: &[usize]) {
        let labels = circle
            .iter()
            .map(|task| self.tasks[*task].task.label.clone());
        let first = self.tasks[circle[0]].task;
        let problem = Problem::at(first.place, Fault::Cycle(labels.collect()));
        self.problems.push(problem);
    }

    /// Names each instruction, and follows awaits by such a name.
    fn promises(&mut self, by_label: &[usize]) {
        let mut promises = Promises::new(self.tasks.len());
        for index in by_label.iter().copied() {
            let known = &self.tasks[index];
            let Some(template) = self.template(known, Vec::new()) else {
                continue;
            };
            let task = known.task;
            let named = |label: &str| self.tasks[*self.labels.get(label)?].promise;
            let made = promise(&template, task, &named, &|name| self.data(name));
            self.problems.enter(&task.label);
            match made {
                Err(error) => self
                    .problems
                    .at(task.place, Fault::Syntax(error.to_string())),
                Ok(bytes) => match promises.name(index, bytes) {
                    Ok(cid) => self.tasks[index].promise = Some(cid),
                    Err(other) => {
                        let other = self.tasks[other].task.label.clone();
                        self.problems.at(task.place, Fault::Duplicate(other));
                    }
                },
            }
            self.problems.leave();
        }
        for index in 0..self.tasks.len() {
            self.awaits_by_cid(index, &mut promises);
        }
    }

    fn awaits_by_cid(&mut self, index: usize, promises: &mut Promises) {
        let task = self.tasks[index].task;
        let mut at = 0;
        let mut dangling = Vec::new();
        let (targets, instructions) = (&mut self.tasks[index].targets, &mut self.instructions);
        task.visit(&mut |part| {
            let Value::Await(awaited) = part else { return };
            if let Target::Instruction(cid) = &awaited.target {
                targets[at] = promises.find(cid);
                match targets[at] {
                    Some(target) => drop(instructions.insert(*cid, target)),
                    None => dangling.push((awaited.place, *cid)),
                }
            }
            at += 1;
        });
        self.problems.enter(&task.label);
        for (place, cid) in dangling {
            self.problems.at(place, Fault::Dangling(cid));
        }
        self.problems.leave();
    }

    fn template(&self, known: &Known<'_>, args: Vec<Arg>) -> Option<Template> {
        let func = match (&known.task.of_2024, known.function) {
            (None, Some(function)) => function.full_name(),
            _ => known.task.call.0.clone(),
        };
        Some(Template {
            resource: known.resource.clone()?,
            func,
            args,
            stdin: known.task.stdin.clone(),
            nonce: known.task.nonce.clone(),
        })
    }

    /// What flows into each parameter.
    fn flows(&mut self) {
        for index in 0..self.tasks.len() {
            let task = self.tasks[index].task;
            self.problems.enter(&task.label);
            self.notes.enter(&task.label);
            let elements = match &task.for_each {
                Some((each, place)) => self.elements(each, *place),
                None => None,
            };
            if let Some(function) = self.tasks[index].function {
                match is_command(function) {
                    true => self.command(task),
                    false => self.arguments(task, function, elements.as_ref()),
                }
            }
            self.problems.leave();
            self.notes.leave();
        }
    }

    fn arguments(&mut self, task: &Task, function: &Function, elements: Option<&Elements<'_>>) {
        if task.stdin.is_some() {
            let fault = format!(
                "`{}` is no command and reads no `stdin`",
                function.full_name()
            );
            self.problems.at(task.call.1, Fault::Command(fault));
        }
        if task.args.len() != function.params.len() {
            let error = ArgumentError::count(function, task.args.len());
            self.problems.at(task.call.1, error);
            return;
        }
        for ((value, place), (parameter, ty)) in task.args.iter().zip(&function.params) {
            let flow = Flow {
                function,
                parameter,
                elements,
                gives: |awaited: &Await| self.gives(awaited),
            };
            for finding in flow.check(value, ty) {
                let place = finding.place.unwrap_or(*place);
                match finding.is_note {
                    true => self.notes.at(place, finding.fault),
                    false => self.problems.at(place, finding.fault),
                }
            }
        }
    }

    /// A command takes texts.
    fn command(&mut self, task: &Task) {
        for (value, place) in &task.args {
            let gives = match value {
                Value::Plain(Ipld::String(_)) | Value::Each(_) => continue,
                Value::Await(awaited) => match self.gives(awaited).0 {
                    Gives::Unknown | Gives::Type(Type::String | Type::Char | Type::Enum(_)) => {
                        continue;
                    }
                    Gives::Type(ty) => format!("a `{ty}`"),
                    Gives::Nothing => "null".to_owned(),
                },
                Value::Plain(plain) => crate::wit::mismatch::describe(plain),
                Value::List(_) => "a list".to_owned(),
                Value::Map(_) => "a map".to_owned(),
                Value::Data(data) => format!("the file `{}`", data.name),
            };
            let fault = format!("an argument of a command is a text, not {gives}");
            self.problems.at(*place, Fault::Command(fault));
        }
    }

    /// What an await gives, and from where.
    fn gives(&self, awaited: &Await) -> (Gives, String) {
        let from = |label: &str| format!("`{}` of task `{label}`", awaited.branch);
        let target = match &awaited.target {
            Target::Label(label) => self.labels.get(&**label).copied(),
            Target::Instruction(cid) => self.instructions.get(cid).copied(),
        };
        let Some(target) = target else {
            return (Gives::Unknown, String::new());
        };
        let known = &self.tasks[target];
        let gives = match known.function {
            None => Gives::Unknown,
            Some(function) if is_command(function) => Gives::Type(Type::list(Type::U8)),
            Some(function) => Gives::of_function(function),
        };
        let is_for_each = known.task.for_each.is_some();
        (
            gives.branch(awaited.branch, is_for_each),
            from(&known.task.label),
        )
    }

    /// What `for-each` goes through.
    fn elements(&mut self, each: &'a Value, place: Place) -> Option<Elements<'a>> {
        let wrong = match each {
            Value::Plain(Ipld::List(items)) => {
                let items = items.iter().enumerate();
                return Some(Elements::Plain(
                    items.map(|(at, item)| (Key::Index(at), item)).collect(),
                ));
            }
            Value::Plain(Ipld::Map(entries)) => {
                let entries = entries.iter();
                return Some(Elements::Plain(
                    entries.map(|(key, item)| (Key::Name(key), item)).collect(),
                ));
            }
            Value::List(items) => {
                let items = items.iter().enumerate();
                return Some(Elements::Written(
                    items.map(|(at, item)| (Key::Index(at), item)).collect(),
                ));
            }
            Value::Map(entries) => {
                let entries = entries.iter();
                return Some(Elements::Written(
                    entries.map(|(key, item)| (Key::Name(key), item)).collect(),
                ));
            }
            Value::Data(data) => match self.resources.get(&data.name) {
                Some(Found {
                    entries: Some(_), ..
                }) => return Some(Elements::Files),
                // Told as not found already.
                None => return None,
                Some(Found { entries: None, .. }) => format!("`{}` is a file", data.name),
            },
            Value::Await(awaited) => match self.gives(awaited) {
                (Gives::Unknown, _) => return Some(Elements::Given(Gives::Unknown)),
                (Gives::Type(Type::List(element)), _) if *element != Type::U8 => {
                    return Some(Elements::Given(Gives::Type((*element).clone())));
                }
                (Gives::Type(ty), from) => format!("{from} gives `{ty}`"),
                (Gives::Nothing, from) => format!("{from} gives null"),
            },
            Value::Each(_) => "`@each` stands for one element".to_owned(),
            Value::Plain(other) => format!("there is {}", crate::wit::mismatch::describe(other)),
        };
        self.problems.at(place, Fault::Each(wrong));
        None
    }

    fn finish(self, order: Vec<usize>) -> Plan {
        let mut places = vec![0; order.len()];
        for (place, task) in order.iter().enumerate() {
            places[*task] = place;
        }
        let mut planned: Vec<Planned> = Vec::with_capacity(order.len());
        let mut shared: BTreeMap<*const Settings, Arc<How>> = BTreeMap::new();
        for task in order {
            let known = &self.tasks[task];
            let how = shared.entry(Arc::as_ptr(&known.settings));
            let how = how
                .or_insert_with(|| Arc::new(self.how(&known.settings)))
                .clone();
            let task = self.planned(known, how, &places, &planned);
            planned.extend(task);
        }
        Plan {
            name: self.workflow.name().map(str::to_owned),
            workflow: *self.workflow.cid(),
            tasks: planned,
            notes: self.notes.into_list(),
        }
    }

    fn how(&self, settings: &Settings) -> How {
        let grants = settings.grant.iter().flatten();
        let limits: Limits = settings.limits.over(self.rules.usual);
        How {
            limits: limits.clamp(self.rules.max),
            grants: grants.map(|(grant, _)| grant.clone()).collect(),
            pin: settings.pin.clone(),
            retry: settings.retry.unwrap_or_default(),
            reuse: settings.reuse,
            site: settings.site.clone(),
        }
    }

    fn planned(
        &self,
        known: &Known<'_>,
        how: Arc<How>,
        places: &[usize],
        before: &[Planned],
    ) -> Option<Planned> {
        let mut targets = known
            .targets
            .iter()
            .map(|target| target.map(|target| places[target]));
        let mut needs = Vec::new();
        let mut arg = |value: &Value| self.arg(value, &mut targets, &mut needs);
        let args = known
            .task
            .args
            .iter()
            .map(|(value, _)| arg(value))
            .collect();
        let for_each = known.task.for_each.as_ref().map(|(each, _)| match each {
            Value::Data(data) => self.folder(&data.name),
            each => arg(each),
        });
        needs.sort_unstable();
        needs.dedup();
        let flows_in = needs.iter().any(|need: &Need| before[need.task].is_secret);
        let catch = known.catch.clone().map(|catch| match catch {
            Caught::Rewire(task) => Caught::Rewire(places[task]),
            Caught::Handler {
                resource,
                func,
                rewire,
            } => Caught::Handler {
                resource,
                func,
                rewire: rewire.into_iter().map(|task| places[task]).collect(),
            },
            other => other,
        });
        let rewired = match &catch {
            Some(Caught::Rewire(task)) => std::slice::from_ref(task),
            Some(Caught::Handler { rewire, .. }) => rewire,
            _ => &[],
        };
        let flows_in = flows_in || rewired.iter().any(|task| before[*task].is_secret);
        Some(Planned {
            label: (&*known.task.label).into(),
            place: (!known.task.place.is_nowhere()).then_some(known.task.place),
            template: self.template(known, args)?,
            promise: known.promise?,
            needs,
            how,
            catch,
            for_each,
            is_secret: known.settings.secret.unwrap_or(flows_in),
        })
    }

    fn folder(&self, name: &str) -> Arg {
        let entries = self
            .resources
            .get(name)
            .and_then(|found| found.entries.as_ref());
        let entries = entries.into_iter().flatten();
        Arg::Plain(Ipld::Map(
            entries
                .map(|(name, cid)| (name.clone(), Ipld::Link(*cid)))
                .collect(),
        ))
    }

    fn arg(
        &self,
        value: &Value,
        targets: &mut impl Iterator<Item = Option<usize>>,
        needs: &mut Vec<Need>,
    ) -> Arg {
        match value {
            Value::Plain(plain) => Arg::Plain(plain.clone()),
            Value::List(items) => Arg::List(
                items
                    .iter()
                    .map(|item| self.arg(item, targets, needs))
                    .collect(),
            ),
            Value::Map(entries) => {
                let mut args = BTreeMap::new();
                for (key, value) in entries {
                    args.insert(key.clone(), self.arg(value, targets, needs));
                }
                Arg::Map(args)
            }
            Value::Await(awaited) => match targets.next().flatten() {
                Some(task) => {
                    let need = Need {
                        task,
                        branch: awaited.branch,
                    };
                    needs.push(need);
                    Arg::Await(need)
                }
                // A plan is made only where every await leads to a task.
                None => Arg::Plain(Ipld::Null),
            },
            Value::Data(data) => match self.data(&data.name) {
                Some(cid) => Arg::Plain(Ipld::Link(cid)),
                None => Arg::Plain(Ipld::Null),
            },
            Value::Each(each) => match each.part {
                crate::workflow::Part::Value => Arg::EachValue,
                crate::workflow::Part::Key => Arg::EachKey,
            },
        }
    }
}

/// Most labels that a wrong one is compared with. Among more, a search costs more than it helps.
const LABELS_COMPARED_MAX: usize = 10_000;

/// True for the entry of a command, whose arguments are texts.
fn is_command(function: &Function) -> bool {
    let interface = function.interface.as_deref().unwrap_or_default();
    interface.starts_with("wasi:cli/run@") && function.name == "run"
}
