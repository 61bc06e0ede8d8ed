//! The fields of a map, taken one by one until none may be left.

use super::{Cid, Ipld, kind_of};
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a map is not the one expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Something else stands where the map should.
    #[error("{of} should be a map, not {found}")]
    NotAMap {
        /// The map.
        of: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A field holds another kind of value.
    #[error("{of}.{field} should be {expected}, not {found}")]
    Kind {
        /// The map.
        of: &'static str,
        /// The field's name on the wire.
        field: &'static str,
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: &'static str,
    },
    /// A field is not there.
    #[error("{of} has no {field}")]
    Missing {
        /// The map.
        of: &'static str,
        /// The field's name on the wire.
        field: &'static str,
    },
    /// A field that we don't know.
    #[error("{of} has an unknown field {field:?}")]
    Unknown {
        /// The map.
        of: &'static str,
        /// The field's name on the wire.
        field: String,
    },
}

/// A map being read. What it is of, and its fields' names, go into the errors.
pub(crate) struct Fields {
    of: &'static str,
    entries: BTreeMap<String, Ipld>,
}

impl Fields {
    pub(crate) fn of(of: &'static str, value: Ipld) -> Result<Self, FieldError> {
        match value {
            Ipld::Map(entries) => Ok(Self { of, entries }),
            other => Err(FieldError::NotAMap {
                of,
                found: kind_of(&other),
            }),
        }
    }

    pub(crate) fn take(&mut self, field: &'static str) -> Result<Ipld, FieldError> {
        let missing = FieldError::Missing { of: self.of, field };
        self.entries.remove(field).ok_or(missing)
    }

    pub(crate) fn string(&mut self, field: &'static str) -> Result<String, FieldError> {
        match self.take(field)? {
            Ipld::String(text) => Ok(text),
            other => Err(self.kind(field, "a string", &other)),
        }
    }

    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, FieldError> {
        match self.take(field)? {
            Ipld::Bytes(bytes) => Ok(bytes),
            other => Err(self.kind(field, "bytes", &other)),
        }
    }

    pub(crate) fn list(&mut self, field: &'static str) -> Result<Vec<Ipld>, FieldError> {
        match self.take(field)? {
            Ipld::List(items) => Ok(items),
            other => Err(self.kind(field, "a list", &other)),
        }
    }

    pub(crate) fn map(
        &mut self,
        field: &'static str,
    ) -> Result<BTreeMap<String, Ipld>, FieldError> {
        match self.take(field)? {
            Ipld::Map(entries) => Ok(entries),
            other => Err(self.kind(field, "a map", &other)),
        }
    }

    pub(crate) fn link(&mut self, field: &'static str) -> Result<Cid, FieldError> {
        match self.take(field)? {
            Ipld::Link(cid) => Ok(cid),
            other => Err(self.kind(field, "a link", &other)),
        }
    }

    pub(crate) fn links(&mut self, field: &'static str) -> Result<Vec<Cid>, FieldError> {
        let items = self.list(field)?;
        let link = |item| match item {
            Ipld::Link(cid) => Ok(cid),
            other => Err(self.kind(field, "a list of links", &other)),
        };
        items.into_iter().map(link).collect()
    }

    pub(crate) fn unsigned(&mut self, field: &'static str) -> Result<u64, FieldError> {
        let value = self.take(field)?;
        match &value {
            Ipld::Integer(integer) => u64::try_from(*integer).ok(),
            _ => None,
        }
        .ok_or_else(|| self.kind(field, "an integer of 64 bits without sign", &value))
    }

    /// Reads a field that may be missing. Null is not missing.
    pub(crate) fn if_present<T, E>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if self.has(field) {
            read(self, field).map(Some)
        } else {
            Ok(None)
        }
    }

    /// True if a field is there and was not taken.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.entries.contains_key(field)
    }

    /// Takes away fields that hold null, of those named.
    pub(crate) fn drop_nulls(&mut self, fields: &[&str]) {
        self.entries
            .retain(|key, value| *value != Ipld::Null || !fields.contains(&key.as_str()));
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self) -> Result<(), FieldError> {
        match self.entries.into_keys().next() {
            None => Ok(()),
            Some(field) => Err(FieldError::Unknown { of: self.of, field }),
        }
    }

    pub(crate) fn kind(
        &self,
        field: &'static str,
        expected: &'static str,
        found: &Ipld,
    ) -> FieldError {
        FieldError::Kind {
            of: self.of,
            field,
            expected,
            found: kind_of(found),
        }
    }
}
