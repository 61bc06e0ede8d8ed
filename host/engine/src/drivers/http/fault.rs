//! What went wrong with an exchange, in the words of the WIT type.
//!
//! Texts name causes only: the library's own would repeat the URL with its query.

use std::error::Error as StdError;
use std::io;

use super::types::Error;

/// Errors of hyper that say that the connection ended. It has no type of its own for them that we can name.
const BROKEN: [&str; 4] = [
    "connection closed before message completed",
    "operation was canceled",
    "connection was not ready",
    "error shutting down connection",
];

/// Returns the error that a guest sees.
pub(super) fn fault(error: &reqwest::Error) -> Error {
    if let Some(error) = find::<Error>(error) {
        return error.clone();
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return Error::Tls(error.to_string());
    }
    let cause = root(error).to_string();
    if error.is_timeout() {
        return Error::Timeout;
    }
    if error.is_builder() {
        return Error::Invalid(cause);
    }
    if error.is_connect() {
        return Error::Connection(cause);
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Error::Protocol(cause),
        Some(_) => Error::Connection(cause),
        None if BROKEN.contains(&cause.as_str()) => Error::Connection(cause),
        None => Error::Protocol(cause),
    }
}

/// Finds a cause of one type. What an [`io::Error`] holds is a cause too, though it doesn't say so.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error.downcast_ref().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| find(inner)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The cause of all causes.
fn root<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
