//! A receipt with all it takes to run its task again: what was asked, the components, what they heard.
//!
//! It travels as one file, a [CAR](crate::car) whose root is the receipt. Everything else in it is found by following
//! links from there, so nothing can be put in the place of anything without another receipt, and a receipt is signed.
//! Components are files like others, in blocks ([`unixfs`](crate::unixfs)). Content that the task read by its name may be
//! in it too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;

use crate::car::{self, CarError};
use crate::ipld::{Block, Cid, DAG_CBOR, DAG_PB, Ipld};
use crate::outcome::{Outcome, in_a_file};
use crate::receipt::{Receipt, ReceiptError};
use crate::task::{Instruction, InstructionError, Resource, RunRequest};
use crate::trace::{Event, Trace, TraceError};
use crate::ucan::Invocation;
use crate::unixfs::{ReadError, UnixfsError, blocks_of_file, cid_of_file, links, read_file};

/// The most bytes of all components of one task together: more than an engine takes of them. Few blocks can make long
/// files.
const MAX_COMPONENT_BYTES: u64 = 1 << 30;

/// A receipt with everything that it links.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Who ran what, and what came of it.
    pub receipt: Receipt,
    /// What was asked.
    pub instruction: Instruction,
    /// The blocks of the outcome's value, if the receipt links it.
    pub value: Vec<Block>,
    /// The guest.
    pub component: Component,
    /// The effects that were wired to it, in the order of the receipt.
    pub effects: Vec<Component>,
    /// What they heard from outside, if they were wired to any driver.
    pub heard: Option<Heard>,
    /// The invocation by which somebody else asked for the task, if somebody did, and the delegations that it rests on.
    pub tokens: Vec<Block>,
    /// Blocks of the content that the instruction links to, those that the task read; in the order of their CIDs. What
    /// of it isn't here has to be had elsewhere.
    pub content: Vec<Block>,
}

/// The bytes of a component with their name. Holding one is proof that it is theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct Component {
    cid: Cid,
    bytes: Vec<u8>,
}

impl Component {
    /// Names a component as its file is named.
    pub fn new(bytes: Vec<u8>) -> Self {
        let cid = cid_of_file(&bytes);
        Self { cid, bytes }
    }

    /// The name.
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({}, {} bytes)", self.cid, self.bytes.len())
    }
}

/// What a task heard from outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// The calls of drivers with their answers.
    pub trace: Trace,
    /// The blocks of the long byte strings in them.
    pub blocks: Vec<Block>,
}

impl Evidence {
    /// Writes all of it as one file.
    pub fn to_car(&self) -> Result<Vec<u8>, TraceError> {
        let trace = self
            .heard
            .as_ref()
            .map(|heard| heard.trace.encode())
            .transpose()?;
        let components = self.effects.iter().chain([&self.component]);
        let components = components.map(|component| blocks_of_file(component.bytes()).1);
        let components: Vec<_> = components.collect();
        let mut blocks = vec![self.receipt.block(), self.instruction.block()];
        blocks.extend(&self.value);
        if let (Some(trace), Some(heard)) = (&trace, &self.heard) {
            blocks.push(&trace.root);
            blocks.extend(&trace.segments);
            blocks.extend(&heard.blocks);
        }
        blocks.extend(components.iter().flatten());
        blocks.extend(&self.tokens);
        blocks.extend(&self.content);
        let mut seen = BTreeSet::new();
        blocks.retain(|block| seen.insert(*block.cid()));
        Ok(car::write(&[*self.receipt.link().cid()], blocks))
    }

    /// Reads such a file, and checks everything that can be checked without running anything: each block against its
    /// CID, the receipt's signature, and that all of it belongs together.
    pub fn from_car(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let reader = car::Reader::new(bytes)?;
        let root = match reader.roots() {
            [root] => *root,
            roots => return Err(EvidenceError::Roots(roots.len())),
        };
        let mut blocks = Blocks(BTreeMap::new());
        for block in reader {
            let block = block?;
            blocks.0.insert(*block.cid(), block);
        }
        let receipt = Receipt::decode(blocks.get(&root, "the receipt")?.bytes())?;
        let instruction = blocks.get(receipt.ran().cid(), "the instruction")?;
        let instruction = Instruction::decode(instruction.bytes())?;
        let meta = receipt.meta();
        check(&receipt, &instruction)?;
        let value = match linked_value(receipt.outcome()) {
            Some(cid) => blocks.value(&cid)?,
            None => Vec::new(),
        };
        let mut left = MAX_COMPONENT_BYTES;
        let component = blocks.component(&meta.component, "the component", &mut left)?;
        let effects = meta.effects.iter();
        let effects = effects.map(|cid| blocks.component(cid, "an effect", &mut left));
        let effects = effects.collect::<Result<_, _>>()?;
        let heard = meta.trace.map(|cid| blocks.heard(&cid, &receipt));
        Ok(Self {
            component,
            effects,
            heard: heard.transpose()?,
            content: blocks.content(&instruction)?,
            tokens: blocks.tokens(meta.invocation.as_ref()),
            receipt,
            instruction,
            value,
        })
    }
}

/// Checks that what the receipt says of a run is what its instruction asks for.
fn check(receipt: &Receipt, instruction: &Instruction) -> Result<(), EvidenceError> {
    let meta = receipt.meta();
    if instruction.link() != *receipt.ran() {
        // It was written in another way than the one that its value has.
        return Err(EvidenceError::Form);
    }
    if *instruction.resource().cid() != meta.component {
        let both = [*instruction.resource().cid(), meta.component];
        return Err(EvidenceError::Component(Box::new(both)));
    }
    if instruction.input().func != meta.func {
        return Err(EvidenceError::Function {
            asked: instruction.input().func.clone(),
            said: meta.func.clone(),
        });
    }
    Ok(())
}

/// Returns what stands for a value in an outcome that was too large for the receipt.
fn linked_value(outcome: &Outcome) -> Option<Cid> {
    let value = match outcome {
        Outcome::Ok(value) => Some(value),
        Outcome::Error(failure) => failure.value.as_ref(),
    };
    match value {
        Some(Ipld::Link(cid)) => Some(*cid),
        _ => None,
    }
}

struct Blocks(BTreeMap<Cid, Block>);

impl Blocks {
    fn get(&self, cid: &Cid, what: &'static str) -> Result<&Block, EvidenceError> {
        let missing = EvidenceError::Missing { what, cid: *cid };
        self.0.get(cid).ok_or(missing)
    }

    /// Reads a component, and takes its bytes from those that are left to be read.
    fn component(
        &self,
        cid: &Cid,
        what: &'static str,
        left: &mut u64,
    ) -> Result<Component, EvidenceError> {
        let bytes = read_file(cid, *left, |cid| self.0.get(cid).cloned());
        let bytes = bytes.map_err(|error| match error {
            ReadError::Missing(cid) => EvidenceError::Missing { what, cid },
            error => EvidenceError::File(Box::new(error)),
        })?;
        *left -= bytes.len() as u64;
        let component = Component::new(bytes);
        match component.cid() == cid {
            true => Ok(component),
            false => Err(EvidenceError::Name(Box::new([*cid, *component.cid()]))),
        }
    }

    /// Finds the blocks of a value that is linked. A link may also be what the guest returned: content, which is not in
    /// the file.
    fn value(&self, cid: &Cid) -> Result<Vec<Block>, EvidenceError> {
        let mut found = BTreeMap::new();
        if self.get(cid, "the value").is_err() {
            return Ok(Vec::new());
        }
        self.file(cid, "the value", &mut found)?;
        if cid.codec() == DAG_CBOR {
            let value = self.get(cid, "the value")?.decode();
            if let Some(file) = value.ok().as_ref().and_then(in_a_file) {
                self.file(&file, "the value", &mut found)?;
            }
        }
        Ok(found.into_values().collect())
    }

    /// Finds a block, and if it is one of a file, all those below it.
    fn file(
        &self,
        cid: &Cid,
        what: &'static str,
        found: &mut BTreeMap<Cid, Block>,
    ) -> Result<(), EvidenceError> {
        let mut wanted = vec![*cid];
        while let Some(cid) = wanted.pop() {
            let block = self.get(&cid, what)?;
            if found.insert(cid, block.clone()).is_none() && cid.codec() == DAG_PB {
                wanted.extend(links(block)?);
            }
        }
        Ok(())
    }

    /// Finds the blocks of content that an instruction leads to, as far as they are here.
    fn content(&self, instruction: &Instruction) -> Result<Vec<Block>, EvidenceError> {
        let mut wanted = links(instruction.block())?;
        // The component stands before all arguments, and may be one of them too.
        if let Resource::Link(component) = instruction.resource() {
            let at = wanted.iter().position(|link| link == component);
            at.map(|at| wanted.remove(at));
        }
        let mut found = BTreeMap::new();
        while let Some(cid) = wanted.pop() {
            let Some(block) = self.0.get(&cid) else {
                continue;
            };
            if found.insert(cid, block.clone()).is_none() {
                wanted.extend(links(block)?);
            }
        }
        Ok(found.into_values().collect())
    }

    /// Finds the tokens by which a task was asked for, as far as they are here. Whether they hold is for others to say.
    fn tokens(&self, invocation: Option<&Cid>) -> Vec<Block> {
        let block = invocation.and_then(|cid| self.0.get(cid));
        let Some(Ok(invocation)) = block.map(|block| Invocation::decode(block.bytes())) else {
            return Vec::new();
        };
        let payload = invocation.payload();
        let mut links = payload.proofs.clone();
        if let Ok(request) = RunRequest::from_arguments(payload.arguments.clone()) {
            links.extend(request.proofs.into_iter().flatten());
        }
        let mut tokens = vec![invocation.into_block()];
        for block in links.iter().filter_map(|link| self.0.get(link)) {
            if !tokens.contains(block) {
                tokens.push(block.clone());
            }
        }
        tokens
    }

    fn heard(&self, cid: &Cid, receipt: &Receipt) -> Result<Heard, EvidenceError> {
        let root = self.get(cid, "the trace")?;
        let trace = Trace::decode(root, |cid| self.0.get(cid).cloned())?;
        are_of(&trace, receipt)?;
        let mut blocks = BTreeMap::new();
        for event in trace.events.iter() {
            if let Event::Call(call) = event {
                self.spilled(&call.args, &mut blocks)?;
                if let Some(answer) = &call.answer {
                    self.spilled(answer, &mut blocks)?;
                }
            }
        }
        let blocks = blocks.into_values().collect();
        Ok(Heard { trace, blocks })
    }

    /// Finds the blocks that stand for byte strings in `value`.
    fn spilled(&self, value: &Ipld, found: &mut BTreeMap<Cid, Block>) -> Result<(), EvidenceError> {
        match value {
            Ipld::Link(cid) => self.file(cid, "a part of the trace", found),
            Ipld::List(items) => items.iter().try_for_each(|item| self.spilled(item, found)),
            Ipld::Map(fields) => fields
                .values()
                .try_for_each(|item| self.spilled(item, found)),
            _ => Ok(()),
        }
    }
}

/// Checks that the components that a trace names are those of the receipt.
fn are_of(trace: &Trace, receipt: &Receipt) -> Result<(), EvidenceError> {
    let meta = receipt.meta();
    let (guest, others) = match trace.parts.split_first() {
        Some((guest, others)) => (Some(&guest.component), others),
        None => (None, &[][..]),
    };
    let others: BTreeSet<_> = others.iter().map(|part| &part.component).collect();
    let effects: BTreeSet<_> = meta.effects.iter().collect();
    match guest == Some(&meta.component) && others == effects {
        true => Ok(()),
        false => Err(EvidenceError::Parts),
    }
}

/// Why a file is no evidence of a task.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// It is no CAR, or a block in it isn't what its CID says.
    #[error("not a good CAR file")]
    Car(#[from] CarError),
    /// It is about more than one thing.
    #[error("the file has {0} roots, not one")]
    Roots(usize),
    /// Something that the receipt leads to isn't there.
    #[error("the file lacks {what}: block {cid}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Its name.
        cid: Cid,
    },
    /// A component is none in blocks that a file could be in.
    #[error("a component can't be read from the file")]
    File(#[source] Box<ReadError>),
    /// A block doesn't lead to others as it has to.
    #[error(transparent)]
    Unixfs(#[from] UnixfsError),
    /// A component has another name than its file: the receipt's, and that of the file.
    #[error("the receipt names the component {}, and its file is {}", .0[0], .0[1])]
    Name(Box<[Cid; 2]>),
    /// The root is no receipt, or was changed.
    #[error("the root is not a good receipt")]
    Receipt(#[from] ReceiptError),
    /// What was asked is no instruction.
    #[error("what was run is no instruction")]
    Instruction(#[from] InstructionError),
    /// The instruction is written in another way than it has to be.
    #[error("the instruction isn't written in its one form")]
    Form,
    /// The receipt is of another component than its instruction: the instruction's, and the receipt's.
    #[error("the instruction asks for the component {}, and the receipt says that {} ran", .0[0], .0[1])]
    Component(Box<[Cid; 2]>),
    /// The receipt is of another function than its instruction.
    #[error(
        "the instruction asks for the function {asked:?}, and the receipt says that {said:?} ran"
    )]
    Function {
        /// The instruction's.
        asked: String,
        /// The receipt's.
        said: String,
    },
    /// The trace is none.
    #[error("the trace can't be read")]
    Trace(#[from] TraceError),
    /// The trace is of other components.
    #[error("the trace is of other components than the receipt")]
    Parts,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::{cid_of_raw, decode};
    use crate::key::SigningKey;
    use crate::receipt::{Body, Meta};
    use crate::task::{Input, Nonce};
    use crate::trace::{Call, Events, Part, SPILL_BYTES, write};
    use crate::unixfs::{Layout, Leaves};

    fn sign(body: Body) -> Receipt {
        Receipt::sign(body, &SigningKey::from_seed(&[1; 32])).unwrap()
    }

    /// A task with all there is: an effect, a call with long bytes, a linked value.
    fn evidence() -> Evidence {
        let component = Component::new((0..300_000u32).map(|at| (at >> 12) as u8).collect());
        let effect = Component::new(b"effect".to_vec());
        let long = Outcome::Ok(Ipld::String("v".repeat(3 << 19)));
        let (outcome, mut value) = long.inline_or_link().unwrap();
        value.sort_by_key(|block| *block.cid());
        value.dedup();
        let input = Input::new("f", vec![]);
        let instruction = Instruction::new(*component.cid(), input, Nonce::EMPTY).unwrap();
        let mut blocks = Vec::new();
        let mut long = |bytes: usize| {
            let value = Ipld::List(vec![Ipld::Bytes(
                (0..bytes).map(|at| (at >> 20) as u8).collect(),
            )]);
            let mut written = Vec::new();
            write(&value, &mut written, &mut |block| blocks.push(block)).unwrap();
            decode(&written).unwrap()
        };
        let call = Call {
            number: 0,
            by: 1,
            name: "homestar:driver/http.send".to_owned(),
            args: long(SPILL_BYTES + 1),
            answer: Some(long(3 << 20)),
        };
        blocks.sort_by_key(|block| *block.cid());
        blocks.dedup();
        let part = |component: &Component| Part {
            component: *component.cid(),
            grants: vec![],
            imports: BTreeMap::new(),
        };
        let trace = Trace {
            parts: vec![part(&component), part(&effect)],
            events: Events::of([Event::Time(1), Event::Call(call)]).unwrap(),
        };
        let meta = Meta {
            component: *component.cid(),
            func: "f".to_owned(),
            effects: vec![*effect.cid()],
            trace: Some(*trace.encode().unwrap().root.cid()),
            invocation: None,
            fuel: 1,
            memory_peak: 2,
            engine: "test".to_owned(),
        };
        let receipt = sign(Body {
            ran: instruction.link(),
            outcome,
            run: vec![],
            meta,
        });
        Evidence {
            receipt,
            instruction,
            value,
            component,
            effects: vec![effect],
            heard: Some(Heard { trace, blocks }),
            tokens: Vec::new(),
            content: Vec::new(),
        }
    }

    /// A task that read a file, and was given its own component too.
    fn with_content() -> Evidence {
        let evidence = evidence();
        let (file, mut content) = blocks_of_file(&[7; 600_000]);
        let own = *evidence.component.cid();
        content.extend(blocks_of_file(evidence.component.bytes()).1);
        content.sort_by_key(|block| *block.cid());
        content.dedup();
        let input = Input::new("f", vec![Ipld::Link(file.cid), Ipld::Link(own)]);
        let instruction = Instruction::new(own, input, Nonce::EMPTY).unwrap();
        let mut body = evidence.receipt.body().clone();
        body.ran = instruction.link();
        Evidence {
            receipt: sign(body),
            instruction,
            content,
            ..evidence
        }
    }

    #[test]
    fn content_that_was_read_is_in_it() {
        let evidence = with_content();
        let file = evidence.to_car().unwrap();
        assert_eq!(Evidence::from_car(&file), Ok(evidence.clone()));
        // Nothing of it has to be.
        let mut without = evidence;
        without.content.retain(|block| {
            let bytes = without.component.bytes();
            let of_component = blocks_of_file(bytes).1;
            of_component.contains(block)
        });
        let file = without.to_car().unwrap();
        assert_eq!(Evidence::from_car(&file), Ok(without));
    }

    /// Signs a receipt that says something else, and puts it in the place of the other.
    fn resigned(change: impl FnOnce(&mut Body)) -> EvidenceError {
        let mut evidence = evidence();
        let mut body = evidence.receipt.body().clone();
        change(&mut body);
        evidence.receipt = sign(body);
        Evidence::from_car(&evidence.to_car().unwrap()).unwrap_err()
    }

    #[test]
    fn what_is_written_is_read() {
        let evidence = evidence();
        let file = evidence.to_car().unwrap();
        assert_eq!(Evidence::from_car(&file), Ok(evidence.clone()));
        assert_eq!(evidence.to_car().unwrap(), file);
    }

    #[test]
    fn every_block_is_needed() {
        let file = evidence().to_car().unwrap();
        let reader = car::Reader::new(&file).unwrap();
        let roots = reader.roots().to_vec();
        let blocks: Vec<_> = reader.map(Result::unwrap).collect();
        // Receipt, instruction, trace, segment, effect. The guest of two chunks, what stands for the value and its file
        // of 7 chunks, most of them equal, a short answer and one of 12 chunks, of which 3 differ: each below a node.
        assert_eq!(blocks.len(), 5 + 3 + (1 + 1 + 3) + 1 + 4, "{blocks:?}");
        // Without its root the value seems to be content that is elsewhere.
        let value = linked_value(evidence().receipt.outcome());
        let needed = blocks.iter().filter(|block| Some(*block.cid()) != value);
        for left_out in needed {
            let others = blocks.iter().filter(|block| *block != left_out);
            let error = Evidence::from_car(&car::write(&roots, others)).unwrap_err();
            let named = match std::error::Error::source(&error) {
                Some(source) => source.to_string(),
                None => error.to_string(),
            };
            assert!(named.contains(&left_out.cid().to_string()), "{named}");
        }
    }

    #[test]
    fn a_component_has_the_name_of_its_file() {
        // One raw block would have another.
        let evidence = evidence();
        let whole = Block::raw(evidence.component.bytes().to_vec());
        assert_ne!(whole.cid(), evidence.component.cid());
        let layout = Layout::new(1 << 20, 2, Leaves::Raw).unwrap();
        let named = layout.name_leaf(evidence.component.bytes()).cid;
        assert_eq!(named, *whole.cid());

        let mut body = evidence.receipt.body().clone();
        let input = evidence.instruction.input().clone();
        let instruction = Instruction::new(named, input, Nonce::EMPTY).unwrap();
        body.ran = instruction.link();
        body.meta.component = named;
        let receipt = sign(body);
        let file = evidence.to_car().unwrap();
        let reader = car::Reader::new(&file).unwrap();
        let mut blocks: Vec<_> = reader.map(Result::unwrap).collect();
        blocks.extend([receipt.block().clone(), instruction.block().clone(), whole]);
        let file = car::write(&[*receipt.link().cid()], &blocks);
        let names = Box::new([named, *evidence.component.cid()]);
        assert_eq!(Evidence::from_car(&file), Err(EvidenceError::Name(names)));
    }

    #[test]
    fn what_nothing_links_changes_nothing() {
        let evidence = evidence();
        let file = evidence.to_car().unwrap();
        let mut reader = car::Reader::new(&file).unwrap();
        let roots = reader.roots().to_vec();
        let mut blocks: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
        blocks.insert(0, Block::raw(b"more".to_vec()));
        assert_eq!(
            Evidence::from_car(&car::write(&roots, &blocks)),
            Ok(evidence)
        );
    }

    #[test]
    fn one_root_is_a_receipt() {
        let evidence = evidence();
        let two = [*evidence.receipt.link().cid(), *evidence.component.cid()];
        let component = &blocks_of_file(evidence.component.bytes()).1;
        let file = car::write(
            &two,
            [evidence.receipt.block()].into_iter().chain(component),
        );
        assert_eq!(Evidence::from_car(&file), Err(EvidenceError::Roots(2)));
        let file = car::write(&two[1..], component);
        assert!(matches!(
            Evidence::from_car(&file),
            Err(EvidenceError::Receipt(_))
        ));
        assert!(matches!(
            Evidence::from_car(b"no file of this kind"),
            Err(EvidenceError::Car(_))
        ));
    }

    #[test]
    fn a_receipt_that_does_not_fit_its_instruction_is_refused() {
        let other = cid_of_raw(b"effect");
        assert!(matches!(
            resigned(|body| body.meta.component = other),
            EvidenceError::Component(both) if both[1] == other
        ));
        assert!(matches!(
            resigned(|body| body.meta.func = "g".to_owned()),
            EvidenceError::Function { .. }
        ));
        assert_eq!(
            resigned(|body| body.meta.effects.clear()),
            EvidenceError::Parts
        );
        assert_eq!(
            resigned(|body| body.meta.effects = vec![body.meta.component]),
            EvidenceError::Parts
        );
        assert!(matches!(
            resigned(|body| body.ran = cid_of_raw(b"guest").into()),
            EvidenceError::Instruction(_) | EvidenceError::Missing { .. }
        ));
    }
}
