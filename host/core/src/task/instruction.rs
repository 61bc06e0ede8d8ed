//! What to compute.

use super::input::Input;
use super::{Nonce, NonceError, Resource, ResourceError};
use crate::ipld::{self, Block, DecodeError, EncodeError, FieldError, Fields, Ipld, Link};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use thiserror::Error;

/// The operation of every instruction: call a function of a WebAssembly component.
pub const WASM_RUN: &str = "wasm/run";

/// A component, a function of it, arguments and a nonce.
///
/// The CID is known from the start: an instruction that can't be encoded can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    resource: Resource,
    input: Input,
    nonce: Nonce,
    block: Block,
}

impl Instruction {
    /// Asks for a function of a component.
    ///
    /// Fails where an argument has no DAG-CBOR form. The block may be larger than
    /// [`MAX_BLOCK_BYTES`](crate::ipld::MAX_BLOCK_BYTES); such a one can be run here and named, but not
    /// sent. Who asks others passes large data by link.
    pub fn new(
        resource: impl Into<Resource>,
        input: Input,
        nonce: Nonce,
    ) -> Result<Self, InstructionError> {
        let resource = resource.into();
        let block = Block::new(
            ipld::DAG_CBOR,
            ipld::encode_value(&wire(&resource, &input, &nonce))?,
        );
        Ok(Self {
            resource,
            input,
            nonce,
            block,
        })
    }

    /// Reads an instruction from its block's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, InstructionError> {
        Self::from_ipld(ipld::decode(bytes)?)
    }

    /// Reads an instruction from a value, such as a part of a workflow file. Unknown keys are refused:
    /// they would change what is computed, or seem to.
    pub fn from_ipld(value: Ipld) -> Result<Self, InstructionError> {
        let mut fields = Fields::of("instruction", value)?;
        operation(fields.string("op")?)?;
        let resource = Resource::from_ipld(fields.take("rsc")?)?;
        let input = Input::from_ipld(fields.take("input")?)?;
        let nonce = Nonce::from_ipld(fields.take("nnc")?)?;
        fields.end()?;
        Self::new(resource, input, nonce)
    }

    /// The value that is encoded.
    pub fn to_ipld(&self) -> Ipld {
        wire(&self.resource, &self.input, &self.nonce)
    }

    /// The component.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The function and its arguments.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The nonce.
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The instruction's name, the memo key.
    pub fn link(&self) -> Link<Self> {
        Link::new(*self.block.cid())
    }

    /// The encoded instruction.
    pub fn block(&self) -> &Block {
        &self.block
    }
}

impl Serialize for Instruction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_ipld().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Instruction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Ipld::deserialize(deserializer)?;
        Self::from_ipld(value).map_err(serde::de::Error::custom)
    }
}

fn wire(resource: &Resource, input: &Input, nonce: &Nonce) -> Ipld {
    Ipld::Map(BTreeMap::from([
        ("rsc".to_owned(), resource.to_ipld()),
        ("op".to_owned(), Ipld::String(WASM_RUN.to_owned())),
        ("input".to_owned(), input.to_ipld()),
        ("nnc".to_owned(), nonce.to_ipld()),
    ]))
}

fn operation(op: String) -> Result<(), InstructionError> {
    if op == WASM_RUN {
        Ok(())
    } else {
        Err(InstructionError::Operation(op))
    }
}

/// Why something is not an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstructionError {
    /// The bytes are not strict DAG-CBOR.
    #[error("an instruction is not strict DAG-CBOR")]
    Decode(#[from] DecodeError),
    /// A value has no encoding.
    #[error("an instruction has no encoding")]
    Encode(#[from] EncodeError),
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Another operation than [`WASM_RUN`].
    #[error("operation {0:?} is not {WASM_RUN:?}")]
    Operation(String),
    /// The component is not named.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// The nonce is not one.
    #[error(transparent)]
    Nonce(#[from] NonceError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::json;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    const CID: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";

    fn read(text: &str) -> Result<Instruction, InstructionError> {
        Instruction::from_ipld(json::parse(&text.replace("CID", CID)).expect("DAG-JSON"))
    }

    #[test]
    fn reads_what_a_workflow_file_says() {
        let text = r#"{"rsc": "ipfs://CID", "op": "wasm/run", "nnc": "", "input": {"func": "f", "args": []}}"#;
        let instruction = read(text).expect("an instruction");
        assert_eq!(instruction.resource().cid().to_string(), CID);
        assert!(instruction.nonce().is_empty());
        assert_eq!(
            Instruction::decode(instruction.block().bytes()),
            Ok(instruction)
        );
    }

    #[test]
    fn the_written_form_decides_the_name() {
        let link = Instruction::new(cid_of_raw(b"hello"), Input::new("f", vec![]), Nonce::EMPTY);
        let link = link.expect("an instruction");
        let url = r#"{"rsc": "ipfs://CID", "op": "wasm/run", "nnc": "", "input": {"func": "f", "args": []}}"#;
        let url = read(url).expect("an instruction");
        assert_eq!(link.resource().cid(), url.resource().cid());
        assert_ne!(link.link(), url.link());
    }

    #[test]
    fn no_standard_input_is_not_an_empty_one() {
        let mut input = Input::new("f", vec![]);
        let without = Instruction::new(cid_of_raw(b"c"), input.clone(), Nonce::EMPTY);
        input.stdin = Some(vec![]);
        let with = Instruction::new(cid_of_raw(b"c"), input, Nonce::EMPTY);
        assert_ne!(
            without.map(|made| made.link()),
            with.map(|made| made.link())
        );
    }

    #[test]
    fn refusals_name_the_field() {
        for (text, words) in [
            (r#"[]"#, "instruction should be a map, not a list"),
            (
                r#"{"op": "wasm/run", "rsc": {"/": "CID"}, "nnc": ""}"#,
                "instruction has no input",
            ),
            (
                r#"{"op": "wasm/ran"}"#,
                "operation \"wasm/ran\" is not \"wasm/run\"",
            ),
            (
                r#"{"op": "wasm/run", "rsc": {"/": "CID"}, "nnc": "", "input": {"func": 1, "args": []}}"#,
                "input.func should be a string, not an integer",
            ),
            (
                r#"{"op": "wasm/run", "rsc": {"/": "CID"}, "nnc": "", "input": {"func": "", "args": [], "stdin": null}}"#,
                "input.stdin should be bytes, not null",
            ),
            (
                r#"{"op": "wasm/run", "rsc": {"/": "CID"}, "nnc": "", "input": {"func": "", "args": [], "x": 1}}"#,
                "input has an unknown field \"x\"",
            ),
            (
                r#"{"op": "wasm/run", "rsc": {"/": "CID"}, "nnc": "", "input": {"func": "", "args": []}, "fuel": 1}"#,
                "instruction has an unknown field \"fuel\"",
            ),
        ] {
            assert_eq!(read(text).expect_err(text).to_string(), words);
        }
    }

    #[test]
    fn an_argument_without_encoding_is_refused() {
        let input = Input::new("f", vec![Ipld::Float(f64::NAN)]);
        let made = Instruction::new(cid_of_raw(b"c"), input, Nonce::EMPTY);
        assert!(matches!(
            made,
            Err(InstructionError::Encode(EncodeError::Value { .. }))
        ));
    }

    proptest! {
        #[test]
        fn decodes_to_itself(args in prop::collection::vec(any_ipld(), 0..4), stdin: Option<Vec<u8>>) {
            let input = Input { func: "f".into(), args, stdin };
            let made = Instruction::new(cid_of_raw(b"c"), input, Nonce::EMPTY).expect("encodes");
            prop_assert_eq!(Instruction::decode(made.block().bytes()).expect("decodes"), made);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Instruction::decode(&bytes);
        }
    }
}
