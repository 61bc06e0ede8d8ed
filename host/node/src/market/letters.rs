//! Messages out and in.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use homestar_core::market::Message;
use homestar_core::ucan::Did;
use homestar_net::{PeerId, Peers, PeersError, peer_of};

/// Messages that wait to be looked at: some 16 MiB at most. More are forgotten, and said again if they matter.
pub(crate) const MAIL_MAX: usize = 256;
/// How long the last messages may take.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);
/// Messages that are on their way. More are forgotten.
const SENT_MAX: usize = 256;

/// A message, and who sent it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) from: PeerId,
    pub(crate) message: Vec<u8>,
}

/// Where messages are put that come, if somebody looks at them.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Option<SyncSender<Told>>>);

impl Mailbox {
    /// From now on messages go there.
    pub(crate) fn open(&self, to: SyncSender<Told>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
    }

    /// Puts a message where it is looked at, if there is room. Doesn't wait.
    pub(crate) fn put(&self, from: PeerId, message: Vec<u8>) {
        let to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to) = &*to {
            let _ = to.try_send(Told { from, message });
        }
    }
}

/// Passes on what comes, in a thread that may wait where who puts it must not, until nobody takes it any more.
pub(super) fn pass_on(told: Receiver<Told>, mut pass: impl FnMut(Told) -> bool + Send + 'static) {
    thread::spawn(move || {
        while let Ok(message) = told.recv() {
            if !pass(message) {
                return;
            }
        }
    });
}

/// Why a message didn't arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Whoever it is for takes none.
    Deaf,
    /// Something else, which may pass.
    OnTheWay,
}

/// Sends messages.
#[derive(Debug)]
pub(super) struct Letters {
    peers: Peers,
    on_their_way: Arc<OnTheirWay>,
}

/// How many messages are on their way.
#[derive(Debug, Default)]
struct OnTheirWay {
    count: Mutex<usize>,
    is_none: Condvar,
}

impl OnTheirWay {
    fn begin(&self) -> bool {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = *count < SENT_MAX;
        *count += usize::from(has_room);
        has_room
    }

    fn end(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.is_none.notify_all();
        }
    }
}

impl Letters {
    pub(super) fn new(peers: Peers) -> Self {
        Self {
            peers,
            on_their_way: Arc::default(),
        }
    }

    /// Sends a message without waiting. `lost` is called if it didn't arrive, or nobody knows whether it did.
    pub(super) fn send(
        &self,
        to: &Did,
        message: &Message,
        lost: impl FnOnce(Lost) + Send + 'static,
    ) {
        let peer = peer_of(to);
        let (Some(peer), Ok(bytes)) = (peer, message.encode()) else {
            return lost(Lost::OnTheWay);
        };
        if !self.on_their_way.begin() {
            return;
        }
        let on_their_way = Arc::clone(&self.on_their_way);
        self.peers.send(peer, bytes, move |sent| {
            on_their_way.end();
            match sent {
                Ok(()) => {}
                Err(PeersError::Deaf) => lost(Lost::Deaf),
                Err(_) => lost(Lost::OnTheWay),
            }
        });
    }

    /// Waits until all have arrived or are lost, but not for longer than so.
    pub(super) fn settle(&self, longest: Duration) {
        let count = &self.on_their_way.count;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        let is_none = &self.on_their_way.is_none;
        drop(is_none.wait_timeout_while(count, longest, |count| *count > 0));
    }
}
