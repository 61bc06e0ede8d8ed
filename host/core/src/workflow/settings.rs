//! What a task says about how it is run, and `defaults` for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fields::{Fields, Problems};
use super::problem::Fault;
use super::text::{Kind, Node, Place};
use super::value::{Style, Value};
use crate::grant::Grant;
use crate::ipld::{Cid, Ipld};
use crate::quantity;
use crate::task::Limits;

/// What is said about how a task is run. What is not said comes from `defaults`, then from whoever plans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The component.
    pub component: Option<Component>,
    /// What it may use.
    pub limits: LimitTable,
    /// What it may reach.
    pub grant: Option<Vec<(Grant, Place)>>,
    /// Which effect provides an interface: its name or its CID.
    pub pin: BTreeMap<String, String>,
    /// How often it is tried again.
    pub retry: Option<Retry>,
    /// Whether what it gives is kept out of logs and exports.
    pub secret: Option<bool>,
    /// What becomes of its failure.
    pub catch: Option<Catch>,
    /// How old a receipt may be that is used again though the outside had a part in it.
    pub reuse: Option<Duration>,
    /// Who runs it.
    pub site: Option<Site>,
}

/// Who runs a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// Whoever has the workflow run, whatever else they choose.
    Local,
    /// Others too.
    Any,
    /// A peer, by its address or its id.
    Peer(String),
}

/// The longest name of a peer.
const PEER_BYTES_MAX: usize = 512;

impl Site {
    fn read(text: &str) -> Option<Self> {
        match text {
            "local" => Some(Self::Local),
            "any" => Some(Self::Any),
            _ if text.len() > PEER_BYTES_MAX => None,
            address if address.starts_with('/') => Some(Self::Peer(address.to_owned())),
            // Ids are hashes or keys, in base58 or base32.
            id if id.len() > 40 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Some(Self::Peer(id.to_owned()))
            }
            _ => None,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Any => "any",
            Self::Peer(name) => name,
        }
    }
}

/// The name of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// How it is written.
    pub name: ComponentName,
    /// Where.
    pub place: Place,
}

/// How a component is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentName {
    /// A path, a CID, an `ipfs://` or an `https://` URL.
    Text(String),
    /// A link.
    Link(Cid),
}

/// Limits, as far as they are said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitTable {
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Time, waiting included.
    pub time: Option<Duration>,
    /// Bytes of the outcome.
    pub output: Option<u64>,
    /// Bytes that are written to storage.
    pub storage: Option<u64>,
    /// Bytes of the log.
    pub log: Option<u64>,
    /// Driver calls.
    pub calls: Option<u64>,
    /// Bytes that driver calls move.
    pub call_bytes: Option<u64>,
    /// Where they stand.
    pub place: Place,
}

/// How often a task is tried again that failed for what may pass, and how long it waits before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often at most, after the first time.
    pub times: u32,
    /// How long before the second time. Each time after that waits twice as long.
    pub backoff: Duration,
    /// The longest it waits.
    pub max: Duration,
}

/// What becomes of a task's failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Catch {
    /// Those who wait for the task get this value.
    Ok(Ipld),
    /// Those who wait for the task wait for another one.
    Rewire(String, Place),
    /// The failure says this.
    Message(String),
    /// A function is asked. It is given the failure and answers one of the above.
    Handler {
        /// The component; the task's own if there is none.
        component: Option<Component>,
        /// The function.
        call: String,
        /// Which tasks it may rewire to.
        rewire: Vec<(String, Place)>,
        /// Where it stands.
        place: Place,
    },
}

/// The most times that a task is tried again.
const MAX_RETRIES: u64 = 100;

impl Default for Retry {
    /// Never.
    fn default() -> Self {
        Self::times(0)
    }
}

impl Retry {
    /// So many times, after a second at first and a minute at the most.
    pub const fn times(times: u32) -> Self {
        Self {
            times,
            backoff: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }

    fn read(node: Node, problems: &mut Problems) -> Option<Self> {
        if let Kind::Leaf(Ipld::Integer(times)) = &node.kind {
            return match u64::try_from(*times) {
                Ok(times) if times <= MAX_RETRIES => Some(Self::times(times as u32)),
                _ => {
                    problems.at(
                        node.place,
                        Fault::Rule("a task is tried again 0 to 100 times"),
                    );
                    None
                }
            };
        }
        if !matches!(node.kind, Kind::Map(_)) {
            problems.kind("retry", &node, "a number or a map");
            return None;
        }
        let mut fields = Fields::of("retry", node, problems);
        let times = fields.amount("times", "a number", quantity::count);
        let (backoff, max) = (fields.time("backoff"), fields.time("max"));
        let place = fields.place();
        let usual = Self::times(times.unwrap_or(3).min(MAX_RETRIES) as u32);
        if times.is_some_and(|times| times > MAX_RETRIES) {
            fields
                .problems
                .at(place, Fault::Rule("a task is tried again 0 to 100 times"));
        }
        fields.end();
        let backoff = backoff.unwrap_or(usual.backoff);
        Some(Self {
            backoff,
            max: max.unwrap_or(usual.max.max(backoff)),
            ..usual
        })
    }

    fn to_ipld(self) -> Ipld {
        let entries = [
            ("times", Ipld::Integer(self.times.into())),
            ("backoff", time_to_ipld(self.backoff)),
            ("max", time_to_ipld(self.max)),
        ];
        map(entries)
    }
}

impl LimitTable {
    /// The limits, with what is not said taken from `usual`.
    pub fn over(&self, usual: Limits) -> Limits {
        Limits {
            fuel: self.fuel.unwrap_or(usual.fuel),
            memory_bytes: self.memory.unwrap_or(usual.memory_bytes),
            time: self.time.unwrap_or(usual.time),
            output_bytes: self.output.unwrap_or(usual.output_bytes),
            storage_bytes: self.storage.unwrap_or(usual.storage_bytes),
            log_bytes: self.log.unwrap_or(usual.log_bytes),
            calls: self.calls.unwrap_or(usual.calls),
            call_bytes: self.call_bytes.unwrap_or(usual.call_bytes),
            ..usual
        }
    }

    /// These, and where they say nothing those.
    pub(crate) fn or(&self, those: &Self) -> Self {
        Self {
            fuel: self.fuel.or(those.fuel),
            memory: self.memory.or(those.memory),
            time: self.time.or(those.time),
            output: self.output.or(those.output),
            storage: self.storage.or(those.storage),
            log: self.log.or(those.log),
            calls: self.calls.or(those.calls),
            call_bytes: self.call_bytes.or(those.call_bytes),
            place: if self.place.is_nowhere() {
                those.place
            } else {
                self.place
            },
        }
    }

    fn read(node: Node, problems: &mut Problems) -> Self {
        const COUNT: &str = "a number such as 10000 or \"10k\"";
        const SIZE: &str = "a size such as 4096 or \"64MiB\"";
        let mut fields = Fields::of("limits", node, problems);
        let limits = Self {
            fuel: fields.amount("fuel", COUNT, quantity::fuel),
            memory: fields.amount("memory", SIZE, quantity::bytes),
            time: fields.time("time"),
            output: fields.amount("output", SIZE, quantity::bytes),
            storage: fields.amount("storage", SIZE, quantity::bytes),
            log: fields.amount("log", SIZE, quantity::bytes),
            calls: fields.amount("calls", COUNT, quantity::count),
            call_bytes: fields.amount("call-bytes", SIZE, quantity::bytes),
            place: fields.place(),
        };
        fields.end();
        limits
    }

    fn to_ipld(self) -> Option<Ipld> {
        let amount = |amount: Option<u64>| amount.map(|amount| Ipld::Integer(amount.into()));
        let entries = [
            ("fuel", amount(self.fuel)),
            ("memory", amount(self.memory)),
            ("time", self.time.map(time_to_ipld)),
            ("output", amount(self.output)),
            ("storage", amount(self.storage)),
            ("log", amount(self.log)),
            ("calls", amount(self.calls)),
            ("call-bytes", amount(self.call_bytes)),
        ];
        let said: BTreeMap<_, _> = entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        (!said.is_empty()).then_some(Ipld::Map(said))
    }
}

impl Component {
    pub(super) fn read(field: &str, node: &Node, problems: &mut Problems) -> Option<Self> {
        let place = node.place;
        let name = match (node.as_str(), node.as_link()) {
            (Some(text), _) if !text.is_empty() => ComponentName::Text(text.to_owned()),
            (_, Some(cid)) => ComponentName::Link(*cid),
            _ => {
                problems.kind(field, node, "a path, a URL, a CID or a link");
                return None;
            }
        };
        Some(Self { name, place })
    }

    fn to_ipld(&self) -> Ipld {
        match &self.name {
            ComponentName::Text(text) => Ipld::String(text.clone()),
            ComponentName::Link(cid) => Ipld::Link(*cid),
        }
    }
}

impl Catch {
    fn read(node: Node, problems: &mut Problems) -> Option<Self> {
        let place = node.place;
        let mut fields = Fields::of("catch", node, problems);
        let answers = ["ok", "msg", "call"]
            .into_iter()
            .filter(|key| fields.has(key))
            .count();
        let is_rewire = answers == 0 && fields.has("rewire");
        if answers + usize::from(is_rewire) != 1 {
            let rule = Fault::Rule("`catch` holds one of `ok`, `rewire`, `msg` and `call`");
            fields.problems.at(place, rule);
            return None;
        }
        let catch = if let Some(value) = fields.take("ok") {
            match Value::read(value, Style::Labelled, fields.problems) {
                Value::Plain(value) => Some(Self::Ok(value)),
                _ => {
                    let rule = Fault::Rule("what `catch` puts in place is a plain value");
                    fields.problems.at(place, rule);
                    None
                }
            }
        } else if fields.has("msg") {
            fields
                .text("msg")
                .map(|(message, _)| Self::Message(message))
        } else if is_rewire {
            fields
                .text("rewire")
                .map(|(label, place)| Self::Rewire(label, place))
        } else {
            Self::handler(&mut fields)
        };
        // Known, so that a slip is likened to them.
        for field in ["ok", "rewire", "msg", "call"] {
            if !fields.has(field) {
                fields.take(field);
            }
        }
        fields.end();
        catch
    }

    fn handler(fields: &mut Fields<'_>) -> Option<Self> {
        let place = fields.place();
        let component = fields.take("component");
        let component =
            component.and_then(|node| Component::read("component", &node, fields.problems));
        let (call, _) = fields.text("call")?;
        Some(Self::Handler {
            component,
            call,
            rewire: fields.texts("rewire").unwrap_or_default(),
            place,
        })
    }

    fn to_ipld(&self) -> Ipld {
        let text = |text: &str| Ipld::String(text.to_owned());
        match self {
            Self::Ok(value) => map([("ok", value.clone())]),
            Self::Rewire(label, _) => map([("rewire", text(label))]),
            Self::Message(message) => map([("msg", text(message))]),
            Self::Handler {
                component,
                call,
                rewire,
                ..
            } => {
                let mut entries = vec![("call", text(call))];
                if let Some(component) = component {
                    entries.push(("component", component.to_ipld()));
                }
                if !rewire.is_empty() {
                    let labels = rewire.iter().map(|(label, _)| text(label));
                    entries.push(("rewire", Ipld::List(labels.collect())));
                }
                map(entries)
            }
        }
    }
}

impl Settings {
    /// Takes those fields that both a task and `defaults` may have.
    pub(super) fn take(fields: &mut Fields<'_>) -> Self {
        let component = fields.take("component");
        let component =
            component.and_then(|node| Component::read("component", &node, fields.problems));
        let limits = fields
            .take("limits")
            .map(|node| LimitTable::read(node, fields.problems));
        let grant = fields
            .texts("grant")
            .map(|texts| grants(texts, fields.problems));
        let pin = fields.take("pin").map(|node| pins(node, fields.problems));
        let retry = fields
            .take("retry")
            .and_then(|node| Retry::read(node, fields.problems));
        let secret = fields.boolean("secret");
        let catch = fields
            .take("catch")
            .and_then(|node| Catch::read(node, fields.problems));
        Self {
            component,
            limits: limits.unwrap_or_default(),
            grant,
            pin: pin.unwrap_or_default(),
            retry,
            secret,
            catch,
            reuse: fields.time("reuse"),
            site: site(fields),
        }
    }

    /// These, and where they say nothing those.
    pub(crate) fn or(&self, those: &Self) -> Self {
        let mut pin = those.pin.clone();
        pin.extend(self.pin.clone());
        Self {
            component: self.component.clone().or_else(|| those.component.clone()),
            limits: self.limits.or(&those.limits),
            grant: self.grant.clone().or_else(|| those.grant.clone()),
            pin,
            retry: self.retry.or(those.retry),
            secret: self.secret.or(those.secret),
            catch: self.catch.clone().or_else(|| those.catch.clone()),
            reuse: self.reuse.or(those.reuse),
            site: self.site.clone().or_else(|| those.site.clone()),
        }
    }

    /// The entries of what is said.
    pub(super) fn to_entries(&self) -> BTreeMap<String, Ipld> {
        let grants = self.grant.as_ref().map(|grants| {
            let grants = grants
                .iter()
                .map(|(grant, _)| Ipld::String(grant.to_string()));
            Ipld::List(grants.collect())
        });
        let pins = self
            .pin
            .iter()
            .map(|(interface, effect)| (interface.clone(), Ipld::String(effect.clone())));
        let entries = [
            ("component", self.component.as_ref().map(Component::to_ipld)),
            ("limits", self.limits.to_ipld()),
            ("grant", grants),
            (
                "pin",
                (!self.pin.is_empty()).then(|| Ipld::Map(pins.collect())),
            ),
            ("retry", self.retry.map(Retry::to_ipld)),
            ("secret", self.secret.map(Ipld::Bool)),
            ("catch", self.catch.as_ref().map(Catch::to_ipld)),
            ("reuse", self.reuse.map(time_to_ipld)),
            (
                "place",
                self.site
                    .as_ref()
                    .map(|site| Ipld::String(site.as_str().to_owned())),
            ),
        ];
        let said = entries.into_iter();
        said.filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }
}

fn site(fields: &mut Fields<'_>) -> Option<Site> {
    let (text, place) = fields.text("place")?;
    let site = Site::read(&text);
    if site.is_none() {
        let rule = "`place` is `local`, `any`, or a peer by its address or its id";
        fields.problems.at(place, Fault::Rule(rule));
    }
    site
}

fn grants(texts: Vec<(String, Place)>, problems: &mut Problems) -> Vec<(Grant, Place)> {
    let grant = |(text, place): (String, Place)| match Grant::parse(&text) {
        Ok(grant) => Some((grant, place)),
        Err(error) => {
            problems.at(place, error);
            None
        }
    };
    texts.into_iter().filter_map(grant).collect()
}

fn pins(node: Node, problems: &mut Problems) -> BTreeMap<String, String> {
    let entries = Fields::of("pin", node, problems).rest();
    let pin = |(interface, (_, node)): (String, (Place, Node))| {
        let effect = problems.text(&interface, &node)?;
        Some((interface, effect))
    };
    entries.into_iter().filter_map(pin).collect()
}

fn time_to_ipld(time: Duration) -> Ipld {
    Ipld::String(format!("{}ms", time.as_millis()))
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Ipld)>) -> Ipld {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    Ipld::Map(entries.collect())
}
