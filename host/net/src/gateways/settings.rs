//! Which gateways, and how long one waits for them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use super::address::Gateway;

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
    /// Bytes a second that an answer has to come with, after its first seconds. Default 8 KiB.
    pub rate_min: u64,
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
            hedge_after: Duration::from_secs(2),
            requests_max: 8,
            patience: Duration::from_secs(10),
        }
    }
}

/// Settings that can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GatewaysError {
    /// A file of certificates that can't be read, or isn't PEM.
    #[error("no certificates could be read from {}; it should hold them in PEM", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<rustls::pki_types::pem::Error>,
    },
    /// A certificate that isn't one.
    #[error("a certificate in {} is not one that can be trusted", .path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// Reads the operator's authorities.
pub(super) fn roots(authorities: &[PathBuf]) -> Result<RootCertStore, GatewaysError> {
    let mut roots = RootCertStore::empty();
    for path in authorities {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|source| GatewaysError::Bad {
                    path: path.clone(),
                    source,
                })?;
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, GatewaysError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    read().map_err(|source| GatewaysError::Unreadable {
        path: path.to_owned(),
        source: Box::new(source),
    })
}
