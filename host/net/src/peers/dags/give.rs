//! The answer, from whoever is asked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use homestar_core::car;
use homestar_core::ipld::{Block, Cid};
use libp2p::Stream;
use libp2p::futures::AsyncWriteExt;
use libp2p::futures::future::join;
use tokio::time::timeout;

use super::request::Request;
use crate::{BlockSource, Walk};

/// Time in which a question has to be there.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in which a peer has to take what is read at one time.
const TAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes that are read at one time, but for the last block. As many are on their way meanwhile.
const READ_BYTES: usize = 512 << 10;
/// Bytes, and blocks, of one answer. Who wants more asks again, so that others get their turn.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
const ANSWER_BLOCKS_MAX: usize = 64 << 10;
/// Blocks one after the other that aren't here before nothing else is looked up: nor will the rest be.
const LACKING_MAX: usize = 256;
/// What follows the last section: a length of zero, and whether it may go on when somebody asks for the rest.
pub(super) const END: [u8; 2] = [0, 0];
pub(super) const END_FOR_NOW: [u8; 2] = [0, 1];

/// How it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gave {
    /// As it was asked for, or until it wasn't taken any more.
    Well,
    /// What was asked isn't a question.
    Nonsense,
}

/// Answers on a stream. `went` counts the bytes of blocks.
pub(crate) async fn give(
    mut stream: Stream,
    source: Arc<dyn BlockSource>,
    went: Arc<AtomicU64>,
) -> Gave {
    let asked = timeout(ASK_TIMEOUT, Request::read(&mut stream)).await;
    match asked {
        Ok(Ok(request)) => {
            let _ = answer(&mut stream, request, source, &went).await;
            Gave::Well
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Gave::Nonsense,
        _ => Gave::Well,
    }
}

async fn answer(
    stream: &mut Stream,
    request: Request,
    source: Arc<dyn BlockSource>,
    went: &AtomicU64,
) -> io::Result<()> {
    let mut read = Reading::new(request, source).read().await?;
    // The next blocks are read while the last ones are taken.
    loop {
        let Batch { blocks, state } = read;
        let write = timeout(TAKE_TIMEOUT, write(stream, &blocks, went));
        match state {
            State::Reading(reading) => {
                let (written, next) = join(write, reading.read()).await;
                written??;
                read = next?;
            }
            State::Ended(end) => {
                write.await??;
                timeout(TAKE_TIMEOUT, async {
                    stream.write_all(&end).await?;
                    stream.close().await
                })
                .await??;
                return Ok(());
            }
        }
    }
}

async fn write(stream: &mut Stream, blocks: &[Block], went: &AtomicU64) -> io::Result<()> {
    for block in blocks {
        went.fetch_add(block.bytes().len() as u64, Ordering::Relaxed);
        stream.write_all(&car::section_head(block)).await?;
        stream.write_all(block.bytes()).await?;
    }
    stream.flush().await
}

/// Reads what is to be sent.
struct Reading {
    walk: Walk,
    source: Arc<dyn BlockSource>,
    bytes: u64,
    blocks: usize,
    /// How many weren't here, since one was.
    lacking: usize,
}

/// Some blocks, and what follows.
struct Batch {
    blocks: Vec<Block>,
    state: State,
}

enum State {
    Reading(Reading),
    Ended([u8; 2]),
}

impl Reading {
    fn new(request: Request, source: Arc<dyn BlockSource>) -> Self {
        Self {
            walk: Walk::over(&request.roots, request.scope),
            source,
            bytes: 0,
            blocks: 0,
            lacking: 0,
        }
    }

    async fn read(self) -> io::Result<Batch> {
        let read = tokio::task::spawn_blocking(|| self.read_some()).await;
        read.map_err(io::Error::other)
    }

    fn read_some(mut self) -> Batch {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        let ended = loop {
            if bytes >= READ_BYTES {
                break None;
            }
            let Some(next) = self.walk.next_cid() else {
                break Some(END);
            };
            if self.bytes >= ANSWER_BYTES_MAX || self.blocks >= ANSWER_BLOCKS_MAX {
                break Some(END_FOR_NOW);
            }
            match self.get(&next) {
                Some(block) => {
                    self.lacking = 0;
                    self.blocks += 1;
                    self.bytes += block.bytes().len() as u64;
                    bytes += block.bytes().len();
                    blocks.push(block);
                }
                None => {
                    self.walk.drop_next();
                    self.lacking += 1;
                    if self.lacking > LACKING_MAX {
                        break Some(END);
                    }
                }
            }
        };
        let state = match ended {
            Some(end) => State::Ended(end),
            None => State::Reading(self),
        };
        Batch { blocks, state }
    }

    /// The next block. What can't be read, or can't be followed, isn't there, for others.
    fn get(&mut self, cid: &Cid) -> Option<Block> {
        let block = self.source.get(cid).ok()??;
        let is_right = block.cid() == cid && self.walk.give(&block).is_ok();
        is_right.then_some(block)
    }
}
