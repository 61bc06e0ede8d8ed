//! Makes the store that `tests/fixtures` has of each format version: `cargo run -p homestar-store --example fixture --
//! FOLDER`. It is the same store each time, but for the number of its segment.

use std::path::PathBuf;

use homestar_core::ipld::{Block, Ipld};
use homestar_core::key::SigningKey;
use homestar_core::outcome::Outcome;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_store::{Config, Disk, Pin, Record, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let mut config = Config::default();
    config.inline_bytes_max = 64;
    let store = Disk::open(&folder.ok_or("usage: fixture FOLDER")?, config)?;
    let (small, large) = (
        Block::raw(b"small".to_vec()),
        Block::raw(b"large ".repeat(100)),
    );
    store.put(&[small.clone(), large.clone()])?;
    let component = *small.cid();
    let input = Input::new("f", vec![Ipld::Integer(1)]);
    let instruction = Instruction::new(component, input, Nonce::EMPTY)?;
    let meta = Meta {
        component,
        func: "f".into(),
        effects: vec![],
        trace: None,
        invocation: None,
        fuel: 1,
        memory_peak: 65_536,
        engine: "fixture".into(),
    };
    let body = Body {
        ran: instruction.link(),
        outcome: Outcome::Ok(Ipld::Link(*large.cid())),
        run: vec![],
        meta,
    };
    let receipt = Receipt::sign(body, &SigningKey::from_seed(&[1; 32]))?;
    let record = Record {
        receipt: &receipt,
        blocks: &[instruction.block().clone()],
        is_believed: true,
        at_ms: 1_700_000_000_000,
    };
    store.record(&[record])?;
    store.pin(&Pin::recursive(*large.cid(), "fixture", 1_700_000_000_000))?;
    store.set_name("site", Some(small.cid()))?;
    // Writes the log into the index, and takes nothing away that is pinned, named or recorded.
    store.gc(&|block| match block.decode::<Ipld>() {
        Ok(_) => vec![component, *large.cid(), *instruction.link().cid()],
        Err(_) => vec![],
    })?;
    Ok(())
}
