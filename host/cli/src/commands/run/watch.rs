//! `homestar run --watch` and `homestar dev`: run again when something changes that the result depends on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use homestar_core::ipld::Cid;
use homestar_engine::{Change, Effects, Live, Snapshot, What};
use homestar_node::Reference;

use super::Options;
use crate::authority::Authority;
use crate::error::{CommandError, Kind, causes};
use crate::{files, folders, print};

/// How long is waited for a change before it is waited again.
const A_WHILE: Duration = Duration::from_secs(3600);

/// What a component is built from.
pub(in crate::commands) trait Source {
    /// Returns the files that are there now.
    fn files(&self) -> Vec<PathBuf>;

    /// Builds the component.
    fn build(&self) -> Result<(), CommandError>;
}

/// Does `run` now and whenever something changes that `options` lead to, after building the component if there is a
/// `source`. Ends only when nobody reads the output.
pub(super) fn main(
    options: &Options,
    source: Option<&dyn Source>,
    run: impl Fn(&Options) -> Result<u8, CommandError>,
) -> ExitCode {
    let component = match &options.component {
        Reference::Path(path) => path,
        Reference::Stdin => {
            let error = CommandError::usage("standard input can't be watched");
            return print::error(&error, options.json);
        }
        Reference::Url(_) => {
            let error = CommandError::usage("what is at a URL can't be watched");
            return print::error(&error, options.json);
        }
        Reference::Content(_) => {
            let error = CommandError::usage("what is named by its content never changes");
            return print::error(&error, options.json);
        }
    };
    let mut watched = Watched::new(options, component, source);
    loop {
        // What is written during the build is built next time.
        watched.follow_source();
        let snapshot = watched.live.snapshot();
        let built = source.map_or(Ok(()), |source| source.build());
        let wiring = watched.wiring(&snapshot);
        if let Err(error) = built.and_then(|()| run(options).map(|_| ())) {
            let code = print::error(&error, options.json);
            if error.kind == Kind::Silent {
                return code;
            }
        }
        watched.wait(snapshot, &wiring);
    }
}

/// All that a result depends on.
struct Watched<'a> {
    live: Live,
    options: &'a Options,
    component: &'a Path,
    /// The operator's settings, whether they are there or not.
    config: Option<PathBuf>,
    source: Option<&'a dyn Source>,
    /// The files of the source.
    files: BTreeSet<PathBuf>,
}

/// The effects that a component is wired to, or why it can't be wired.
type Wiring = Result<Vec<(PathBuf, Cid)>, String>;

impl<'a> Watched<'a> {
    fn new(options: &'a Options, component: &'a Path, source: Option<&'a dyn Source>) -> Self {
        let live = folders::live(&options.effects);
        // A component that is built changes when its source did, which is when it is built.
        if source.is_none() {
            live.follow(component);
        }
        let config = options.config.path();
        if let Some(config) = &config {
            live.follow(config);
        }
        if let Some(fault) = live.fault() {
            print::warning(&format!(
                "files can't be watched, so they are looked at again and again: {fault}"
            ));
        }
        Self {
            live,
            options,
            component,
            config,
            source,
            files: BTreeSet::new(),
        }
    }

    /// Follows the files of the source that are new.
    fn follow_source(&mut self) {
        for file in self.source.map_or(Vec::new(), |source| source.files()) {
            if self.files.insert(file.clone()) {
                self.live.follow(&file);
            }
        }
    }

    /// Returns what the component would be wired to.
    fn wiring(&self, snapshot: &Snapshot) -> Wiring {
        let bytes = files::read(self.component, folders::EFFECT_BYTES_MAX);
        let bytes = bytes.map_err(|error| error.message())?;
        let mut effects = Effects::clone(&snapshot.effects);
        // Settings and options that are at fault are told by the run.
        if let Ok(settings) = self.options.config.settings() {
            let authority = Authority::new(&settings, &self.options.allow, &self.options.pin);
            let _ = authority.give(&mut effects);
        }
        let wired = effects.wired_to(&bytes);
        let wired = wired.map_err(|error| error.to_string())?.into_iter();
        let file = |effect: &homestar_engine::Effect| (effect.path().to_owned(), *effect.cid());
        Ok(wired.map(file).collect())
    }

    /// Waits until the component is another than at `before`, or would be wired otherwise, and says why.
    fn wait(&self, mut before: Snapshot, wiring: &Wiring) {
        loop {
            let changes = self.live.wait(before.generation, A_WHILE);
            let snapshot = self.live.snapshot();
            for error in &snapshot.errors {
                if !before.errors.iter().any(|known| is_same(known, error)) {
                    print::warning_of(&**error);
                }
            }
            before = snapshot;
            let is_changed = |change: &Change| {
                let is_config = self.config.as_ref() == Some(&change.path);
                let is_component = change.path == self.component && change.what != What::Removed;
                is_config || is_component || self.files.contains(&change.path)
            };
            if !changes.iter().any(is_changed) && self.wiring(&before) == *wiring {
                continue;
            }
            for change in changes {
                if change.what != What::Broken {
                    print::err(&format!("{change}\n"));
                }
            }
            if self.source.is_some() || self.component.exists() {
                return;
            }
        }
    }
}

/// Tells whether two errors say the same.
fn is_same(a: &homestar_engine::EffectError, b: &homestar_engine::EffectError) -> bool {
    a.to_string() == b.to_string() && causes(a) == causes(b)
}
