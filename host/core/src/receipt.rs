//! The signed record that an instruction had an outcome.
//!
//! A receipt is a UCAN invocation that asks for nothing: `cmd: /ucan/assert/receipt`, issuer and subject
//! the executor, no audience, no end. It holds no clock and no nonce, so the same run by the same
//! executor is the same receipt, with the same CID.

use crate::ipld::{Block, Cid, EncodeError, FieldError, Fields, Ipld, Link};
use crate::key::SigningKey;
use crate::outcome::{Outcome, OutcomeError};
use crate::task::Instruction;
use crate::ucan::invocation::Payload;
use crate::ucan::token::TokenError;
use crate::ucan::{Command, Did, Invocation};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

mod known;

/// The command of every receipt.
pub const COMMAND: &str = "/ucan/assert/receipt";

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The instruction that was run.
    pub ran: Link<Instruction>,
    /// What came of it. A large value stands here as a link: see [`Outcome::inline_or_link`].
    pub outcome: Outcome,
    /// Further instructions that the task asks to have run.
    pub run: Vec<Link<Instruction>>,
    /// How it was run.
    pub meta: Meta,
}

/// How an instruction was run. It explains an outcome, it doesn't decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The component that ran: the instruction's own.
    pub component: Cid,
    /// The function that was called, as it is named in the component's type.
    pub func: String,
    /// The effects that were wired to it, in the order of their interfaces' names.
    pub effects: Vec<Cid>,
    /// The driver calls it made, if it was wired to any driver.
    pub trace: Option<Cid>,
    /// The invocation by which somebody else asked for it, if somebody did.
    pub invocation: Option<Cid>,
    /// How much fuel was used. Compared between equal engines only.
    pub fuel: u64,
    /// The most bytes its memories had at a time.
    pub memory_peak: u64,
    /// Which engine ran it, with its version.
    pub engine: String,
}

impl Meta {
    fn to_fields(&self) -> BTreeMap<String, Ipld> {
        let links = |cids: &[Cid]| Ipld::List(cids.iter().copied().map(Ipld::Link).collect());
        let mut fields = BTreeMap::from([
            ("component".to_owned(), Ipld::Link(self.component)),
            ("func".to_owned(), Ipld::String(self.func.clone())),
            ("effects".to_owned(), links(&self.effects)),
            ("fuel".to_owned(), Ipld::Integer(self.fuel.into())),
            (
                "memory_peak".to_owned(),
                Ipld::Integer(self.memory_peak.into()),
            ),
            ("engine".to_owned(), Ipld::String(self.engine.clone())),
        ]);
        if let Some(trace) = self.trace {
            fields.insert("trace".to_owned(), Ipld::Link(trace));
        }
        if let Some(invocation) = self.invocation {
            fields.insert("invocation".to_owned(), Ipld::Link(invocation));
        }
        fields
    }

    /// Reads the fields we know. Others may stand beside: they give no authority, and another node may
    /// have more to say.
    fn from_fields(fields: BTreeMap<String, Ipld>) -> Result<Self, FieldError> {
        let mut fields = Fields::of("meta", Ipld::Map(fields))?;
        Ok(Self {
            component: fields.link("component")?,
            func: fields.string("func")?,
            effects: fields.links("effects")?,
            trace: fields.if_present("trace", Fields::link)?,
            invocation: fields.if_present("invocation", Fields::link)?,
            fuel: fields.unsigned("fuel")?,
            memory_peak: fields.unsigned("memory_peak")?,
            engine: fields.string("engine")?,
        })
    }
}

/// A receipt whose signature was checked, or made here.
///
/// Whether its issuer is to be believed is for the reader to decide. Clones are the same receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(Arc<Read>);

#[derive(Debug, PartialEq, Eq)]
struct Read {
    body: Body,
    issuer: Did,
    block: Block,
}

impl Receipt {
    /// Signs what came of an instruction. The key is the executor's, and so names the issuer.
    ///
    /// Fails where the outcome has no encoding or the whole does not fit a block.
    pub fn sign(body: Body, key: &SigningKey) -> Result<Self, ReceiptError> {
        let arguments = BTreeMap::from([
            ("ran".to_owned(), Ipld::Link(*body.ran.cid())),
            ("out".to_owned(), body.outcome.to_ipld()),
            (
                "run".to_owned(),
                Ipld::List(
                    body.run
                        .iter()
                        .map(|link| Ipld::Link(*link.cid()))
                        .collect(),
                ),
            ),
        ]);
        let mut payload = Payload::statement(key.did(), command(), arguments);
        payload.meta = Some(body.meta.to_fields());
        let block = Invocation::sign_block(payload, key)?;
        Ok(Self::new(body, key.did(), block))
    }

    fn new(body: Body, issuer: Did, block: Block) -> Self {
        Self(Arc::new(Read {
            body,
            issuer,
            block,
        }))
    }

    /// Reads a receipt and checks all that can be checked without knowing its issuer.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        Self::from_invocation(Invocation::decode(bytes)?)
    }

    /// Takes an invocation for the receipt that it is, if it is one.
    pub fn from_invocation(invocation: Invocation) -> Result<Self, ReceiptError> {
        let payload = invocation.payload();
        check(payload)?;
        let mut arguments = Fields::of("args", Ipld::Map(payload.arguments.clone()))?;
        let body = Body {
            ran: arguments.link("ran")?.into(),
            outcome: Outcome::from_ipld(arguments.take("out")?)?,
            run: arguments.links("run")?.into_iter().map(Link::new).collect(),
            meta: Meta::from_fields(payload.meta.clone().unwrap_or_default())?,
        };
        arguments.end()?;
        let issuer = payload.issuer;
        Ok(Self::new(body, issuer, invocation.into_block()))
    }

    /// Who ran it and signs for it.
    pub fn issuer(&self) -> &Did {
        &self.0.issuer
    }

    /// The instruction that was run.
    pub fn ran(&self) -> &Link<Instruction> {
        &self.0.body.ran
    }

    /// What came of it.
    pub fn outcome(&self) -> &Outcome {
        &self.0.body.outcome
    }

    /// Further instructions that the task asks to have run.
    pub fn run(&self) -> &[Link<Instruction>] {
        &self.0.body.run
    }

    /// How it was run.
    pub fn meta(&self) -> &Meta {
        &self.0.body.meta
    }

    /// All that it says.
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// The receipt's name.
    pub fn link(&self) -> Link<Self> {
        Link::new(*self.0.block.cid())
    }

    /// The receipt's bytes, as they were signed.
    pub fn block(&self) -> &Block {
        &self.0.block
    }
}

fn command() -> Command {
    COMMAND
        .parse()
        .expect("the command of receipts is well formed")
}

/// The rules that make an invocation a statement by its executor for ever.
fn check(payload: &Payload) -> Result<(), ReceiptError> {
    if payload.command.as_str() != COMMAND {
        return Err(ReceiptError::Command(payload.command.clone()));
    }
    let rules = [
        (
            payload.issuer == payload.subject,
            "issuer and subject are one",
        ),
        (payload.audience.is_none(), "there is no audience"),
        (payload.expiration.is_none(), "it never expires"),
        (payload.nonce.is_empty(), "the nonce is empty"),
        (payload.proofs.is_empty(), "there are no proofs"),
        (payload.issued_at.is_none(), "there is no time"),
        (payload.cause.is_none(), "there is no cause"),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, rule)) => Err(ReceiptError::Rule(rule)),
        None => Ok(()),
    }
}

/// Why something is not a receipt, or can't become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not an invocation, or not signed by its issuer, or too large.
    #[error(transparent)]
    Invocation(#[from] TokenError),
    /// An invocation of another command.
    #[error("an invocation of {0} is not a receipt")]
    Command(Command),
    /// A rule of receipts is broken.
    #[error("in a receipt {0}")]
    Rule(&'static str),
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The outcome is not one.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
}

impl ReceiptError {
    /// The encoding error, where a receipt could not be made for what its outcome holds.
    pub fn as_encode_error(&self) -> Option<&EncodeError> {
        match self {
            Self::Invocation(TokenError::Encode(error)) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::outcome::Kind;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn body(outcome: Outcome) -> Body {
        Body {
            ran: Link::new(cid_of_raw(b"instruction")),
            outcome,
            run: vec![Link::new(cid_of_raw(b"next"))],
            meta: Meta {
                component: cid_of_raw(b"component"),
                func: "add".into(),
                effects: vec![cid_of_raw(b"effect")],
                trace: Some(cid_of_raw(b"trace")),
                invocation: Some(cid_of_raw(b"invocation")),
                fuel: u64::MAX,
                memory_peak: 65_536,
                engine: "test".into(),
            },
        }
    }

    fn receipt() -> Receipt {
        Receipt::sign(body(Outcome::Ok(Ipld::Integer(3))), &key()).expect("signs")
    }

    /// The payload of a receipt, changed, and signed all the same.
    fn changed(change: impl FnOnce(&mut Payload)) -> Result<Receipt, ReceiptError> {
        let invocation = Invocation::decode(receipt().block().bytes()).expect("it is one");
        let mut payload = invocation.payload().clone();
        change(&mut payload);
        let invocation = Invocation::sign(payload, &key()).expect("signs");
        Receipt::decode(invocation.block().bytes())
    }

    #[test]
    fn keys_of_all_types_sign_receipts() {
        for algorithm in crate::ucan::varsig::Algorithm::ALL {
            let key = SigningKey::from_secret(algorithm, &[7; 32]).expect("a key");
            let body = body(Outcome::Ok(Ipld::Null));
            let receipt = Receipt::sign(body.clone(), &key).expect("signs");
            assert_eq!(receipt, Receipt::sign(body, &key).expect("signs"));
            assert_eq!(
                Receipt::decode(receipt.block().bytes()),
                Ok(receipt.clone())
            );
            let again = Receipt::reread(receipt.block().clone(), Some(&receipt));
            assert_eq!(again, Ok(receipt));
        }
    }

    #[test]
    fn says_what_was_signed() {
        let receipt = receipt();
        let read = Receipt::decode(receipt.block().bytes()).expect("a receipt");
        assert_eq!(read, receipt);
        assert_eq!(read.issuer(), &key().did());
        assert_eq!(read.outcome(), &Outcome::Ok(Ipld::Integer(3)));
        assert_eq!(read.link().cid(), receipt.block().cid());
    }

    #[test]
    fn the_same_run_is_the_same_receipt() {
        assert_eq!(receipt().link(), receipt().link());
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let bytes = receipt().block().bytes().to_vec();
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(Receipt::decode(&changed).is_err(), "bit {at}");
        }
    }

    #[test]
    fn any_cut_or_longer_receipt_is_refused() {
        let bytes = receipt().block().bytes().to_vec();
        for len in 0..bytes.len() {
            assert!(Receipt::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(Receipt::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn the_rules_of_receipts() {
        let other = SigningKey::from_seed(&[2; 32]).did();
        let rule = |rule| Err(ReceiptError::Rule(rule));
        assert_eq!(
            changed(|payload| payload.subject = other),
            rule("issuer and subject are one")
        );
        assert_eq!(
            changed(|payload| payload.audience = Some(payload.issuer)),
            rule("there is no audience")
        );
        assert_eq!(
            changed(|payload| payload.expiration = Some(1)),
            rule("it never expires")
        );
        assert_eq!(
            changed(|payload| payload.nonce = vec![1]),
            rule("the nonce is empty")
        );
        assert_eq!(
            changed(|payload| payload.proofs = vec![cid_of_raw(b"p")]),
            rule("there are no proofs")
        );
        assert_eq!(
            changed(|payload| payload.issued_at = Some(1)),
            rule("there is no time")
        );
        assert_eq!(
            changed(|payload| payload.cause = Some(cid_of_raw(b"c"))),
            rule("there is no cause")
        );
        let command: Command = "/ucan/assert".parse().expect("a command");
        let refused = changed(|payload| payload.command = command.clone());
        assert_eq!(refused, Err(ReceiptError::Command(command.clone())));
    }

    #[test]
    fn the_shape_of_receipts() {
        let words = |change: fn(&mut Payload)| changed(change).expect_err("refused").to_string();
        assert_eq!(
            words(|payload| payload.meta = None),
            "meta has no component"
        );
        assert_eq!(
            words(|payload| drop(payload.arguments.remove("run"))),
            "args has no run"
        );
        assert_eq!(
            words(|payload| drop(payload.arguments.insert("fx".into(), Ipld::Null))),
            "args has an unknown field \"fx\""
        );
        assert_eq!(
            words(|payload| drop(payload.arguments.insert("ran".into(), Ipld::Null))),
            "args.ran should be a link, not null"
        );
    }

    #[test]
    fn more_in_meta_is_let_be() {
        let more = changed(|payload| {
            let meta = payload.meta.as_mut().expect("receipts have one");
            meta.insert("elapsed_ms".into(), Ipld::Integer(5));
        });
        assert_eq!(
            more.map(|read| read.body().clone()),
            Ok(receipt().body().clone())
        );
    }

    #[test]
    fn what_was_checked_before_is_read_the_same() {
        let more = changed(|payload| {
            let meta = payload.meta.as_mut().expect("receipts have one");
            meta.insert("elapsed_ms".into(), Ipld::Integer(5));
            meta.remove("trace");
        })
        .expect("a receipt");
        let key = SigningKey::from_seed(&[2; 32]);
        let other = Receipt::sign(body(Outcome::Ok(Ipld::Null)), &key).expect("signs");
        let receipts = [receipt(), more, other];
        for receipt in &receipts {
            for before in receipts.iter().map(Some).chain([None]) {
                let block = receipt.block().clone();
                assert_eq!(Receipt::reread(block, before).as_ref(), Ok(receipt));
            }
        }
    }

    #[test]
    fn what_has_no_encoding_is_not_signed() {
        let nan = Receipt::sign(body(Outcome::Ok(Ipld::Float(f64::NAN))), &key()).expect_err("NaN");
        assert!(matches!(
            nan.as_encode_error(),
            Some(EncodeError::Value { .. })
        ));
        let large = Outcome::Ok(Ipld::Bytes(vec![0; 1 << 20]));
        let large = Receipt::sign(body(large), &key()).expect_err("too large");
        assert!(matches!(
            large.as_encode_error(),
            Some(EncodeError::TooLarge { .. })
        ));
    }

    proptest! {
        #[test]
        fn each_outcome_comes_back(value in any_ipld(), kind in prop::sample::select(&Kind::ALL)) {
            let failure = crate::outcome::Failure::new(kind, "why").with_value(value.clone());
            for outcome in [Outcome::Ok(value), Outcome::Error(failure)] {
                let receipt = Receipt::sign(body(outcome), &key()).expect("signs");
                let block = receipt.block().clone();
                prop_assert_eq!(Receipt::reread(block, None), Ok(receipt.clone()));
                prop_assert_eq!(Receipt::decode(receipt.block().bytes()), Ok(receipt));
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Receipt::decode(&bytes).is_err());
        }

        #[test]
        fn no_spliced_receipt_panics(at in any::<prop::sample::Index>(), splice: Vec<u8>) {
            let mut bytes = receipt().block().bytes().to_vec();
            let at = at.index(bytes.len());
            bytes.splice(at..at, splice.iter().copied());
            prop_assert_eq!(Receipt::decode(&bytes).is_ok(), splice.is_empty());
        }
    }
}
