//! What drivers use, from what the operator decided and from where a user's files are.

use std::path::PathBuf;

use homestar_core::grant::Secrets;
use homestar_engine::NodeKey;
use homestar_engine::drivers::DriverSettings;
use homestar_engine::drivers::http::HttpSettings;
use homestar_engine::drivers::resolver::ResolverSettings;

use super::Settings;
use super::file::{SecretSource, SecretTable};
use crate::error::{Caused, CommandError};
use crate::{files, keyring, paths, print};

/// Most bytes of a secret in a file.
const SECRET_BYTES_MAX: u64 = 64 << 10;

pub(super) fn settings(settings: &Settings, sends: bool) -> Result<DriverSettings, CommandError> {
    let file = settings.file();
    let authorities: Vec<PathBuf> = file.https.ca.iter().map(|ca| settings.place(ca)).collect();
    let secrets = match sends {
        true => {
            // Not every task needs every secret.
            secrets(settings, &mut |missing| print::warning(&missing.message()))?
        }
        false => Secrets::default(),
    };
    Ok(DriverSettings {
        http: HttpSettings {
            authorities: authorities.clone(),
        },
        resolver: ResolverSettings {
            servers: file.dns.resolver.0.clone(),
            authorities,
            ..ResolverSettings::default()
        },
        secrets,
        state: paths::state().ok(),
        keys: paths::keys().ok(),
        node: Some(NodeKey::new(|| {
            keyring::key().map_err(|error| error.message())
        })),
    })
}

/// Returns the secrets that can be had, and tells of those that can't.
pub(super) fn secrets(
    settings: &Settings,
    missing: &mut dyn FnMut(CommandError),
) -> Result<Secrets, CommandError> {
    let mut secrets = Secrets::default();
    for (name, table) in &settings.file().secret {
        let value = match value(settings, table) {
            Ok(value) => value,
            Err(error) => {
                let words = format!("the secret {name} can't be had: {}", error.message());
                missing(CommandError::input(words));
                continue;
            }
        };
        secrets.insert(name, value, &table.hosts).map_err(|error| {
            CommandError::input(Caused::new(format!("can't use {}", settings.name()), error))
        })?;
    }
    Ok(secrets)
}

fn value(settings: &Settings, table: &SecretTable) -> Result<String, CommandError> {
    match &table.source {
        SecretSource::Variable(name) => paths::variable(name)
            .ok_or_else(|| CommandError::input(format!("{name} is not set to a text"))),
        SecretSource::File(path) => {
            let path = settings.place(path);
            let text = String::from_utf8(files::read(&path, SECRET_BYTES_MAX)?);
            let text = text.map_err(|_| {
                CommandError::input(format!("{} is not UTF-8 text", path.display()))
            })?;
            // An editor ends a file with a line break.
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}
