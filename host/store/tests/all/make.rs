//! What tests are made of: stores, blocks, receipts.

use std::ops::Deref;

use homestar_core::ipld::{Block, Cid, Ipld, Link, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::outcome::Outcome;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_store::{Config, Disk, Memory, Record, Store};
use tempfile::TempDir;

/// A store, with what has to live as long as it.
pub(crate) struct Made {
    store: Box<dyn Store>,
    _folder: Option<TempDir>,
}

impl Deref for Made {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

/// Makes an empty store with a quota.
pub(crate) type Make<'a> = dyn Fn(Option<u64>) -> Made + 'a;

pub(crate) fn memory(quota: Option<u64>) -> Made {
    let store = quota.map_or_else(Memory::new, Memory::with_quota);
    Made {
        store: Box::new(store),
        _folder: None,
    }
}

pub(crate) fn disk(quota: Option<u64>) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.quota_bytes = quota;
    // Small, so that there are several.
    config.segment_bytes_max = 4 << 20;
    let store = Disk::open(&folder.path().join("store"), config).unwrap();
    Made {
        store: Box::new(store),
        _folder: Some(folder),
    }
}

/// A raw block of `bytes` bytes that no other seed gives.
pub(crate) fn raw(seed: u64, bytes: usize) -> Block {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let word = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut content: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(word).collect();
    content.truncate(bytes);
    Block::raw(content)
}

/// A block that links others.
pub(crate) fn node(label: &str, links: &[&Block]) -> Block {
    let links = links.iter().map(|block| Ipld::Link(*block.cid()));
    let mut items: Vec<_> = links.collect();
    items.push(Ipld::String(label.to_owned()));
    Block::of_dag_cbor(&Ipld::List(items)).unwrap()
}

/// The links of a block.
pub(crate) fn links(block: &Block) -> Vec<Cid> {
    let mut found = vec![];
    if let Ok(value) = block.decode::<Ipld>() {
        links_of(value, &mut found);
    }
    found
}

fn links_of(value: Ipld, found: &mut Vec<Cid>) {
    match value {
        Ipld::Link(cid) => found.push(cid),
        Ipld::List(items) => items.into_iter().for_each(|item| links_of(item, found)),
        Ipld::Map(fields) => fields.into_values().for_each(|item| links_of(item, found)),
        _ => {}
    }
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// What is run by everybody here.
pub(crate) fn component() -> Block {
    Block::raw(b"\0asm".to_vec())
}

/// A call of [`component`] with one argument.
pub(crate) fn instruction(argument: Ipld) -> Instruction {
    let input = Input::new("f", vec![argument]);
    Instruction::new(*component().cid(), input, Nonce::EMPTY).unwrap()
}

/// What came of an instruction.
pub(crate) fn body(instruction: &Instruction, outcome: Outcome) -> Body {
    Body {
        ran: instruction.link(),
        outcome,
        run: vec![],
        meta: Meta {
            component: *component().cid(),
            func: "f".into(),
            effects: vec![],
            trace: None,
            invocation: None,
            fuel: 1,
            memory_peak: 65_536,
            engine: "test".into(),
        },
    }
}

/// A receipt of an instruction with a number as argument and as value.
pub(crate) fn receipt(argument: i128, signer: u8) -> (Instruction, Receipt) {
    let instruction = instruction(Ipld::Integer(argument));
    let body = body(&instruction, Outcome::Ok(Ipld::Integer(argument)));
    let receipt = Receipt::sign(body, &key(signer)).unwrap();
    (instruction, receipt)
}

/// Such a receipt of a task that heard something from outside.
pub(crate) fn traced(argument: i128) -> (Instruction, Receipt) {
    let instruction = instruction(Ipld::Integer(argument));
    let mut body = body(&instruction, Outcome::Ok(Ipld::Null));
    body.meta.trace = Some(cid_of_raw(b"trace"));
    let receipt = Receipt::sign(body, &key(1)).unwrap();
    (instruction, receipt)
}

/// Records one's own receipt.
pub(crate) fn own<'a>(receipt: &'a Receipt, blocks: &'a [Block]) -> Record<'a> {
    Record {
        receipt,
        blocks,
        is_believed: true,
        at_ms: 0,
    }
}

/// The names of the receipts of an instruction.
pub(crate) fn found(store: &dyn Store, ran: Link<Instruction>) -> Vec<Link<Receipt>> {
    let of = store.receipts_of(&[ran]).unwrap().pop().unwrap();
    of.iter().map(|recorded| recorded.link()).collect()
}
