//! What happens in a simulated network.

use homestar_core::ipld::Cid;
use homestar_core::market::{Admission, Message, Refusal};

/// What happens at a time.
#[derive(Debug)]
pub(super) enum Event {
    Deliver {
        to: usize,
        from: usize,
        message: Message,
    },
    Unreached {
        who: usize,
        to: usize,
    },
    Wake(usize),
    Want(usize, u64),
    Unwant(usize, u64),
    Admitted {
        who: usize,
        life: u64,
        bid: u64,
        admission: Result<Admission, Refusal>,
    },
    /// A task ends that runs; or the host fails in it.
    Ends {
        who: usize,
        life: u64,
        instruction: Cid,
        /// Which run of it this is.
        run: u64,
        how: HowEnded,
    },
    Fetched {
        who: usize,
        from: usize,
        instruction: Cid,
        receipt: Cid,
    },
    Announce(usize),
    Talk(usize),
    Crash(usize),
    Restart(usize),
    CutOff,
    Heal,
}

/// What ends a task that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HowEnded {
    Well,
    /// The host fails.
    Breaks,
    /// It was told to end.
    Stopped,
}
