//! Content-addressed values: [`Cid`], [`Ipld`], [`Link`], [`Block`], and strict DAG-CBOR in and out.
//!
//! One value has one encoding, and so one name. [`encode`] writes that encoding; [`decode`] takes nothing
//! else. Bytes are checked by a walk of our own, whose rules are [`Rule`], before a value is built from
//! them, and types are read from the checked value, never from the stream, so what decodes here is what
//! every other strict reader sees.
//!
//! ```
//! use homestar_core::ipld::{self, Block, Ipld};
//!
//! let value = Ipld::List(vec![Ipld::Integer(1), Ipld::String("two".into())]);
//! let block = Block::of_dag_cbor(&value)?;
//! assert_eq!(ipld::decode::<Ipld>(block.bytes())?, value);
//! assert!(Block::verify(*block.cid(), b"other bytes".to_vec()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod buffers;
mod cid;
mod codec;
mod fields;
mod link;
mod strict;
mod write;

pub use self::block::{Block, BlockError, MAX_BLOCK_BYTES};
pub use self::buffers::{Buffer, Buffers};
pub use self::cid::{
    CidError, DAG_CBOR, DAG_PB, IDENTITY, RAW, SHA2_256, cid_of, cid_of_dag_cbor, cid_of_raw,
    parse_cid,
};
pub use self::codec::{DecodeError, EncodeError, MAX_DEPTH, decode, encode};
pub use self::fields::FieldError;
pub use self::link::Link;
pub use self::strict::Rule;
pub use ::cid::Cid;
pub use ipld_core::ipld::Ipld;

pub(crate) use self::cid::cid_from_bytes;
pub(crate) use self::codec::{decode_within, encode_into, kind_of};
pub(crate) use self::fields::Fields;
pub(crate) use self::strict::{depth_of, links_of as links_of_dag_cbor};
pub(crate) use self::write::encode_value;
