//! Names of instructions that wait for others: an await stands in them as a link to the other's name.

use std::collections::HashMap;

use multihash::Multihash;
use sha3::{Digest, Sha3_256};

use super::{Arg, Template};
use crate::ipld::{Cid, DAG_CBOR, Ipld, cid_of_dag_cbor, encode_value};
use crate::task::{Instruction, InstructionError};
use crate::workflow::value::one;
use crate::workflow::{Target, Task, Value};

/// The hash of workflows of 2024.
const SHA3_256: u64 = 0x16;

/// The bytes of instructions, with their awaits in them.
pub(super) struct Promises {
    bytes: Vec<Vec<u8>>,
    by_cid: HashMap<Cid, usize>,
    is_sha3_known: bool,
}

impl Promises {
    pub(super) fn new(count: usize) -> Self {
        Self {
            bytes: vec![Vec::new(); count],
            by_cid: HashMap::new(),
            is_sha3_known: false,
        }
    }

    /// Names a task. Those that it awaits by label have to be named before. Fails where another has that name, with
    /// the other.
    pub(super) fn name(&mut self, task: usize, bytes: Vec<u8>) -> Result<Cid, usize> {
        let cid = cid_of_dag_cbor(&bytes);
        self.bytes[task] = bytes;
        match self.by_cid.entry(cid) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(task);
                Ok(cid)
            }
            std::collections::hash_map::Entry::Occupied(entry) => Err(*entry.get()),
        }
    }

    /// The task whose instruction, hashed as the link is, gives the link.
    pub(super) fn find(&mut self, link: &Cid) -> Option<usize> {
        if link.hash().code() == SHA3_256 && !self.is_sha3_known {
            self.is_sha3_known = true;
            for (task, bytes) in self
                .bytes
                .iter()
                .enumerate()
                .filter(|(_, bytes)| !bytes.is_empty())
            {
                self.by_cid.entry(sha3_cid(bytes)).or_insert(task);
            }
        }
        self.by_cid.get(link).copied()
    }
}

fn sha3_cid(bytes: &[u8]) -> Cid {
    let digest = Sha3_256::digest(bytes);
    let hash = Multihash::wrap(SHA3_256, &digest).expect("a SHA3-256 digest fits a multihash");
    Cid::new_v1(DAG_CBOR, hash)
}

/// The bytes of a task's instruction, with its awaits in it. `named` gives the names of tasks by their labels,
/// `data` the CIDs of data.
pub(super) fn promise(
    template: &Template,
    task: &Task,
    named: &impl Fn(&str) -> Option<Cid>,
    data: &impl Fn(&str) -> Option<Cid>,
) -> Result<Vec<u8>, InstructionError> {
    let linked = |value: &Value| linked(value, named, data);
    let promised = Template {
        args: task
            .args
            .iter()
            .map(|(arg, _)| Arg::Plain(linked(arg)))
            .collect(),
        ..template.clone()
    };
    let instruction: Instruction = promised.fill(&mut |_| Ok::<_, InstructionError>(Ipld::Null))?;
    match &task.for_each {
        None => Ok(instruction.block().bytes().to_vec()),
        Some((each, _)) => {
            let entries = [
                ("for-each".to_owned(), linked(each)),
                ("run".to_owned(), instruction.to_ipld()),
            ];
            Ok(encode_value(&Ipld::Map(entries.into()))?)
        }
    }
}

fn linked(
    value: &Value,
    named: &impl Fn(&str) -> Option<Cid>,
    data: &impl Fn(&str) -> Option<Cid>,
) -> Ipld {
    let link = |cid: Option<Cid>| cid.map_or(Ipld::Null, Ipld::Link);
    let filled = value.fill(&mut |part| {
        Ok::<_, std::convert::Infallible>(match part {
            Value::Await(awaited) => {
                let target = match &awaited.target {
                    Target::Label(label) => link(named(label)),
                    Target::Instruction(cid) => Ipld::Link(*cid),
                };
                one(awaited.branch.key(), target)
            }
            Value::Data(found) => link(data(&found.name)),
            other => other.to_ipld(),
        })
    });
    match filled {
        Ok(filled) => filled,
        Err(never) => match never {},
    }
}
