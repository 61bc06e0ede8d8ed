//! Tasks that this machine's node runs for others.
//!
//! They have a store of their own, so that nobody reads by naming it what is the operator's: what they read is what they send, what
//! is shared here, or what others give.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use homestar_core::ipld::Cid;
use homestar_core::key::SigningKey;
use homestar_core::market::{Ask, Award, ExecutorSettings, Reason, Refusal, Unwilling};
use homestar_core::outcome::{Kind as Ended, Outcome};
use homestar_core::receipt::Receipt;
use homestar_core::task::{Instruction, Limits, RunRequest};
use homestar_core::ucan::{Container, Did, Invocation};
use homestar_engine::{Answers, Call, Engine, Stop};
use homestar_node::{
    Admitted, Broken, Node, Order, PeerId, Record, Reference, Run, Source, Store, Workshop, now_ms,
    peer_of, seen,
};

use super::super::data::Data;
use super::super::load::Loading;
use super::super::storage;
use super::{request, sign};
use crate::authority::Authority;
use crate::error::{Caused, CommandError, Kind};
use crate::files::Stdin;
use crate::settings::Settings;
use crate::{folders, keyring, print};

/// The folder in that of the store which holds what is done for others.
const OTHERS: &str = "others";

/// The command by which tasks write content.
const STORE: &str = "/blocks/put";

/// Whose tasks are run.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct WorksFor {
    anyone: bool,
    delegated: bool,
    signers: HashSet<Did>,
    peers: HashSet<PeerId>,
}

impl WorksFor {
    /// Reads what was typed and what the settings say.
    pub(in crate::commands) fn parse(
        typed: &[String],
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let mut whom = Self::default();
        let decided = settings.file().work.whom.iter();
        let decided =
            decided.map(|text| (text, format!("`for` under [work] of {}", settings.name())));
        let typed = typed.iter().map(|text| (text, "--work-for".to_owned()));
        for (text, place) in typed.chain(decided) {
            match text.as_str() {
                "anyone" => whom.anyone = true,
                "delegated" => whom.delegated = true,
                "trusted" => {
                    // They were read before.
                    let trusted = settings.file().network.trusted.iter();
                    whom.peers
                        .extend(trusted.filter_map(|id| id.parse::<PeerId>().ok()));
                }
                signer => {
                    let did = signer.parse().map_err(|_| {
                        let words = format!(
                            "{place} names `{signer}`, and those are did:key:…, trusted, delegated and anyone"
                        );
                        CommandError::input(words)
                            .hint("`homestar key show` says the name of a key")
                    })?;
                    whom.signers.insert(did);
                }
            }
        }
        Ok(whom)
    }

    /// Whether there is nobody.
    pub(in crate::commands) fn is_nobody(&self) -> bool {
        !self.anyone && !self.delegated && self.signers.is_empty() && self.peers.is_empty()
    }

    /// Whether somebody's tasks are run who shows no delegation.
    fn lets(&self, requester: &Did) -> bool {
        let is_trusted = || peer_of(requester).is_some_and(|peer| self.peers.contains(&peer));
        self.anyone || self.signers.contains(requester) || is_trusted()
    }
}

/// Lets a node run tasks for others. `mine` is its own store, in the folder `place`.
pub(in crate::commands) fn begin(
    node: &Node,
    works_for: WorksFor,
    jobs: Option<NonZero<u16>>,
    settings: &Settings,
    mine: Arc<dyn Store>,
    place: &Path,
) -> Result<(), CommandError> {
    let others = storage::open(&place.join(OTHERS), storage::config(settings))?;
    let authority = Authority::new(settings, &[], &[]);
    let loading = Loading::of_node(authority, settings)?;
    let engine = loading.engine()?;
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = jobs.map_or(processors, |jobs| jobs.get().into());
    let most = settings.limits_max();
    let shop = Shop {
        key: keyring::key()?,
        works_for,
        loading,
        engine,
        usual: settings.limits(),
        most,
        mine,
        others: Arc::new(Source::new(Arc::new(others.clone()), node.ways())),
    };
    let executor = ExecutorSettings {
        jobs,
        memory: most.memory_bytes.saturating_mul(jobs as u64),
        ..ExecutorSettings::default()
    };
    let key = keyring::key()?;
    node.work(
        executor,
        Arc::new(Works(Arc::new(shop))),
        key,
        Arc::new(others),
    );
    Ok(())
}

/// Runs tasks of others.
#[derive(Clone, Debug)]
struct Works(Arc<Shop>);

/// What that takes.
struct Shop {
    key: SigningKey,
    works_for: WorksFor,
    loading: Loading,
    engine: Engine,
    usual: Limits,
    most: Limits,
    /// Where the operator's tokens and revocations are.
    mine: Arc<dyn Store>,
    /// Where tasks read and write.
    others: Arc<Source>,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shop({:?})", self.works_for)
    }
}

impl Shop {
    fn refused(&self, requester: &Did) -> String {
        format!("{} doesn't work for {requester}", self.key.did())
    }
}

impl Workshop for Works {
    fn would(&self, ask: &Ask) -> Result<u64, Unwilling> {
        let shop = &self.0;
        let unwilling = |reason, words| Err(Unwilling { reason, words });
        if !shop.works_for.lets(&ask.requester) && !shop.works_for.delegated {
            return unwilling(Reason::Stranger, shop.refused(&ask.requester));
        }
        if ask.memory > shop.most.memory_bytes {
            let most = print::size(shop.most.memory_bytes);
            return unwilling(
                Reason::Limits,
                format!("no task has more than {most} of memory"),
            );
        }
        if u128::from(ask.time) > shop.most.time.as_millis() {
            let words = format!("no task has more than {:?}", shop.most.time);
            return unwilling(Reason::Limits, words);
        }
        let store = shop.others.store();
        let missing = ask.content.iter().filter(|content| {
            let there = store.size(&content.cid);
            !matches!(there, Ok(Some(_)))
        });
        Ok(missing.fold(0, |sum, content| content.bytes.saturating_add(sum)))
    }

    fn admit(&self, ask: &Ask, award: &Award) -> Result<Admitted, Refusal> {
        let shop = &self.0;
        let denied = |words: String| Refusal::new(Reason::Denied, words);
        let container = Container::decode(&award.tokens);
        let container = container.map_err(|error| denied(error.to_string()))?;
        let own = shop.key.did();
        let admitted = request::admit_for("the invocation", &container, &own, &shop.mine);
        let mut admitted = admitted.map_err(|error| denied(error.message()))?;
        let requester = admitted.requester;
        let is_let = match admitted.subject == own {
            true => shop.works_for.delegated || shop.works_for.lets(&requester),
            false => admitted.subject == requester && shop.works_for.lets(&requester),
        };
        if !is_let {
            let words = shop.refused(&requester);
            return Err(Refusal::new(Reason::Stranger, words));
        }
        let instruction = admitted.instruction();
        let instruction = instruction.map_err(|error| denied(error.message()))?;
        if *instruction.link().cid() != ask.instruction {
            return Err(denied("the invocation is for another task".to_owned()));
        }
        // What comes of it has to be kept somewhere: in the store of others, as much as its limits say.
        let lent = admitted.delegate(&shop.key, STORE);
        lent.map_err(|_| denied("this host failed".to_owned()))?;
        let order = Task {
            shop: Arc::clone(shop),
            limits: admitted.limits(shop.usual, shop.most),
            admitted,
            instruction,
        };
        Ok(Admitted {
            requester,
            order: Box::new(order),
        })
    }

    /// What was carried out is noted before it begins, for as long as the invocation could come again.
    fn begun(&self) -> BTreeSet<Cid> {
        let store = self.0.others.store();
        let noted = seen::accepted(&**store).unwrap_or_default();
        let instruction = |cid: &Cid| {
            let block = store.get(cid).ok()??;
            let invocation = Invocation::decode(block.bytes()).ok()?;
            let arguments = invocation.payload().arguments.clone();
            let request = RunRequest::from_arguments(arguments).ok()?;
            Some(*request.instruction().ok()?.link().cid())
        };
        noted.iter().filter_map(instruction).collect()
    }

    fn effects(&self) -> BTreeMap<String, Cid> {
        let effects = folders::effects(&[]);
        let offered = effects.iter().flat_map(|effect| {
            let cid = *effect.cid();
            effect.offers().map(move |name| (name.to_owned(), cid))
        });
        offered.collect()
    }
}

/// A task of somebody else's.
struct Task {
    shop: Arc<Shop>,
    admitted: request::Admitted,
    instruction: Instruction,
    limits: Limits,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Task({:?})", self.instruction.link())
    }
}

impl Order for Task {
    fn run(self: Box<Self>, stop: &Stop) -> Result<Receipt, Broken> {
        let mut begun = false;
        self.receipt(stop, &mut begun).map_err(|error| {
            let words = match error.kind {
                // What is wrong here is none of their business.
                _ if stop.is_stopped() => "nobody waits for it".to_owned(),
                Kind::Host | Kind::Silent => {
                    print::warning(&format!("a task for others failed: {}", error.message()));
                    "this host failed".to_owned()
                }
                Kind::Usage | Kind::Input | Kind::Denied => error.message(),
            };
            Broken { words, begun }
        })
    }
}

impl Task {
    fn receipt(&self, stop: &Stop, begun: &mut bool) -> Result<Receipt, CommandError> {
        let (shop, admitted) = (&self.shop, &self.admitted);
        let source = Arc::clone(&shop.others);
        let data = Arc::new(Data::new(move || Ok(Arc::clone(&source).into()), None));
        // Nothing that it reads or writes is collected while it runs.
        data.content()?;
        let named = Reference::Content(admitted.component().into());
        let mut stdin = Stdin::default();
        let loaded = shop
            .loading
            .component(&shop.engine, &named, &mut stdin, &data)?;
        let component = &loaded.component;
        admitted.asked(component)?;
        admitted.check(component, &self.instruction)?;
        let grants = shop.loading.authority.task();
        let is_pure = component.is_pure(&grants.within(&admitted.leave));
        let store = shop.others.store();
        if is_pure {
            let is_answer = |receipt: &Receipt| receipt.meta().effects == component.effects();
            let found = Run::find(&**store, &self.instruction, None, now_ms(), is_answer);
            if let Some((receipt, _)) = found.map_err(CommandError::host)? {
                return Ok(receipt);
            }
        }
        if stop.is_stopped() {
            return Err(CommandError::input("it was stopped"));
        }
        *begun = !is_pure;
        admitted
            .accept(&data, is_pure)
            .inspect_err(|_| *begun = false)?;
        let mut call = Call::new(&self.instruction, &self.limits);
        call.answers = Answers::Drivers(grants);
        call.leave = Some(Arc::clone(&admitted.leave));
        call.blocks = Some(data.clone());
        call.stop = Some(stop.clone());
        let done = shop.engine.call(component, call);
        let mut done = done.map_err(|error| match error {
            homestar_engine::CallError::Host(_) => CommandError::host(error),
            error => CommandError::input(error),
        })?;
        if let Outcome::Error(failure) = &done.outcome
            && failure.kind == Ended::Unavailable
        {
            // Somebody else may have what isn't to be had here.
            return Err(CommandError::input(failure.message.clone()));
        }
        let asked_by = Some(admitted.asked_by());
        let signed = sign::sign(&shop.key, component, &self.instruction, &mut done, asked_by)?;
        let blocks = signed.blocks(&self.instruction)?;
        let record = Record {
            receipt: &signed.receipt,
            blocks: &blocks,
            is_believed: true,
            at_ms: now_ms(),
        };
        store.record(&[record]).map_err(|error| {
            CommandError::host(Caused::new("can't keep the receipt in the store", error))
        })?;
        Ok(signed.receipt)
    }
}
