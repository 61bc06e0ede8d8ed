//! What the drivers of one engine share.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use homestar_core::grant::Secrets;
use homestar_core::key::SigningKey;
use ring::rand::SystemRandom;
use tokio::runtime::{Handle, Runtime};

use super::http::{Http, HttpSettings};
use super::keys::{Kept, Keys};
use super::resolver::{Resolver, ResolverSettings};
use super::state::State;
use crate::instance::Diverged;

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
    runtime: OnceLock<Runtime>,
    node: OnceLock<Result<SigningKey, String>>,
    pub(crate) resolver: Arc<Resolver>,
    http: OnceLock<Result<Http, String>>,
    pub(crate) random: SystemRandom,
}

/// Threads that drivers run on. They wait more than they work.
const THREADS: usize = 2;

impl Drivers {
    pub(crate) fn new(settings: DriverSettings) -> Self {
        Self {
            resolver: Arc::new(Resolver::new(settings.resolver.clone())),
            http: OnceLock::new(),
            settings,
            runtime: OnceLock::new(),
            node: OnceLock::new(),
            random: SystemRandom::new(),
        }
    }

    /// Returns where drivers run.
    pub(crate) fn runtime(&self) -> Result<&Handle, Diverged> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("homestar-driver")
            .enable_all()
            .build()
            .map_err(|error| Diverged(format!("the drivers' threads can't be started: {error}")))?;
        Ok(self.runtime.get_or_init(|| runtime).handle())
    }

    /// Returns HTTP.
    pub(crate) fn http(&self) -> Result<&Http, String> {
        let http = self.http.get_or_init(|| {
            Http::new(&self.settings.http, self.resolver.clone())
                .map_err(|error| with_causes(&error))
        });
        http.as_ref().map_err(Clone::clone)
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

impl Drop for Drivers {
    fn drop(&mut self) {
        // Nothing that still runs is worth waiting for: its task has ended.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drivers").finish_non_exhaustive()
    }
}
