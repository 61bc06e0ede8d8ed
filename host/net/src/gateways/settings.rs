//! Which gateways, and how long one waits for them.

use std::path::PathBuf;
use std::time::Duration;

use super::address::Gateway;
use crate::client::Patience;

/// Settings of [`Gateways`](super::Gateways).
#[derive(Clone, Debug)]
pub struct GatewaysSettings {
    /// Whom to ask, in that order. None by default.
    pub gateways: Vec<Gateway>,
    /// Files with certificates in PEM, of authorities that are trusted besides the system's. None by default.
    pub authorities: Vec<PathBuf>,
    /// Time for a connection. Default 5 seconds.
    pub connect_timeout: Duration,
    /// Time until an answer begins, connecting included. Default 15 seconds.
    pub answer_timeout: Duration,
    /// Time between two pieces of an answer. Default 10 seconds.
    pub stall_timeout: Duration,
    /// Bytes a second that an answer has to come with. Default 8 KiB.
    pub rate_min: u64,
    /// Time that is spent waiting for an answer before its rate is looked at. Default 5 seconds.
    pub rate_grace: Duration,
    /// How long one gateway is waited for before the next is asked beside it. Default 2 seconds.
    pub hedge_after: Duration,
    /// Requests to one gateway at one time. Default 8.
    pub requests_max: usize,
    /// How long is waited for a gateway that asked to be left alone (`Retry-After`). Default 10 seconds.
    pub patience: Duration,
}

impl Default for GatewaysSettings {
    fn default() -> Self {
        Self {
            gateways: Vec::new(),
            authorities: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(10),
            rate_min: 8 << 10,
            rate_grace: Duration::from_secs(5),
            hedge_after: Duration::from_secs(2),
            requests_max: 8,
            patience: Duration::from_secs(10),
        }
    }
}

/// Time that a node of this machine has to find something.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(120);

impl GatewaysSettings {
    /// A node of this machine asks others itself.
    pub(super) fn patience_for_local(&self) -> Patience {
        Patience {
            answer: LOCAL_TIMEOUT,
            stall: LOCAL_TIMEOUT,
            ..self.patience()
        }
    }

    pub(super) fn patience(&self) -> Patience {
        Patience {
            connect: self.connect_timeout,
            answer: self.answer_timeout,
            stall: self.stall_timeout,
            rate_min: self.rate_min,
            rate_grace: self.rate_grace,
        }
    }
}
