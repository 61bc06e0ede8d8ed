//! Tasks that other nodes run, by `--on`.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use homestar_core::ipld::{Cid, Ipld};
use homestar_core::key::SigningKey;
use homestar_core::market::{Content, Offer, Reason, Refusal, Unrun};
use homestar_core::outcome::{Failure, Outcome, read_linked};
use homestar_core::receipt::Receipt;
use homestar_core::task::{Instruction, Limits, Nonce};
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::{Delegation, Did};
use homestar_core::unixfs::blocks_of_file;
use homestar_core::wit::{self, Type, Value};
use homestar_core::workflow::Site;
use homestar_engine::{Blocks, Component, Done, Stop};
use homestar_node::{
    Errand, Errands, Lent, NotRun, PeerAddress, PeerId, Peers, PeersSettings, Ran, Record, Source,
    did_of, links_of, now_ms, peer_of, wait_for,
};

use super::super::data::Data;
use super::super::load::Loaded;
use super::super::{node, storage, ucan};
use super::request::{self, TokenOptions};
use super::{Options, exit_code, show, sign};
use crate::error::{Caused, CommandError};
use crate::interrupt::{self, INTERRUPTED};
use crate::settings::Settings;
use crate::{files, keyring, print};

/// For how long somebody is looked for who isn't busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of the tokens that ask for a task: they have to fit into a message.
const TOKENS_BYTES_MAX: usize = 60 << 10;

/// Where a task is run.
#[derive(Clone, Debug)]
pub(in crate::commands) enum On {
    /// On this machine.
    Local,
    /// By whomever would run it first.
    Any,
    /// By who is there.
    At(PeerAddress),
    /// By a peer that is known.
    Peer(PeerId),
}

impl FromStr for On {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "local" => Ok(Self::Local),
            "any" => Ok(Self::Any),
            _ => text
                .parse()
                .map(Self::At)
                .or_else(|_| text.parse().map(Self::Peer))
                .map_err(|_| {
                    "not a peer's address such as /ip4/192.0.2.1/tcp/4808/p2p/12D3KooW…, its id, any, or local"
                }),
        }
    }
}

/// Why there is no receipt of what somebody else was to run.
#[derive(Debug)]
pub(in crate::commands) enum NotDone {
    /// Nobody waits for it any more.
    Stopped,
    Failed(CommandError),
}

impl From<CommandError> for NotDone {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

/// Whoever may run a task.
#[derive(Debug)]
pub(crate) struct Away {
    errands: Errands,
    peers: Peers,
    lent: Arc<Lent>,
    /// Who is connected, and may be asked for what says nothing of who runs it. Nobody, if that runs here.
    candidates: Vec<Did>,
    /// The same for what says it.
    sites: HashMap<Site, Vec<Did>>,
    key: SigningKey,
    tokens: TokenOptions,
    /// That are shown to them.
    delegations: Arc<[Delegation]>,
}

impl Away {
    /// Connects to those that may run a task; none if it runs here.
    pub(super) fn begin(
        on: &On,
        options: &Options,
        settings: &Settings,
    ) -> Result<Option<Self>, CommandError> {
        Self::begin_for(Some(on), &BTreeSet::new(), options, settings)
    }

    /// Connects to those that may run tasks of a workflow; none if all run here. `on` is about those that say nothing of who
    /// runs them, unless it is that all run here.
    pub(super) fn begin_for(
        on: Option<&On>,
        said: &BTreeSet<Site>,
        options: &Options,
        settings: &Settings,
    ) -> Result<Option<Self>, CommandError> {
        if matches!(on, Some(On::Local)) {
            return Ok(None);
        }
        let book = Book::new(options, settings);
        let usual = on.map_or(Ok(Vec::new()), |on| book.addresses(on))?;
        let mut sites = HashMap::new();
        for site in said {
            if let Some(addresses) = book.of_site(site)? {
                sites.insert(site.clone(), addresses);
            }
        }
        let mut all: Vec<_> = usual
            .iter()
            .chain(sites.values().flatten())
            .cloned()
            .collect();
        let mut ids = HashSet::new();
        all.retain(|address| ids.insert(address.id()));
        if all.is_empty() {
            return Ok(None);
        }
        let key = keyring::key()?;
        let among = PeersSettings {
            peers: options.storage.peers().to_vec(),
            ..PeersSettings::default()
        };
        let began = Errands::among(among, &storage::new_key()?);
        let (errands, peers, lent) = began.map_err(CommandError::host)?;
        let reached = match connect(&peers, &all) {
            Ok(reached) => reached,
            // Whoever may run it may be anybody, and this machine too.
            Err(error) if on.is_none() && !said.iter().any(|it| matches!(it, Site::Peer(_))) => {
                print::warning(&format!("all runs here: {}", error.message()));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        for who in reached.values() {
            errands.know(*who);
        }
        let among = |addresses: &[PeerAddress]| -> Vec<Did> {
            let ids = addresses.iter().map(PeerAddress::id);
            ids.filter_map(|id| reached.get(&id).copied()).collect()
        };
        let candidates = among(&usual);
        let mut found = HashMap::new();
        for (site, addresses) in sites {
            let candidates = among(&addresses);
            if let (Site::Peer(name), true) = (&site, candidates.is_empty()) {
                return Err(CommandError::input(format!("{name} can't be reached")));
            }
            found.insert(site, candidates);
        }
        Ok(Some(Self {
            errands,
            peers,
            lent,
            candidates,
            sites: found,
            key,
            tokens: options.tokens.clone(),
            delegations: request::delegations(&options.tokens)?.into(),
        }))
    }

    /// Returns content that may come from those peers.
    pub(super) fn data(
        &self,
        options: &Options,
        settings: &Settings,
    ) -> Result<Data, CommandError> {
        let peers = Some(self.peers.clone());
        options.storage.data_among(settings, peers)
    }

    /// Has the task run, prints what came of it, and returns the exit code.
    pub(super) fn run(
        self,
        options: &Options,
        loaded: &Loaded,
        instruction: &Instruction,
        limits: Limits,
        is_command: bool,
        data: &Arc<Data>,
    ) -> Result<u8, CommandError> {
        if options.receipt.as_deref().is_some_and(sign::holds_all) {
            let words = "a .car file is written where a task runs, and this one runs elsewhere";
            return Err(CommandError::usage(words).hint("`--receipt FILE` writes its receipt"));
        }
        let component = &loaded.component;
        let stop = Stop::new();
        let asked = stop.clone();
        interrupt::on_first(move || asked.stop())?;
        let Ran { by, receipt } = match self.ran(loaded, instruction, &limits, data, &stop) {
            Ok(ran) => ran,
            Err(NotDone::Stopped) => {
                self.end();
                print::note("whoever has it was told that nobody waits for it");
                return Ok(INTERRUPTED);
            }
            Err(NotDone::Failed(error)) => return Err(error),
        };
        fetch(&receipt, data)?;
        keep(&receipt, component, instruction, data)?;
        let outcome = whole(receipt.outcome(), component, instruction, &limits, data)?;
        let spent = (receipt.meta().fuel, receipt.meta().memory_peak);
        let done = done(outcome, spent, component, instruction)?;
        if let Some(path) = &options.receipt {
            files::write(path, receipt.block().bytes())?;
        }
        let shown = show(options, &done, is_command, data);
        let peer = peer_of(&by).map_or_else(String::new, |peer| format!("{peer}, "));
        print::note(&format!("{peer}{by} ran it"));
        if options.stats {
            let stats = show::Stats {
                component,
                instruction,
                receipt: Some(&receipt),
                done: &done,
                calls: None,
                load_time: None,
            };
            print::err(&stats.text());
        }
        self.end();
        shown.map(|()| exit_code(&done))
    }

    fn ran(
        &self,
        loaded: &Loaded,
        instruction: &Instruction,
        limits: &Limits,
        data: &Data,
        stop: &Stop,
    ) -> Result<Ran, NotDone> {
        let (_, blocks) = blocks_of_file(&loaded.bytes()?);
        let content = data.content()?;
        content.put(&blocks).map_err(CommandError::host)?;
        self.have_run(
            &self.candidates,
            &loaded.component,
            instruction,
            limits,
            data,
            stop,
        )
    }

    /// How many there are who may be asked.
    pub(in crate::commands) fn count(&self) -> usize {
        let sites = self.sites.values().flatten();
        let all: HashSet<_> = self.candidates.iter().chain(sites).collect();
        all.len()
    }

    /// Returns who may be asked for a task of a workflow. Nobody, if it runs here.
    pub(in crate::commands) fn candidates(&self, site: Option<&Site>) -> &[Did] {
        match site {
            None => &self.candidates,
            Some(site) => self.sites.get(site).map_or(&[], Vec::as_slice),
        }
    }

    /// Has a task of a workflow run whose component is in the store, and fetches what came of it.
    pub(in crate::commands) fn receipt(
        &self,
        on: &[Did],
        component: &Component,
        instruction: &Instruction,
        limits: &Limits,
        data: &Data,
        stop: &Stop,
    ) -> Result<Receipt, NotDone> {
        let ran = self.have_run(on, component, instruction, limits, data, stop)?;
        fetch(&ran.receipt, data)?;
        Ok(ran.receipt)
    }

    /// Ends it in order: the last word to who ran something is on its way.
    pub(in crate::commands) fn end(self) {
        drop(self.errands);
        wait_for(self.peers.shutdown());
    }

    fn have_run(
        &self,
        on: &[Did],
        component: &Component,
        instruction: &Instruction,
        limits: &Limits,
        data: &Data,
        stop: &Stop,
    ) -> Result<Ran, NotDone> {
        let source = data.content()?.source();
        self.lent.from_store(Arc::clone(source.store()));
        let mut roots = vec![*component.cid()];
        let args = &instruction.input().args;
        args.iter().for_each(|arg| links(arg, &mut roots));
        let content = roots.iter().map(|cid| Content {
            cid: *cid,
            bytes: size(source, cid),
        });
        let offer = Offer {
            on: on.to_vec(),
            pure: is_pure(component),
            memory: limits.memory_bytes,
            time: limits.time,
            content: content.collect(),
            patience: PATIENCE,
            ..Offer::new(*instruction.link().cid(), self.key.did())
        };
        let invoke = Invoker {
            options: self.tokens.clone(),
            delegations: Arc::clone(&self.delegations),
            key: self.key.clone(),
            instruction: instruction.clone(),
            limits: *limits,
        };
        for who in on {
            invoke.check(who)?;
        }
        let errand = Errand {
            offer,
            roots,
            invoke: Box::new(move |executor| {
                invoke.tokens(executor).map_err(|error| error.message())
            }),
        };
        self.errands
            .run(errand, stop)
            .map_err(|not_run| match not_run.why {
                Unrun::Recalled => NotDone::Stopped,
                _ => NotDone::Failed(unrun(&not_run)),
            })
    }
}

/// Signs invocations.
struct Invoker {
    options: TokenOptions,
    delegations: Arc<[Delegation]>,
    key: SigningKey,
    instruction: Instruction,
    limits: Limits,
}

impl Invoker {
    fn tokens(&self, executor: &Did) -> Result<Vec<u8>, CommandError> {
        let container = request::ask(
            &self.options,
            &self.key,
            &self.delegations,
            Some(executor),
            &self.instruction,
            &self.limits,
        )?;
        Ok(container.encode(Encoding::BytesGzip))
    }

    /// Finds out before anybody is asked whether one could ask for it.
    fn check(&self, executor: &Did) -> Result<(), CommandError> {
        let tokens = self.tokens(executor)?;
        if tokens.len() <= TOKENS_BYTES_MAX {
            return Ok(());
        }
        let size = print::size(tokens.len() as u64);
        let words = format!("what is asked has {size}, and more than a message holds");
        Err(CommandError::input(words).hint(
            "`homestar add FILE` puts content into the store, and an argument @CID of a stream or a blob names it",
        ))
    }
}

/// Where peers are, as far as that is said.
struct Book<'a> {
    options: &'a Options,
    settings: &'a Settings,
    /// The node of this machine is asked once.
    known: OnceCell<Vec<PeerAddress>>,
}

impl<'a> Book<'a> {
    fn new(options: &'a Options, settings: &'a Settings) -> Self {
        Self {
            options,
            settings,
            known: OnceCell::new(),
        }
    }

    /// Returns the peers that are named somewhere: in options, in the settings, or by the node that runs here.
    fn known(&self) -> Result<&[PeerAddress], CommandError> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let mut known = self.options.storage.peers().to_vec();
        for text in &self.settings.file().network.peers {
            known.push(text.parse().map_err(|error| {
                let words = format!("can't use [network] of {}", self.settings.name());
                CommandError::input(Caused::new(words, error))
            })?);
        }
        known.extend(node::connected());
        known.extend(node::announced());
        let mut ids = HashSet::new();
        known.retain(|address: &PeerAddress| ids.insert(address.id()));
        Ok(self.known.get_or_init(|| known))
    }

    /// Returns where those are who may run what is to be run on them.
    fn addresses(&self, on: &On) -> Result<Vec<PeerAddress>, CommandError> {
        let addresses = match on {
            On::Local => return Ok(Vec::new()),
            On::At(address) => vec![address.clone()],
            On::Any => self.known()?.to_vec(),
            On::Peer(id) => {
                let known = self.known()?.iter();
                known.filter(|it| it.id() == *id).cloned().collect()
            }
        };
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        let words = match on {
            On::Peer(id) => format!("nobody here knows where {id} is"),
            _ => "no peer is known that could run it".to_owned(),
        };
        Err(CommandError::input(words).hint(
            "`--peer ADDRESS`, `peers` under [network] in homestar.toml, or `homestar node connect ADDRESS` names one",
        ))
    }

    /// The same for what a task of a workflow says. None if that is run here.
    fn of_site(&self, site: &Site) -> Result<Option<Vec<PeerAddress>>, CommandError> {
        match site {
            Site::Local => Ok(None),
            // Others may, and needn't.
            Site::Any => Ok(Some(self.known()?.to_vec())),
            Site::Peer(name) => {
                let on = name
                    .parse()
                    .map_err(|words| CommandError::input(format!("`place: {name}` is {words}")))?;
                self.addresses(&on).map(Some)
            }
        }
    }
}

/// Connects to all of them at once, and returns whom it reached.
fn connect(peers: &Peers, addresses: &[PeerAddress]) -> Result<HashMap<PeerId, Did>, CommandError> {
    let reached = thread::scope(|scope| {
        let connect = |address: &PeerAddress| {
            let (peers, address) = (peers.clone(), address.clone());
            scope.spawn(move || wait_for(peers.connect(address)))
        };
        let begun: Vec<_> = addresses.iter().map(connect).collect();
        let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
        ended.collect::<Vec<_>>()
    });
    let (mut found, mut faults) = (HashMap::new(), Vec::new());
    for (address, reached) in addresses.iter().zip(reached) {
        match (reached, did_of(&address.id())) {
            (Ok(Ok(())), Some(did)) => drop(found.insert(address.id(), did)),
            (Ok(Ok(())), None) => {
                faults.push(format!("{} doesn't say by its id who it is", address.id()));
            }
            (Ok(Err(error)), _) => faults.push(format!("{address} {error}")),
            (Err(_), _) => faults.push(format!("{address} can't be asked")),
        }
    }
    match found.is_empty() {
        true => Err(CommandError::input(faults.join("; "))),
        false => Ok(found),
    }
}

/// Whether a task is pure whatever is granted to it where it runs.
pub(in crate::commands) fn is_pure(component: &Component) -> bool {
    component.drivers_wired().is_empty()
}

/// Returns the nonce of a task. One that reaches the outside begins at most once on a node, so each time is another task.
pub(super) fn nonce(component: &Component) -> Result<Nonce, CommandError> {
    match is_pure(component) {
        true => Ok(Nonce::EMPTY),
        false => Nonce::bytes(&ucan::nonce()?).map_err(CommandError::host),
    }
}

/// Returns how many bytes content has, as far as the store knows: a file's are those of the whole.
fn size(source: &Source, cid: &Cid) -> u64 {
    let Ok(Some(block_bytes)) = source.store().size(cid) else {
        return 0;
    };
    let whole = source.look(cid).ok().and_then(|look| look.content_bytes);
    whole.unwrap_or(block_bytes)
}

/// Adds the links in a value.
pub(in crate::commands) fn links(value: &Ipld, found: &mut Vec<Cid>) {
    match value {
        Ipld::Link(cid) => found.push(*cid),
        Ipld::List(items) => items.iter().for_each(|item| links(item, found)),
        Ipld::Map(entries) => entries.values().for_each(|entry| links(entry, found)),
        _ => {}
    }
}

/// Fetches what the outcome links to: whoever ran it gives it to nobody else, and only now.
fn fetch(receipt: &Receipt, data: &Data) -> Result<(), CommandError> {
    let source = data.content()?.source();
    let mut ahead = Vec::new();
    links(&receipt.outcome().to_ipld(), &mut ahead);
    let mut seen: HashSet<Cid> = ahead.iter().copied().collect();
    while let Some(cid) = ahead.pop() {
        let block = source.get(&cid).map_err(|error| {
            let words =
                format!("the receipt is here, and {cid} of what came of the task isn't to be had");
            CommandError::host(Caused::new(words, error))
        })?;
        let mut below = links_of(&block);
        below.retain(|cid| seen.insert(*cid));
        source.ahead(&below);
        ahead.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Keeps the receipt. Whoever ran it was chosen, so what is pure answers for the next time.
fn keep(
    receipt: &Receipt,
    component: &Component,
    instruction: &Instruction,
    data: &Data,
) -> Result<(), CommandError> {
    let record = Record {
        receipt,
        blocks: std::slice::from_ref(instruction.block()),
        is_believed: is_pure(component),
        at_ms: now_ms(),
    };
    let recorded = data.content()?.source().store().record(&[record]);
    recorded.map_err(|error| {
        CommandError::host(Caused::new("can't keep the receipt in the store", error))
    })
}

/// Returns the outcome with what was too large for the receipt, which is fetched.
pub(super) fn whole(
    outcome: &Outcome,
    component: &Component,
    instruction: &Instruction,
    limits: &Limits,
    data: &Data,
) -> Result<Outcome, CommandError> {
    let source = data.content()?.source();
    let read = |cid: &Cid| {
        let value = read_linked(cid, limits.output_bytes, |cid| source.get(cid).ok());
        value.map_err(|error| {
            let words = format!("the receipt is here, and its value {cid} isn't to be had");
            CommandError::host(Caused::new(words, error))
        })
    };
    Ok(match outcome {
        Outcome::Ok(Ipld::Link(cid)) if !is_content(component, instruction) => {
            Outcome::Ok(read(cid)?)
        }
        Outcome::Error(failure) => match &failure.value {
            Some(Ipld::Link(cid)) => {
                let value = read(cid)?;
                let failure = Failure::new(failure.kind, failure.message.clone());
                Outcome::Error(failure.with_value(value))
            }
            _ => outcome.clone(),
        },
        outcome => outcome.clone(),
    })
}

/// Returns what a function gives when all goes well, and when not.
fn types(component: &Component, instruction: &Instruction) -> (Option<Type>, Option<Type>) {
    let export = component.find(&instruction.input().func);
    match export.ok().and_then(|it| it.function().result.clone()) {
        Some(Type::Result { ok, err }) => {
            let inner = |ty: Option<Arc<Type>>| ty.map(|ty| (*ty).clone());
            (inner(ok), inner(err))
        }
        ty => (ty, None),
    }
}

/// Whether a function gives content, which stays what it is: a link.
pub(super) fn is_content(component: &Component, instruction: &Instruction) -> bool {
    fn is_link(ty: &Type) -> bool {
        match ty {
            Type::Own(_) | Type::Borrow(_) | Type::Stream(_) | Type::Future(_) => true,
            Type::Option(inner) => is_link(inner),
            _ => false,
        }
    }
    types(component, instruction)
        .0
        .is_some_and(|ty| is_link(&ty))
}

/// Returns what there would be if the task had run here, as far as is told. `spent` is fuel and memory.
pub(super) fn done(
    outcome: Outcome,
    spent: (u64, u64),
    component: &Component,
    instruction: &Instruction,
) -> Result<Done, CommandError> {
    let (ok, err) = types(component, instruction);
    let typed = |value: &Ipld, ty: Option<Type>| -> Result<Option<(Value, Type)>, CommandError> {
        let Some(ty) = ty else { return Ok(None) };
        let value = wit::from_ipld(value.clone(), &ty).map_err(|error| {
            let words = "the receipt holds a value that isn't one of its function";
            CommandError::input(Caused::new(words, error))
        })?;
        Ok(Some((value, ty)))
    };
    let is_command = component.find(&instruction.input().func);
    let is_command = is_command.is_ok_and(homestar_engine::Export::is_command);
    let value = match &outcome {
        _ if is_command => None,
        Outcome::Ok(value) => typed(value, ok)?,
        Outcome::Error(failure) => match &failure.value {
            Some(value) => typed(value, err)?,
            None => None,
        },
    };
    Ok(Done {
        outcome,
        value,
        fuel: spent.0,
        memory_peak: spent.1,
        log: Vec::new(),
        asked: Vec::new(),
        recording: None,
        start_time: Duration::ZERO,
        run_time: Duration::ZERO,
    })
}

/// Prints what came of a task that ran elsewhere.
pub(super) fn show(
    options: &Options,
    done: &Done,
    is_command: bool,
    data: &Data,
) -> Result<(), CommandError> {
    match &done.outcome {
        // What a command wrote, which is passed on while it runs here.
        Outcome::Ok(Ipld::Bytes(stdout))
            if is_command && !options.json && options.output.is_none() =>
        {
            print::out(stdout)
        }
        _ => show::outcome(options, done, is_command, data),
    }
}

/// Says why nobody ran it.
fn unrun(not_run: &NotRun) -> CommandError {
    let refusals = &not_run.refusals;
    let said = |(who, refusal): &(Did, Refusal)| {
        let peer = peer_of(who).map_or_else(|| who.to_string(), |peer| peer.to_string());
        format!("{peer} says: {}", print::one_line(&refusal.words))
    };
    let mut said: Vec<String> = refusals.iter().map(said).collect();
    said.dedup();
    let words = match not_run.why {
        Unrun::Refused if !said.is_empty() => format!("nobody runs it: {}", said.join("; ")),
        Unrun::Refused | Unrun::Nobody => {
            let seconds = PATIENCE.as_secs();
            format!(
                "nobody answered within {seconds} s who would run it; a node does that for whom its owner says"
            )
        }
        Unrun::Recalled => "nobody waits for it any more".to_owned(),
        Unrun::TooOften => format!(
            "it was given to several, and came back from none: {}",
            said.join("; ")
        ),
        Unrun::Lost => format!(
            "it may have been run, and no receipt came of it; since it reaches the outside, nobody else is asked. {}",
            said.join("; ")
        ),
    };
    let is = |reason| refusals.iter().any(|(_, refusal)| refusal.reason == reason);
    match () {
        () if is(Reason::Stranger) => CommandError::denied(words).hint(
            "its owner lets you by `for` under [work] in homestar.toml, or by a delegation of /wasm/run that `--proof` shows",
        ),
        () if is(Reason::Denied) => CommandError::denied(words),
        () if is(Reason::Limits) => {
            CommandError::input(words).hint("`--memory SIZE` and `--time TIME` ask for less")
        }
        () => CommandError::host(words),
    }
}
