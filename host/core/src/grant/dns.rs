//! The rule of a grant for name resolution.

use std::fmt;

use super::error::Wrong;
use super::name::NamePattern;

/// Which names may be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DnsRule {
    /// Any, if there are none.
    types: Box<[RecordType]>,
    name: NamePattern,
}

impl DnsRule {
    /// Reads what follows `dns=`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let (types, name) = match text.split_once(' ') {
            None => (Box::default(), text),
            Some((types, name)) => (parse_types(types)?, name),
        };
        if name.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(Wrong::Blank);
        }
        let name = NamePattern::parse(name)?;
        Ok(Self { types, name })
    }

    /// True if records of that type may be looked up.
    pub(super) fn matches(&self, name: &str, record_type: RecordType) -> bool {
        (self.types.is_empty() || self.types.contains(&record_type)) && self.name.matches(name)
    }

    /// True if every record that the other allows is allowed.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        let types = self.types.is_empty()
            || (!inner.types.is_empty() && inner.types.iter().all(|ty| self.types.contains(ty)));
        types && self.name.covers(&inner.name)
    }
}

fn parse_types(text: &str) -> Result<Box<[RecordType]>, Wrong> {
    let mut types = Vec::new();
    for name in text.split(',') {
        let named = |record_type: &&RecordType| record_type.name().eq_ignore_ascii_case(name);
        match RecordType::ALL.iter().find(named) {
            None => return Err(Wrong::RecordType(name.to_owned())),
            Some(known) if types.contains(known) => {}
            Some(record_type) => types.push(*record_type),
        }
    }
    Ok(types.into())
}

/// A grant for the records of one type that a name has. None if that can't be a name.
pub(super) fn suggest(name: &str, record_type: RecordType) -> Option<String> {
    match NamePattern::parse(name) {
        Ok(exact @ NamePattern::Exact(_)) => Some(format!("dns={record_type} {exact}")),
        _ => None,
    }
}

impl fmt::Display for DnsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, record_type) in self.types.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{record_type}")?;
        }
        let blank = if self.types.is_empty() { "" } else { " " };
        write!(f, "{blank}{}", self.name)
    }
}

/// Types of records that may be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "they are called so in RFC 1035 and those that follow it"
)]
pub enum RecordType {
    A,
    Aaaa,
    Caa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Srv,
    Txt,
}

impl RecordType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::A,
        Self::Aaaa,
        Self::Caa,
        Self::Cname,
        Self::Mx,
        Self::Ns,
        Self::Ptr,
        Self::Srv,
        Self::Txt,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Caa => "CAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Srv => "SRV",
            Self::Txt => "TXT",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
