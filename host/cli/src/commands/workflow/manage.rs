//! Workflows that this machine's node runs since somebody asks it to.
//!
//! There is no folder beside them, so what they name is content. Those of the owner may reach what their files say, as with
//! `homestar run`. Those of others reach nothing outside: who may have them run was not let to do more.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use homestar_core::ipld::Ipld;
use homestar_core::key::SigningKey;
use homestar_core::plan::{How, Rules};
use homestar_core::receipt::Receipt;
use homestar_core::schedule::Summary;
use homestar_core::task::Instruction;
use homestar_core::ucan::verify::LEEWAY;
use homestar_core::ucan::{Did, Leave};
use homestar_core::workflow::{Site, Workflow};
use homestar_engine::Engine as Wasm;
use homestar_node::{
    Ended, Execute, Executed, Fault, FaultKind, Manager, Node, Prepared, RunTasks, Source, Trouble,
    Work,
};

use super::super::data::Data;
use super::super::load::Loading;
use super::super::run::request;
use super::board::{Board, Style};
use super::execute::Engine;
use super::find::Files;
use super::guests::Guests;
use super::prepare;
use crate::authority::Authority;
use crate::error::{CommandError, Kind};
use crate::settings::Settings;
use crate::telemetry::{Telemetry, Traced};
use crate::{folders, keyring, print};

/// The command by which tasks write content, which is what comes of them.
const STORE: &str = "/blocks/put";

/// Makes workflows ready to run in a node.
#[derive(Debug)]
pub(crate) struct Workflows {
    key: Arc<SigningKey>,
    loading: Arc<Loading>,
    engine: Arc<Wasm>,
    rules: Rules,
    source: Arc<Source>,
    jobs: usize,
}

impl Workflows {
    /// Lets a node run workflows. Its store is in the folder `place`.
    pub(crate) fn begin(
        node: &Node,
        settings: &Settings,
        place: &Path,
    ) -> Result<(), CommandError> {
        let authority = Authority::new(settings, &[], &[]);
        let rules = super::rules(settings, settings.limits(), authority.ceiling());
        let loading = Loading::of_node(authority, settings)?;
        let workflows = Self {
            key: Arc::new(keyring::key()?),
            engine: Arc::new(loading.engine()?),
            loading: Arc::new(loading),
            rules,
            source: Arc::clone(node.source()),
            jobs: thread::available_parallelism().map_or(1, NonZero::get),
        };
        let locks: PathBuf = place.join(super::run::LOCKS);
        node.run_workflows(Arc::new(workflows), locks);
        Ok(())
    }

    fn try_prepare(&self, workflow: &Workflow, by: Option<&Did>) -> Result<Prepared, CommandError> {
        let sites = workflow.sites();
        if let Some(Site::Peer(peer)) = sites.iter().find(|site| matches!(site, Site::Peer(_))) {
            let words =
                format!("a task's `place` is {peer}, and what a node is asked to run runs there");
            let error = CommandError::input(words);
            return Err(error.hint("`homestar run` without --node runs tasks on several nodes"));
        }
        let source = Arc::clone(&self.source);
        let data = Arc::new(Data::new(move || Ok(Arc::clone(&source).into()), None));
        // Nothing that it reads or writes is collected while it runs.
        data.content()?;
        let (engine, loading) = (Arc::clone(&self.engine), Arc::clone(&self.loading));
        let guests = Guests::of(engine, loading, data);
        let file = Path::new("the workflow");
        let checked = prepare::check(workflow, file, &guests, &self.rules, Files::Content)?;
        let leave = by.map(|by| lent(&self.key, by)).transpose()?;
        Ok(Prepared {
            plan: checked.plan,
            tasks: Box::new(Tasks {
                guests,
                key: Arc::clone(&self.key),
                board: Board::new(Style::Silent),
                leave,
                telemetry: None,
            }),
            jobs: self.jobs,
        })
    }

    fn try_effects(&self) -> Result<Ipld, CommandError> {
        let mut effects = folders::effects(&[]);
        self.loading.authority.give(&mut effects)?;
        Ok(Ipld::List(
            effects.iter().map(super::super::effect::facts).collect(),
        ))
    }
}

impl Manager for Workflows {
    fn prepare(&self, workflow: &Workflow, by: Option<&Did>) -> Result<Prepared, Fault> {
        self.try_prepare(workflow, by).map_err(fault)
    }

    fn effects(&self) -> Result<Ipld, Fault> {
        self.try_effects().map_err(fault)
    }

    fn warn(&self, words: &str) {
        print::warning(words);
    }
}

fn fault(error: CommandError) -> Fault {
    let kind = match error.kind {
        Kind::Usage => FaultKind::Usage,
        Kind::Input => FaultKind::Input,
        Kind::Denied => FaultKind::Denied,
        Kind::Host | Kind::Silent => FaultKind::Host,
    };
    let mut fault = Fault::new(kind, error.message());
    let problems = error.listed.into_iter();
    fault.problems = problems.map(|problem| problem.facts).collect();
    fault.hint = error.hints.into_iter().next();
    fault
}

/// Returns what somebody else's tasks may do: keep what they give, and nothing of the outside.
fn lent(key: &SigningKey, by: &Did) -> Result<Arc<Leave>, CommandError> {
    let chain = request::lend(key, by, STORE)?;
    Ok(Arc::new(Leave::new(vec![chain], LEEWAY)))
}

/// Runs the tasks of one workflow.
#[derive(Debug)]
struct Tasks {
    guests: Guests,
    key: Arc<SigningKey>,
    /// Passes on what tasks log.
    board: Board,
    leave: Option<Arc<Leave>>,
    telemetry: Option<Telemetry>,
}

impl Tasks {
    fn engine(&self) -> Traced<'_, Engine<'_>> {
        let engine = Engine {
            guests: &self.guests,
            key: &self.key,
            board: &self.board,
            away: None,
            leave: self.leave.as_ref(),
        };
        Traced {
            engine,
            telemetry: self.telemetry.as_ref(),
        }
    }
}

impl RunTasks for Tasks {
    fn begun(&mut self, run: &str, workflow: &Workflow, is_resumed: bool) {
        self.telemetry = Telemetry::begin(run, workflow, is_resumed);
    }

    fn found(&self, label: &str, is_secret: bool, receipt: &Receipt) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.found(label, is_secret, receipt);
        }
    }

    fn ended(&mut self, how: Ended, summary: &Summary) {
        if let Some(telemetry) = self.telemetry.take() {
            telemetry.end(how, summary);
        }
    }
}

impl Execute for Tasks {
    fn execute(&self, work: &Work) -> Result<Executed, Trouble> {
        self.engine().execute(work)
    }

    fn is_pure(&self, instruction: &Instruction, how: &How) -> bool {
        self.engine().is_pure(instruction, how)
    }

    fn is_answer(&self, instruction: &Instruction, how: &How, receipt: &Receipt) -> bool {
        self.engine().is_answer(instruction, how, receipt)
    }
}
