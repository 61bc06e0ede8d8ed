//! The answer, for whoever asked: what is taken of it, and what isn't.

use std::sync::atomic::Ordering;

use homestar_core::ipld::Block;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::request::{ROOTS_MAX, Request};
use super::whole::DagGiver;
use crate::sections::Sections;
use crate::sift::{Filter, Unfit};
use crate::{FetchError, Walk, What};

/// Bytes that are read at one time.
const READ_BYTES: usize = 128 << 10;

/// How an answer ended that did no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is ahead any more.
    Through,
    /// What is ahead isn't there.
    Lacking,
    /// There may be more.
    ForNow,
    /// Nothing came for a while.
    Silent,
    /// The stream broke.
    Broke,
}

/// Asks on a stream for what is ahead on a walk, and hands over what comes of it. Returns how it ended, and how many blocks came.
pub(super) async fn take<S>(
    stream: &mut S,
    walk: &mut Walk,
    out: &mpsc::Sender<Block>,
    giver: &DagGiver,
) -> (Result<End, Unfit>, usize)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut taking = Taking {
        walk,
        out,
        giver,
        count: 0,
    };
    let ended = taking.take(stream).await;
    (ended, taking.count)
}

struct Taking<'a> {
    walk: &'a mut Walk,
    out: &'a mpsc::Sender<Block>,
    giver: &'a DagGiver,
    count: usize,
}

impl Taking<'_> {
    async fn take<S>(&mut self, stream: &mut S) -> Result<End, Unfit>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Some((roots, scope, is_all)) = self.walk.rest(ROOTS_MAX) else {
            return Ok(End::Through);
        };
        let request = Request { roots, scope };
        let patience = self.giver.patience;
        match timeout(patience, request.write(stream)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(End::Broke),
            Err(_) => return Ok(End::Silent),
        }
        let mut sections = Sections::with_end();
        let mut filter = Filter::with_gaps();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match timeout(patience, stream.read(&mut buffer)).await {
                Ok(Ok(0) | Err(_)) => return Ok(End::Broke),
                Ok(Ok(count)) => count,
                Err(_) => return Ok(End::Silent),
            };
            let mut piece = &buffer[..count];
            while let Some((cid, bytes)) = sections.next(&mut piece).map_err(What::Garbled)? {
                let came = &self.giver.came;
                came.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                if let Some(block) = filter.sift(self.walk, cid, bytes)? {
                    self.count += 1;
                    let sent = self.out.send(block).await;
                    sent.map_err(|_| FetchError::Stopped)?;
                    // Nothing that could follow is of interest.
                    if self.walk.next_cid().is_none() {
                        return Ok(End::Through);
                    }
                }
            }
            if sections.has_ended() {
                let last = match piece.first() {
                    Some(last) => *last,
                    None => match timeout(patience, stream.read(&mut buffer[..1])).await {
                        Ok(Ok(1)) => buffer[0],
                        _ => return Ok(End::Broke),
                    },
                };
                return match last {
                    0 if is_all => Ok(End::Lacking),
                    0 | 1 => Ok(End::ForNow),
                    _ => Err(What::Garbled("its end is none".to_owned()).into()),
                };
            }
        }
    }
}
