//! Options of several commands: where content is kept, and whom to ask for what isn't there.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use homestar_node::{
    Disk, DownloadsSettings, Fetch, Gateway, Gateways, GatewaysSettings, Source, StoreConfig,
    StoreError,
};

use super::data::Data;
use crate::error::{Caused, CommandError};
use crate::paths;
use crate::settings::Settings;

/// Where content is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StorageOptions {
    /// The folder of the store, instead of the user's
    #[arg(long, value_name = "FOLDER", help_heading = "Content")]
    pub(super) store: Option<PathBuf>,

    /// A gateway to ask for content that isn't in the store, before those of homestar.toml; may be given more than once
    ///
    /// It need not be trusted: every block is checked against its CID. http:// is for this machine.
    #[arg(long, value_name = "URL", help_heading = "Content")]
    gateway: Vec<String>,

    /// Ask nobody for content that isn't in the store, and download nothing
    #[arg(long, conflicts_with = "gateway", help_heading = "Content")]
    offline: bool,
}

impl StorageOptions {
    /// Of a store, and nobody else is asked.
    pub(super) fn of_store(store: Option<PathBuf>) -> Self {
        Self {
            store,
            gateway: Vec::new(),
            offline: true,
        }
    }

    /// Returns content for a command that may need it.
    pub(crate) fn data(&self, settings: &Settings) -> Result<Data, CommandError> {
        let (place, fetch) = (self.place(settings), self.gateways(settings)?);
        let config = config(settings);
        let open = move || {
            let place = place.clone().map_err(CommandError::input)?;
            let store = open(&place, config.clone())?;
            let fetch = fetch.clone().map(fetching).transpose()?;
            Ok(Arc::new(Source::new(Arc::new(store), fetch)))
        };
        Ok(Data::new(open, self.downloading(settings)))
    }

    /// Returns how files are downloaded, if they are.
    fn downloading(&self, settings: &Settings) -> Option<DownloadsSettings> {
        (!self.offline).then(|| DownloadsSettings {
            authorities: authorities(settings),
            ..DownloadsSettings::default()
        })
    }

    /// Returns the store.
    pub(crate) fn disk(&self, settings: &Settings) -> Result<Disk, CommandError> {
        let place = self.place(settings).map_err(CommandError::input)?;
        open(&place, config(settings))
    }

    /// Returns the folder of the store.
    pub(crate) fn place(&self, settings: &Settings) -> Result<PathBuf, paths::NoHome> {
        let set = settings.file().store.path.as_deref();
        let set = set.map(|path| settings.place(path));
        self.store.clone().or(set).map_or_else(paths::store, Ok)
    }

    /// Returns whom to ask, if anybody.
    fn gateways(&self, settings: &Settings) -> Result<Option<GatewaysSettings>, CommandError> {
        if self.offline {
            return Ok(None);
        }
        let mut gateways = Vec::new();
        for url in &self.gateway {
            gateways.push(Gateway::parse(url).map_err(CommandError::usage)?);
        }
        let file = settings.file();
        for url in &file.gateways {
            let gateway = Gateway::parse(url).map_err(|error| {
                let words = format!("can't use a gateway of {}", settings.name());
                CommandError::input(Caused::new(words, error))
            })?;
            gateways.push(gateway);
        }
        Ok((!gateways.is_empty()).then(|| GatewaysSettings {
            gateways,
            authorities: authorities(settings),
            ..GatewaysSettings::default()
        }))
    }
}

/// Returns the files of authorities that are trusted besides the system's.
fn authorities(settings: &Settings) -> Vec<PathBuf> {
    let paths = settings.file().https.ca.iter();
    paths.map(|path| settings.place(path)).collect()
}

fn config(settings: &Settings) -> StoreConfig {
    let mut config = StoreConfig::default();
    config.quota_bytes = settings.file().store.quota;
    config
}

fn fetching(settings: GatewaysSettings) -> Result<Arc<dyn Fetch>, CommandError> {
    let gateways = Gateways::new(settings).map_err(CommandError::input)?;
    Ok(Arc::new(gateways))
}

fn open(place: &std::path::Path, config: StoreConfig) -> Result<Disk, CommandError> {
    Disk::open(place, config).map_err(|error| {
        let is_lost = matches!(error, StoreError::Index { .. } | StoreError::NoIndex { .. });
        let words = format!("can't open the store in {}", place.display());
        let error = CommandError::host(Caused::new(words, error));
        match is_lost {
            true => error.hint("`homestar store rebuild` makes the index anew from what is there"),
            false => error,
        }
    })
}
