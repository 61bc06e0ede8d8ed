//! What one task holds open at the drivers: bodies of responses, keys. Its numbers mean something only to the part
//! that got them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use crate::drivers::Drivers;
use crate::drivers::http::{Body, Error, Pieces, PiecesSender};
use crate::drivers::keys::Keys;

/// A body that is read.
pub(crate) struct Incoming {
    body: Body,
    /// What came and was not asked for yet.
    rest: Bytes,
}

/// The body of a request that is being sent.
#[derive(Clone)]
struct Upload {
    pieces: PiecesSender,
    /// Longest time for a piece to find room.
    timeout: Duration,
}

/// What one task holds open.
pub(crate) struct Session {
    pub(crate) drivers: Arc<Drivers>,
    parts: Vec<Mutex<Open>>,
}

/// What one part holds open.
pub(crate) struct Open {
    bodies: BTreeMap<u32, Incoming>,
    /// Bodies of requests that are being sent, by the number of the call.
    uploads: BTreeMap<u64, Upload>,
    pub(crate) keys: Keys,
}

impl Session {
    pub(crate) fn new(drivers: Arc<Drivers>, parts: usize) -> Self {
        let open = || Open {
            bodies: BTreeMap::new(),
            uploads: BTreeMap::new(),
            keys: drivers.keys(),
        };
        Self {
            parts: (0..parts).map(|_| Mutex::new(open())).collect(),
            drivers,
        }
    }

    /// Returns what a part holds open. It is consistent between any two statements, so a panic while it was locked
    /// does not matter.
    pub(crate) fn open(&self, part: usize) -> MutexGuard<'_, Open> {
        self.parts[part]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Keeps a body for a part, under the number of the call that brought it.
    pub(crate) fn keep_body(&self, part: usize, call: u64, body: Body) -> u32 {
        let number = u32::try_from(call).unwrap_or(u32::MAX);
        let rest = Bytes::new();
        self.open(part)
            .bodies
            .insert(number, Incoming { body, rest });
        number
    }

    /// Closes a body before its end.
    pub(crate) fn close_body(&self, part: usize, number: u32) {
        self.open(part).bodies.remove(&number);
    }

    /// Reads on in a body: `length` bytes, or as many as are left. After its end and after an error it is
    /// closed.
    pub(crate) async fn read_body(
        &self,
        part: usize,
        number: u32,
        length: usize,
    ) -> Result<Vec<u8>, Error> {
        // It leaves the map meanwhile: the lock isn't held while something is waited for.
        let incoming = self.open(part).bodies.remove(&number);
        let mut incoming = incoming.ok_or(Error::Closed)?;
        let (bytes, is_over) = incoming.read(length).await?;
        // Who got the last bytes asks once more, and hears that there are none.
        if !is_over || !bytes.is_empty() {
            self.open(part).bodies.insert(number, incoming);
        }
        Ok(bytes)
    }
}

impl Session {
    /// Returns the next piece of a body as it comes, or none at its end.
    pub(crate) async fn next_piece(
        &self,
        part: usize,
        number: u32,
    ) -> Result<Option<Bytes>, Error> {
        let incoming = self.open(part).bodies.remove(&number);
        let mut incoming = incoming.ok_or(Error::Closed)?;
        let piece = match incoming.rest.is_empty() {
            true => incoming.body.chunk().await?,
            false => Some(std::mem::take(&mut incoming.rest)),
        };
        if piece.is_some() {
            self.open(part).bodies.insert(number, incoming);
        }
        Ok(piece)
    }

    /// Begins the body of the request that is call number `call`, each piece of which is taken within `timeout`.
    pub(crate) fn start_upload(&self, part: usize, call: u64, timeout: Duration) -> Pieces {
        let (pieces, body) = Pieces::channel(PIECES_WAITING_MAX);
        let upload = Upload { pieces, timeout };
        self.open(part).uploads.insert(call, upload);
        body
    }

    /// Adds a piece to a body, or ends it. Waits until there is room, and tells whether anybody reads on.
    pub(crate) async fn write_upload(
        &self,
        part: usize,
        call: u64,
        piece: Option<Bytes>,
    ) -> Result<bool, Error> {
        let Some(piece) = piece else {
            return Ok(self.open(part).uploads.remove(&call).is_some());
        };
        let upload = self.open(part).uploads.get(&call).cloned();
        let Some(upload) = upload else {
            return Ok(false);
        };
        let sent = timeout(upload.timeout, upload.pieces.send(piece)).await;
        sent.map_err(|_| {
            self.fail_upload(part, call, Error::Timeout);
            Error::Timeout
        })
    }

    /// Breaks off a body, and so its request.
    pub(crate) fn fail_upload(&self, part: usize, call: u64, error: Error) {
        if let Some(upload) = self.open(part).uploads.remove(&call) {
            upload.pieces.fail(error);
        }
    }

    /// Ends a body that nobody reads any more.
    pub(crate) fn end_upload(&self, part: usize, call: u64) {
        self.open(part).uploads.remove(&call);
    }
}

/// Pieces of a body that may wait to be sent.
const PIECES_WAITING_MAX: usize = 4;

impl Incoming {
    /// Returns the next bytes and whether they were the last.
    async fn read(&mut self, length: usize) -> Result<(Vec<u8>, bool), Error> {
        let mut bytes = BytesMut::new();
        while bytes.len() < length {
            if self.rest.is_empty() {
                match self.body.chunk().await? {
                    Some(chunk) => self.rest = chunk,
                    None => return Ok((bytes.into(), true)),
                }
            }
            let piece = self.rest.len().min(length - bytes.len());
            bytes.extend_from_slice(&self.rest.split_to(piece));
        }
        Ok((bytes.into(), false))
    }
}
