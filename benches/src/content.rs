//! What it costs to pass a file through a guest, from blocks to blocks.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, Ipld, cid_of_raw};
use homestar_core::task::{Input, Instruction, Nonce};
use homestar_core::unixfs::{FileWriter, Layout};
use homestar_engine::{Blocks, BlocksError, Call};

use crate::Error;
use crate::calls::{LIMITS, engine};
use crate::measure::{Effort, Measurement, Repeated, repeated};

/// Bytes of the file.
const BYTES: usize = 64 << 20;

/// Passes a file through, beside the least that this can take: each byte is copied into the guest and out of it, and is
/// hashed once.
pub(crate) fn content(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let bytes: Vec<u8> = (0..BYTES as u64)
        .map(|byte| ((byte * byte) >> 7) as u8)
        .collect();
    let mut blocks = BTreeMap::new();
    let mut put = |block: Block| {
        blocks.insert(*block.cid(), block);
        Ok::<_, Infallible>(())
    };
    let mut writer = FileWriter::new(Layout::default());
    let Ok(()) = writer.write(&bytes, &mut put);
    let Ok(file) = writer.finish(&mut put);
    let blocks = Arc::new(Given(blocks));

    let engine = engine()?;
    let pipe = engine.load_file(homestar_guests::pipe())?;
    let input = Input::new("pipe", vec![Ipld::Link(file.cid)]);
    let instruction = Instruction::new(*pipe.cid(), input, Nonce::EMPTY)?;
    let chunk_bytes = Layout::default().chunk_bytes();
    let (mut inside, mut outside) = (vec![0; chunk_bytes], vec![0; chunk_bytes]);
    let measured = repeated(
        "content: a file of 64 MiB through a guest",
        effort,
        vec![
            Repeated::new("link to stream to link", || {
                let mut call = Call::new(&instruction, &LIMITS);
                call.blocks = Some(blocks.clone());
                black_box(engine.call(&pipe, call)?);
                Ok(())
            }),
            Repeated::new("two copies and SHA-256", || {
                for chunk in bytes.chunks(chunk_bytes) {
                    inside.copy_from_slice(chunk);
                    outside.copy_from_slice(&inside);
                    black_box(cid_of_raw(&outside));
                }
                Ok(())
            }),
        ],
    )?;
    Ok(vec![measured.goal("≤ 1.4")])
}

/// Blocks to read. What is written is dropped.
#[derive(Debug)]
struct Given(BTreeMap<Cid, Block>);

impl Blocks for Given {
    fn get(&self, cid: &Cid) -> Result<Block, BlocksError> {
        let block = self.0.get(cid).cloned();
        block.ok_or_else(|| BlocksError::Host(format!("no block {cid}")))
    }

    fn put(&self, _: &[Block]) -> Result<(), BlocksError> {
        Ok(())
    }
}
