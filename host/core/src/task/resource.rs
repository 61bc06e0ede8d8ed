//! Which component an instruction runs.

use crate::ipld::{Cid, CidError, Ipld, kind_of, parse_cid};
use std::fmt;
use thiserror::Error;

/// The scheme of a component's URL.
const SCHEME: &str = "ipfs://";

/// A component's CID, in the form in which the instruction writes it.
///
/// Both forms name the same component, but the instruction's own CID covers the form, so it is kept.
/// We write links: a store that follows links then keeps a component as long as its instruction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A link.
    Link(Cid),
    /// An `ipfs://<cid>` URL, as workflow files of 2024 have it.
    Url(Url),
}

/// An `ipfs://<cid>` URL and the CID in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    cid: Cid,
}

impl Resource {
    /// Reads an `ipfs://<cid>` URL. A path behind the CID is refused: a component is one block or file.
    pub fn parse_url(text: &str) -> Result<Self, ResourceError> {
        let Some(cid) = text.strip_prefix(SCHEME) else {
            return Err(ResourceError::Scheme);
        };
        Ok(Self::Url(Url {
            text: text.to_owned(),
            cid: parse_cid(cid)?,
        }))
    }

    /// The component's CID.
    pub fn cid(&self) -> &Cid {
        match self {
            Self::Link(cid) => cid,
            Self::Url(url) => &url.cid,
        }
    }

    pub(crate) fn from_ipld(value: Ipld) -> Result<Self, ResourceError> {
        match value {
            Ipld::Link(cid) => Ok(Self::Link(cid)),
            Ipld::String(text) => Self::parse_url(&text),
            other => Err(ResourceError::Kind(kind_of(&other))),
        }
    }

    pub(crate) fn to_ipld(&self) -> Ipld {
        match self {
            Self::Link(cid) => Ipld::Link(*cid),
            Self::Url(url) => Ipld::String(url.text.clone()),
        }
    }
}

impl From<Cid> for Resource {
    fn from(cid: Cid) -> Self {
        Self::Link(cid)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.cid())
    }
}

/// Why something does not name a component.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The text is not an `ipfs://` URL. Other schemes become CIDs when a workflow is planned.
    #[error("a component is named by a link or an `ipfs://` URL")]
    Scheme,
    /// The URL holds no CID, or more than one.
    #[error("a component's URL holds no CID")]
    Cid(#[from] CidError),
    /// Neither a link nor a text.
    #[error("a component is named by a link or an `ipfs://` URL, not by {0}")]
    Kind(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;

    #[test]
    fn both_forms_name_the_component_and_are_kept() {
        let cid = cid_of_raw(b"x");
        let url = Ipld::String(format!("ipfs://{cid}"));
        for written in [Ipld::Link(cid), url] {
            let resource = Resource::from_ipld(written.clone()).expect("a component");
            assert_eq!(resource.cid(), &cid);
            assert_eq!(resource.to_ipld(), written);
        }
    }

    #[test]
    fn other_names_are_refused() {
        let cid = cid_of_raw(b"x");
        for text in [
            "ipfs://".to_owned(),
            format!("IPFS://{cid}"),
            format!("ipfs://{cid}/a"),
            format!("https://{cid}"),
            cid.to_string(),
        ] {
            assert!(Resource::parse_url(&text).is_err(), "{text}");
        }
        assert_eq!(
            Resource::from_ipld(Ipld::Null),
            Err(ResourceError::Kind("null"))
        );
    }
}
