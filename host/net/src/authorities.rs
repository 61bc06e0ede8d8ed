//! Whose certificates are trusted besides the system's.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

/// Authorities that can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthoritiesError {
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
pub(crate) fn roots(authorities: &[PathBuf]) -> Result<RootCertStore, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    for path in authorities {
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|source| AuthoritiesError::Bad {
                    path: path.clone(),
                    source,
                })?;
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    read().map_err(|source| AuthoritiesError::Unreadable {
        path: path.to_owned(),
        source: Box::new(source),
    })
}
