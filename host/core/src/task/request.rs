//! What somebody asks for by an invocation of `/wasm/run`: a task, what it may use, and by which delegations it
//! reaches the outside.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Input, Instruction, InstructionError, Limits, Nonce, NonceError};
use crate::ipld::{Cid, FieldError, Fields, Ipld};
use crate::ucan::Command;
use thiserror::Error;

/// The command by which tasks are asked for.
pub const RUN: &str = "/wasm/run";

/// Most chains of delegations that one request shows.
pub const MAX_CHAINS: usize = 64;

/// A request to run a task: the arguments of [`RUN`]. Conditions of delegations are about these fields.
///
/// ```
/// use homestar_core::ipld::{Ipld, cid_of_raw};
/// use homestar_core::task::{Limits, Input, RunRequest};
///
/// let component = cid_of_raw(b"\0asm");
/// let input = Input::new("add", vec![Ipld::Integer(1), Ipld::Integer(2)]);
/// let request = RunRequest::new(component, input, &Limits::default());
/// let arguments = request.to_arguments();
/// assert_eq!(arguments["fuel"], Ipld::Integer(1_000_000_000_000));
/// assert_eq!(RunRequest::from_arguments(arguments)?, request);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRequest {
    /// The component.
    pub component: Cid,
    /// The function and its arguments.
    pub input: Input,
    /// Sets the instruction apart from others that are the same.
    pub nonce: Nonce,
    /// What the task may use.
    pub limits: RequestLimits,
    /// Chains of delegations, each from the subject to who asks, by which the task reaches the outside. The chain of
    /// no delegations is for a subject who asks for itself.
    pub proofs: Vec<Vec<Cid>>,
}

/// The limits of a request. What isn't said is left to whoever carries it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLimits {
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Milliseconds, waiting included.
    pub time: Option<u64>,
    /// Bytes of the outcome.
    pub output: Option<u64>,
    /// Bytes that are written to storage.
    pub storage: Option<u64>,
    /// Bytes of the log.
    pub log: Option<u64>,
    /// Driver calls.
    pub calls: Option<u64>,
    /// Bytes that driver calls move.
    pub call_bytes: Option<u64>,
}

impl RequestLimits {
    /// The limits with their names in a request.
    fn named(&mut self) -> [(&'static str, &mut Option<u64>); 8] {
        [
            ("fuel", &mut self.fuel),
            ("memory", &mut self.memory),
            ("time", &mut self.time),
            ("output", &mut self.output),
            ("storage", &mut self.storage),
            ("log", &mut self.log),
            ("calls", &mut self.calls),
            ("call_bytes", &mut self.call_bytes),
        ]
    }

    /// The limits, with what is not said taken from `usual`.
    pub fn over(&self, usual: Limits) -> Limits {
        Limits {
            fuel: self.fuel.unwrap_or(usual.fuel),
            memory_bytes: self.memory.unwrap_or(usual.memory_bytes),
            time: self.time.map_or(usual.time, Duration::from_millis),
            output_bytes: self.output.unwrap_or(usual.output_bytes),
            storage_bytes: self.storage.unwrap_or(usual.storage_bytes),
            log_bytes: self.log.unwrap_or(usual.log_bytes),
            calls: self.calls.unwrap_or(usual.calls),
            call_bytes: self.call_bytes.unwrap_or(usual.call_bytes),
            ..usual
        }
    }
}

impl From<&Limits> for RequestLimits {
    /// All of them said. Numbers beyond what DAG-CBOR holds as an integer are as good as the largest it does.
    fn from(limits: &Limits) -> Self {
        let time = limits.time.as_millis();
        Self {
            fuel: Some(limits.fuel),
            memory: Some(limits.memory_bytes),
            time: Some(u64::try_from(time).unwrap_or(u64::MAX)),
            output: Some(limits.output_bytes),
            storage: Some(limits.storage_bytes),
            log: Some(limits.log_bytes),
            calls: Some(limits.calls),
            call_bytes: Some(limits.call_bytes),
        }
    }
}

impl RunRequest {
    /// A request that shows no delegations: for a task that stays inside.
    pub fn new(component: Cid, input: Input, limits: &Limits) -> Self {
        Self {
            component,
            input,
            nonce: Nonce::EMPTY,
            limits: limits.into(),
            proofs: Vec::new(),
        }
    }

    /// The command.
    pub fn command() -> Command {
        RUN.parse().expect("the command of tasks is well formed")
    }

    /// The instruction that is asked for.
    pub fn instruction(&self) -> Result<Instruction, InstructionError> {
        Instruction::new(self.component, self.input.clone(), self.nonce.clone())
    }

    /// The arguments of the invocation.
    pub fn to_arguments(&self) -> BTreeMap<String, Ipld> {
        let Ipld::Map(mut arguments) = self.input.to_ipld() else {
            unreachable!("an input is written as a map")
        };
        arguments.insert("component".to_owned(), Ipld::Link(self.component));
        let mut limits = self.limits;
        for (name, limit) in limits.named() {
            if let Some(limit) = limit {
                arguments.insert(name.to_owned(), Ipld::Integer((*limit).into()));
            }
        }
        if self.nonce != Nonce::EMPTY {
            arguments.insert("nnc".to_owned(), self.nonce.to_ipld());
        }
        if !self.proofs.is_empty() {
            let chain =
                |chain: &Vec<Cid>| Ipld::List(chain.iter().copied().map(Ipld::Link).collect());
            let chains = self.proofs.iter().map(chain).collect();
            arguments.insert("proofs".to_owned(), Ipld::List(chains));
        }
        arguments
    }

    /// Reads the arguments of an invocation. Other fields than ours are refused: they may have been meant to bind us.
    pub fn from_arguments(arguments: BTreeMap<String, Ipld>) -> Result<Self, RunRequestError> {
        let mut fields = Fields::of("args", Ipld::Map(arguments))?;
        let component = fields.link("component")?;
        let input = Input {
            func: fields.string("func")?,
            args: fields.if_present("args", Fields::list)?.unwrap_or_default(),
            stdin: fields.if_present("stdin", Fields::bytes)?,
        };
        let nonce = match fields.if_present("nnc", Fields::take)? {
            Some(nonce) => Nonce::from_ipld(nonce)?,
            None => Nonce::EMPTY,
        };
        let mut limits = RequestLimits::default();
        for (name, limit) in limits.named() {
            *limit = fields.if_present(name, Fields::unsigned)?;
        }
        let chains = fields
            .if_present("proofs", Fields::list)?
            .unwrap_or_default();
        if chains.len() > MAX_CHAINS {
            return Err(RunRequestError::TooManyChains);
        }
        let chains = chains.into_iter().map(|chain| {
            let mut chain = Fields::of("proofs", Ipld::Map([("chain".to_owned(), chain)].into()))?;
            chain.links("chain")
        });
        let proofs = chains.collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Self {
            component,
            input,
            nonce,
            limits,
            proofs,
        })
    }
}

/// Why arguments are not those of a request to run a task.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RunRequestError {
    /// A field is missing, unknown or of another kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The nonce is none.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// More chains than anybody reads.
    #[error("a request shows at most {MAX_CHAINS} chains of delegations")]
    TooManyChains,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipld::cid_of_raw;
    use crate::testing::any_ipld;
    use proptest::prelude::*;

    fn request() -> RunRequest {
        let mut input = Input::new("add", vec![Ipld::Integer(1)]);
        input.stdin = Some(b"in".to_vec());
        let mut request = RunRequest::new(cid_of_raw(b"component"), input, &Limits::default());
        request.proofs = vec![vec![cid_of_raw(b"one"), cid_of_raw(b"two")], Vec::new()];
        request
    }

    #[test]
    fn read_as_written() {
        let request = request();
        let read = RunRequest::from_arguments(request.to_arguments());
        assert_eq!(read, Ok(request));
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let mut arguments = request().to_arguments();
        arguments.retain(|key, _| ["component", "func"].contains(&key.as_str()));
        let read = RunRequest::from_arguments(arguments).expect("a request");
        assert_eq!(read.limits, RequestLimits::default());
        assert_eq!(read.limits.over(Limits::default()), Limits::default());
        assert_eq!((read.input.args.len(), read.proofs.len()), (0, 0));
    }

    #[test]
    fn said_limits_are_taken() {
        let limits = Limits {
            fuel: 7,
            time: Duration::from_millis(8),
            call_bytes: 9,
            ..Limits::default()
        };
        assert_eq!(RequestLimits::from(&limits).over(Limits::MAX).fuel, 7);
        let of_all = RequestLimits::from(&limits).over(Limits::MAX);
        let tables = Limits::MAX.table_elements;
        assert_eq!(
            of_all,
            Limits {
                table_elements: tables,
                ..limits
            }
        );
    }

    #[test]
    fn the_wrong_arguments_are_refused() {
        for (key, value) in [
            ("component", Ipld::String("bafy".into())),
            ("func", Ipld::Null),
            ("args", Ipld::Map(BTreeMap::new())),
            ("fuel", Ipld::Integer(-1)),
            ("fuel", Ipld::Integer(i128::from(u64::MAX) + 1)),
            ("proofs", Ipld::List(vec![Ipld::Null])),
            ("proofs", Ipld::List(vec![Ipld::List(vec![Ipld::Null])])),
            (
                "proofs",
                Ipld::List(vec![Ipld::List(Vec::new()); MAX_CHAINS + 1]),
            ),
            ("nnc", Ipld::Integer(1)),
            ("dry-run", Ipld::Bool(true)),
        ] {
            let mut arguments = request().to_arguments();
            arguments.insert(key.to_owned(), value.clone());
            assert!(
                RunRequest::from_arguments(arguments).is_err(),
                "{key} {value:?}"
            );
        }
        for key in ["component", "func"] {
            let mut arguments = request().to_arguments();
            arguments.remove(key);
            assert!(RunRequest::from_arguments(arguments).is_err(), "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(key in "component|func|args|stdin|nnc|fuel|time|proofs|[a-z]{1,3}", value in any_ipld()) {
            let mut arguments = request().to_arguments();
            arguments.insert(key, value);
            if let Ok(read) = RunRequest::from_arguments(arguments.clone()) {
                let again = RunRequest::from_arguments(read.to_arguments());
                prop_assert_eq!(again, Ok(read));
            }
        }
    }
}
