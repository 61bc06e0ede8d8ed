//! What the drivers of one engine share.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use homestar_core::grant::{Permit, Secrets};
use homestar_core::key::SigningKey;
use ring::rand::SystemRandom;

use super::background::Background;
use super::http::{Error, Http, HttpSettings, Pieces, Request, Response};
use super::keys::{Kept, Keys};
use super::lane::Lane;
use super::resolver::{Resolver, ResolverSettings};
use super::state::State;

/// What the drivers use. By default they have no folders and no key, and the system's resolver and authorities.
#[derive(Clone, Debug, Default)]
pub struct DriverSettings {
    /// Whom HTTP trusts.
    pub http: HttpSettings,
    /// Who is asked for names.
    pub resolver: ResolverSettings,
    /// What placeholders in requests stand for.
    pub secrets: Secrets,
    /// Folder in which state is kept.
    pub state: Option<PathBuf>,
    /// Folder in which guests' keys are kept.
    pub keys: Option<PathBuf>,
    /// This node's key, of which verifiable values follow.
    pub node: Option<NodeKey>,
}

/// Gets this node's key when it is first needed, or says why there is none.
#[derive(Clone)]
pub struct NodeKey(Arc<dyn Fn() -> Result<SigningKey, String> + Send + Sync>);

impl NodeKey {
    /// Returns what calls `get`.
    pub fn new(get: impl Fn() -> Result<SigningKey, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(get))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKey")
    }
}

/// The drivers of one engine. What takes time to set up is set up when it is first needed.
pub(crate) struct Drivers {
    settings: DriverSettings,
    node: OnceLock<Result<SigningKey, String>>,
    pub(crate) resolver: Arc<Resolver>,
    /// Of the background. Lanes have their own.
    http: OnceLock<Result<Arc<Http>, String>>,
    background: Background,
    /// Those that no task has, and since when: the last is the one that was used last.
    lanes: Mutex<Vec<(Lane, Instant)>>,
    pub(crate) random: SystemRandom,
}

/// Lanes that are kept while no task has them.
const LANES_MAX: usize = 64;
/// How long one is kept. Nobody looks after its connections meanwhile, and servers close those that nobody uses.
const LANE_IDLE: Duration = Duration::from_secs(60);

impl Drivers {
    pub(crate) fn new(settings: DriverSettings) -> Self {
        Self {
            resolver: Arc::new(Resolver::new(settings.resolver.clone())),
            http: OnceLock::new(),
            background: Background::new("homestar-driver"),
            settings,
            node: OnceLock::new(),
            lanes: Mutex::default(),
            random: SystemRandom::new(),
        }
    }

    /// Returns a lane for a task: the one that was used last, whose connections are the likeliest to be open.
    pub(crate) fn lane(&self) -> wasmtime::Result<Lane> {
        let kept = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.retain(|(_, since)| since.elapsed() < LANE_IDLE);
            lanes.pop()
        };
        if let Some((lane, _)) = kept {
            return Ok(lane);
        }
        let http = self.http().map(|http| http.apart());
        Lane::open(http).map_err(|error| wasmtime::format_err!("the drivers can't begin: {error}"))
    }

    /// Returns HTTP with connections that all tasks share.
    fn http(&self) -> Result<Arc<Http>, String> {
        let http = self.http.get_or_init(|| {
            let http = Http::new(&self.settings.http, self.resolver.clone());
            http.map(Arc::new).map_err(|error| with_causes(&error))
        });
        http.clone()
    }

    /// Sends a request whose body is made meanwhile. It may be answered before its end, and its task may end before it, so
    /// that its rest goes on in the background.
    pub(crate) async fn send_streaming(
        &self,
        permit: Permit,
        request: Request,
        pieces: Pieces,
    ) -> Result<Response, Error> {
        let http = self.http().map_err(Error::Connection)?;
        let secrets = self.secrets().clone();
        let sending = self.background.run(async move {
            let sent = http.send_streaming(&permit, &secrets, &request, pieces);
            sent.await
        });
        let sending = sending.map_err(|error| Error::Connection(error.to_string()))?;
        let sent = sending.await;
        sent.map_err(|error| Error::Connection(error.to_string()))?
    }

    /// Keeps a lane for the next task. What still goes on in it was stopped.
    pub(crate) fn keep(&self, lane: Lane) {
        if !lane.settle() {
            return;
        }
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() < LANES_MAX {
            lanes.push((lane, Instant::now()));
        }
    }

    /// Returns what placeholders stand for.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.settings.secrets
    }

    /// Returns this node's key.
    pub(crate) fn node(&self) -> Result<&SigningKey, String> {
        let node = self.node.get_or_init(|| match &self.settings.node {
            Some(key) => (key.0)(),
            None => Err("this node has no key".to_owned()),
        });
        node.as_ref().map_err(Clone::clone)
    }

    /// Returns no keys, and where kept ones are.
    pub(crate) fn keys(&self) -> Keys {
        Keys::new(self.settings.keys.as_ref().map(Kept::new))
    }

    /// Returns where state is kept.
    pub(crate) fn state(&self) -> Option<State> {
        self.settings.state.as_ref().map(State::new)
    }
}

/// Returns an error's words and those of its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    text
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drivers").finish_non_exhaustive()
    }
}
