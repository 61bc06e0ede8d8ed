//! Bodies: one block, or a CAR file that is made while it is taken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use homestar_core::car;
use homestar_core::ipld::{Block, Cid};
use http_body::{Frame, SizeHint};
use thiserror::Error;
use tokio::sync::mpsc;

use super::source::{Reader, SourceError};
use crate::{Walk, WalkError};

/// Pieces of a CAR file that are made before they are taken. A block is two.
const AHEAD_MAX: usize = 4;

/// Why a body ends early. The client sees that it does.
#[derive(Debug, Error)]
pub(super) enum Cut {
    #[error("block {0} is missing")]
    Missing(Cid),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Walk(#[from] WalkError),
}

#[derive(Debug)]
pub(super) enum Body {
    Whole(Option<Bytes>),
    Pieces(mpsc::Receiver<Result<Bytes, Cut>>),
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => bytes.take().map(Ok),
            Self::Pieces(pieces) => ready!(pieces.poll_recv(context)),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// What a CAR file is made of: the blocks of a path, then those of a walk.
#[derive(Debug)]
pub(super) struct Blocks {
    root: Cid,
    path: Vec<Block>,
    walk: Walk,
    reader: Reader,
}

impl Blocks {
    pub(super) fn new(root: Cid, path: Vec<Block>, walk: Walk, reader: Reader) -> Self {
        Self {
            root,
            path,
            walk,
            reader,
        }
    }

    /// Starts to make the file. That ends when nobody takes it.
    pub(super) fn spawn(self) -> Body {
        let (sender, pieces) = mpsc::channel(AHEAD_MAX);
        tokio::spawn(async move {
            if let Err(cut) = self.send(&sender).await {
                let _ = sender.send(Err(cut)).await;
            }
        });
        Body::Pieces(pieces)
    }

    async fn send(mut self, out: &mpsc::Sender<Result<Bytes, Cut>>) -> Result<(), Cut> {
        let header = car::write(&[self.root], []);
        let mut is_taken = out.send(Ok(header.into())).await.is_ok();
        for block in std::mem::take(&mut self.path) {
            is_taken = is_taken && section(out, block).await;
        }
        while let Some(cid) = self.walk.next_cid().filter(|_| is_taken) {
            let block = self.reader.get(cid).await?.ok_or(Cut::Missing(cid))?;
            self.walk.give(&block)?;
            is_taken = section(out, block).await;
        }
        Ok(())
    }
}

/// Sends a block with its length and its name. Returns whether it is taken.
async fn section(out: &mpsc::Sender<Result<Bytes, Cut>>, block: Block) -> bool {
    let start = car::section_head(&block);
    let (_, bytes) = block.into_parts();
    out.send(Ok(start.into())).await.is_ok()
        && (bytes.is_empty() || out.send(Ok(bytes)).await.is_ok())
}
