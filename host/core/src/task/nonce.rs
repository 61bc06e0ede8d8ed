//! What sets apart instructions that are otherwise the same.

use crate::ipld::{Ipld, kind_of};
use thiserror::Error;

/// The longest nonce written as text, in bytes. Those in use are 16 to 36; this bounds the memo key.
const MAX_TEXT_BYTES: usize = 128;

/// An instruction's nonce, in the form in which it was written.
///
/// Empty means idempotent: everyone who asks the same gets the same instruction, and one answer serves
/// all. Anything else makes an instruction of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(Form);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Form {
    Text(String),
    Bytes12([u8; 12]),
    Bytes16([u8; 16]),
}

impl Nonce {
    /// The empty nonce, written as an empty text.
    pub const EMPTY: Self = Self(Form::Text(String::new()));

    /// A nonce of text.
    pub fn text(text: impl Into<String>) -> Result<Self, NonceError> {
        let text = text.into();
        if text.len() > MAX_TEXT_BYTES {
            return Err(NonceError::TooLong);
        }
        Ok(Self(Form::Text(text)))
    }

    /// A nonce of 12 or 16 bytes.
    pub fn bytes(bytes: &[u8]) -> Result<Self, NonceError> {
        let twelve = bytes.try_into().map(Form::Bytes12);
        let form = twelve.or_else(|_| bytes.try_into().map(Form::Bytes16));
        form.map(Self).map_err(|_| NonceError::Length(bytes.len()))
    }

    /// True for the empty nonce.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    pub(crate) fn from_ipld(value: Ipld) -> Result<Self, NonceError> {
        match value {
            Ipld::String(text) => Self::text(text),
            Ipld::Bytes(bytes) => Self::bytes(&bytes),
            other => Err(NonceError::Kind(kind_of(&other))),
        }
    }

    pub(crate) fn to_ipld(&self) -> Ipld {
        match &self.0 {
            Form::Text(text) => Ipld::String(text.clone()),
            Form::Bytes12(bytes) => Ipld::Bytes(bytes.to_vec()),
            Form::Bytes16(bytes) => Ipld::Bytes(bytes.to_vec()),
        }
    }
}

impl Default for Nonce {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Why something is not a nonce.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NonceError {
    /// A text too long.
    #[error("a nonce has at most {MAX_TEXT_BYTES} bytes of text")]
    TooLong,
    /// Bytes of another length. An empty nonce is written as an empty text.
    #[error("a nonce of bytes has 12 or 16 of them, not {0}")]
    Length(usize),
    /// Neither text nor bytes.
    #[error("a nonce is a text or bytes, not {0}")]
    Kind(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_kept() {
        for written in [
            Ipld::String(String::new()),
            Ipld::String("1".into()),
            Ipld::Bytes(vec![7; 12]),
            Ipld::Bytes(vec![7; 16]),
        ] {
            let nonce = Nonce::from_ipld(written.clone()).expect("a nonce");
            assert_eq!(nonce.to_ipld(), written);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        assert_eq!(
            Nonce::from_ipld(Ipld::Bytes(vec![])),
            Err(NonceError::Length(0))
        );
        assert_eq!(Nonce::bytes(&[0; 13]), Err(NonceError::Length(13)));
        assert_eq!(Nonce::text("x".repeat(129)), Err(NonceError::TooLong));
        assert_eq!(Nonce::from_ipld(Ipld::Null), Err(NonceError::Kind("null")));
    }

    #[test]
    fn only_the_empty_text_is_empty() {
        assert!(Nonce::default().is_empty());
        assert!(!Nonce::text("0").expect("short").is_empty());
        assert!(!Nonce::bytes(&[0; 12]).expect("12").is_empty());
    }
}
