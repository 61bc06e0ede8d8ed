//! `homestar replay --fixture`: what a guest asked effects, written down for tests in its own language.
//!
//! A trace has what effects asked drivers. To know what the guest asked effects, it runs again with a witness in between,
//! which passes every call on and says it in the log. Drivers are played back as before, so what comes of it has to be the
//! same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use homestar_core::evidence;
use homestar_core::ipld::Ipld;
use homestar_core::json;
use homestar_core::task::Limits;
use homestar_core::trace::{Event, Part, Trace};
use homestar_engine::Engine;

use super::super::data::Data;
use super::super::load;
use super::{DIFFERS, Recorded, are_alike};
use crate::error::{Caused, CommandError};
use crate::{files, print};

/// The interfaces that SDKs have modules for, and which effect of ours provides each.
const MODULES: [(&str, &str); 6] = [
    ("homestar:crypto/digest", "digest"),
    ("homestar:crypto/keys", "keys"),
    ("homestar:dns/client", "dns"),
    ("homestar:https/client", "https"),
    ("homestar:random/random", "random"),
    ("homestar:std/state", "state"),
];

/// The version of them that the witness asks for and offers.
const VERSION: &str = "0.1.0";

/// How a line of the log begins that is the witness's.
const TOLD: &str = "trace: homestar-call ";

/// What was written.
pub(super) struct Written {
    /// Calls of effects.
    pub(super) count: usize,
    /// Drivers that the guest asked itself, about which the file says nothing.
    pub(super) others: Vec<String>,
}

impl Written {
    /// Says what is in the file.
    pub(super) fn say(&self, file: &Path, json: bool) -> Result<(), CommandError> {
        if !self.others.is_empty() {
            let others: Vec<_> = self.others.iter().map(String::as_str).collect();
            print::note(&format!(
                "the guest itself asked {}, and no module of an SDK answers that: it isn't in {}",
                print::listed(&others),
                file.display()
            ));
        }
        if json {
            return print::ok(print::map([
                ("asked_itself", print::texts(self.others.iter().cloned())),
                ("calls", Ipld::Integer(self.count as i128)),
                ("file", Ipld::String(file.display().to_string())),
            ]));
        }
        let calls = match self.count {
            1 => "1 call of an effect".to_owned(),
            count => format!("{} calls of effects", print::number(count as u64)),
        };
        print::line(&format!("the same outcome; {calls} in {}", file.display()))
    }
}

/// Runs a task again and writes what its guest asked effects to `file`.
pub(super) fn write(
    recorded: &Recorded,
    engine: &Engine,
    limits: &Limits,
    data: Arc<Data>,
    file: &Path,
) -> Result<Written, CommandError> {
    let Some(heard) = &recorded.0.heard else {
        let error = CommandError::input("the task heard nothing from outside");
        return Err(error.hint("its tests need nothing in the place of effects"));
    };
    let (trace, others) = with_witness(&heard.trace)?;
    let mut parts = recorded.parts(&heard.trace);
    parts.extend(&others);
    let component = engine.load_as_traced(&parts, &trace);
    let component = component.map_err(load::explained)?;
    let done = recorded.run(engine, &component, &roomy(limits), data, Some(&trace))?;
    let (found, _) = done.outcome.inline_or_link().map_err(CommandError::host)?;
    let said = recorded.0.receipt.outcome();
    if !are_alike(said, &found) {
        let [said, found] = [said, &found].map(super::super::receipt::outcome);
        let words = format!("the outcome is {}, not {}", found?, said?);
        return Err(CommandError::input(Caused::new(DIFFERS, words)));
    }
    let log = String::from_utf8_lossy(&done.log);
    let calls: Vec<_> = log
        .lines()
        .filter_map(|line| line.strip_prefix(TOLD))
        .collect();
    let text = text(recorded, &calls)?;
    files::write(file, text.as_bytes())?;
    Ok(Written {
        count: calls.len(),
        others: asked_itself(&heard.trace),
    })
}

/// Returns a trace in which a witness stands between the guest and its effects, and the bytes of the parts that are new in
/// it: the witness, and those of our effects that it asks for and the guest doesn't.
fn with_witness(trace: &Trace) -> Result<(Trace, Vec<&'static [u8]>), CommandError> {
    let mut trace = trace.clone();
    let mut bytes = vec![homestar_effects::witness()];
    let number = |count: usize| u32::try_from(count).expect("a task has few parts");
    let witness = number(trace.parts.len());
    let mut imports = BTreeMap::new();
    for (interface, name) in MODULES {
        let is_it = |import: &str| import.split('@').next() == Some(interface);
        let mut asked = trace.parts[0].imports.iter_mut();
        let provider = match asked.find(|(import, _)| is_it(import)) {
            Some((_, provider)) => std::mem::replace(provider, witness),
            None => {
                let mut ours = homestar_effects::all().iter();
                let effect = ours.find(|effect| effect.name == name);
                bytes.push(effect.expect("it comes with homestar").bytes);
                witness + number(bytes.len() - 1)
            }
        };
        imports.insert(format!("{interface}@{VERSION}"), provider);
    }
    if trace.parts[0].imports.values().all(|part| *part != witness) {
        let error = CommandError::input("the guest asks for no effect that SDKs have a module for");
        let names = MODULES.map(|(_, name)| name);
        return Err(error.hint(format!("those are {}", print::listed(&names))));
    }
    for (index, part) in bytes.iter().enumerate() {
        trace.parts.push(Part {
            component: *evidence::Component::new(part.to_vec()).cid(),
            grants: Vec::new(),
            imports: match index {
                0 => std::mem::take(&mut imports),
                _ => BTreeMap::new(),
            },
        });
    }
    Ok((trace, bytes))
}

/// The witness uses some of it too, and how much there was before was seen when the task ran.
fn roomy(limits: &Limits) -> Limits {
    Limits {
        fuel: Limits::MAX.fuel,
        memory_bytes: Limits::MAX.memory_bytes,
        table_elements: Limits::MAX.table_elements,
        log_bytes: Limits::MAX.log_bytes,
        ..*limits
    }
}

/// Returns the drivers that the guest itself asked.
fn asked_itself(trace: &Trace) -> Vec<String> {
    let calls = trace.events.iter().filter_map(|event| match event {
        Event::Call(call) if call.by == 0 => Some(call.driver().to_owned()),
        _ => None,
    });
    let mut drivers: Vec<_> = calls.collect();
    drivers.sort_unstable();
    drivers.dedup();
    drivers
}

/// Returns the file: DAG-JSON, with a line for each call, so that what differs between two is seen.
fn text(recorded: &Recorded, calls: &[&str]) -> Result<String, CommandError> {
    let json = |value: &Ipld| json::to_string(value).map_err(CommandError::host);
    let (receipt, input) = (&recorded.0.receipt, recorded.0.instruction.input());
    let mut lines = Vec::new();
    for call in calls {
        let call = json::parse(call).map_err(CommandError::host)?;
        lines.push(format!("    {}", json(&call)?));
    }
    let calls = match lines.len() {
        0 => "[]".to_owned(),
        _ => format!("[\n{}\n  ]", lines.join(",\n")),
    };
    Ok(format!(
        "{{\n  \"receipt\": {},\n  \"func\": {},\n  \"args\": {},\n  \"calls\": {calls},\n  \"out\": {}\n}}\n",
        json(&Ipld::Link(*receipt.link().cid()))?,
        json(&Ipld::String(input.func.clone()))?,
        json(&Ipld::List(input.args.clone()))?,
        json(&receipt.outcome().to_ipld())?,
    ))
}
