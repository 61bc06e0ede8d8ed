//! The receipt of a task.

use homestar_core::key::SigningKey;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::Instruction;
use homestar_engine::{Done, NAME};

use super::Options;
use crate::error::CommandError;
use crate::{keyring, print};

/// Returns the key if a receipt is wanted. It is asked for before the task runs, so that a key that can't be read
/// costs no run.
pub(super) fn key(options: &Options) -> Result<Option<SigningKey>, CommandError> {
    if options.receipt.is_none() && !options.stats {
        return Ok(None);
    }
    match keyring::key() {
        Ok(key) => Ok(Some(key)),
        Err(error) if options.receipt.is_none() => {
            print::warning(&format!("no receipt: {}", error.message()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns the signed receipt of what came of `instruction`. A value too large for it is linked.
pub(super) fn receipt(
    key: &SigningKey,
    instruction: &Instruction,
    done: &Done,
) -> Result<Receipt, CommandError> {
    let (outcome, _) = done.outcome.inline_or_link().map_err(CommandError::host)?;
    let meta = Meta {
        component: *instruction.resource().cid(),
        func: instruction.input().func.clone(),
        effects: Vec::new(),
        trace: None,
        fuel: done.fuel,
        memory_peak: done.memory_peak,
        engine: NAME.to_owned(),
    };
    let body = Body {
        ran: instruction.link(),
        outcome,
        run: Vec::new(),
        meta,
    };
    Receipt::sign(body, key).map_err(CommandError::host)
}
