//! What the operator decides about HTTP: whom to trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// Settings of [`Http`](super::Http).
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// Files with certificates in PEM, of authorities that are trusted besides the system's. None by default.
    pub authorities: Vec<PathBuf>,
}

/// A file of certificates that can't be used.
#[derive(Debug, Error)]
pub enum HttpError {
    /// It can't be read, or isn't PEM.
    #[error("no certificates could be read from {}; it should hold them in PEM", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<rustls::pki_types::pem::Error>,
    },
    /// There are none in it.
    #[error("there are no certificates in {}; each begins with `-----BEGIN CERTIFICATE-----`", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// One of them isn't one.
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
pub(in crate::drivers) fn roots(authorities: &[PathBuf]) -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    for path in authorities {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|source| HttpError::Bad {
                path: path.clone(),
                source,
            })?;
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates = read().map_err(|source| HttpError::Unreadable {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    if certificates.is_empty() {
        return Err(HttpError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

/// Adds the system's authorities, or Mozilla's if the system has none. This reads files, some milliseconds long.
pub(in crate::drivers) fn with_system(mut roots: RootCertStore) -> RootCertStore {
    let found = rustls_native_certs::load_native_certs().certs;
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// TLS 1.2 and 1.3, without certificates of our own. What is spoken over it is for others to say.
pub(in crate::drivers) fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
