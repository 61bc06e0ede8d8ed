//! The receipt of a task.

use std::path::Path;

use homestar_core::evidence::{Evidence, Heard};
use homestar_core::ipld::{Block, Cid};
use homestar_core::key::SigningKey;
use homestar_core::receipt::{Body, Meta, Receipt};
use homestar_core::task::Instruction;
use homestar_engine::{Component, Done, NAME};
use homestar_node::{Record, now_ms};

use super::super::data::Data;
use super::super::load::Loaded;
use super::Options;
use super::reads::{CONTENT_BYTES_MAX, Reads};
use crate::error::{Caused, CommandError};
use crate::{files, keyring, print};

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

/// Returns the key if a task used the store: its receipt is kept there, and with it what the task wrote.
pub(super) fn key_for_store(data: &Data) -> Option<SigningKey> {
    data.opened()?;
    match keyring::key() {
        Ok(key) => Some(key),
        Err(error) => {
            let words = format!(
                "what it wrote is kept until `homestar gc`, since there is no receipt: {}",
                error.message()
            );
            print::warning(&words);
            None
        }
    }
}

/// Tells whether a file is to hold all it takes to run a task again, by its ending.
pub(super) fn holds_all(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending.eq_ignore_ascii_case("car")
}

/// A receipt, and what it links.
#[derive(Debug)]
pub(in crate::commands) struct Signed {
    pub(in crate::commands) receipt: Receipt,
    /// The blocks of the value, if it was too large for the receipt.
    value: Vec<Block>,
    asked: Vec<Instruction>,
    heard: Option<Heard>,
    /// By which somebody else asked for it.
    tokens: Vec<Block>,
}

/// The tokens by which somebody else asked for a task.
#[derive(Clone, Copy)]
pub(in crate::commands) struct AskedBy<'a> {
    pub(super) invocation: &'a Cid,
    /// That, and what it rests on.
    pub(super) tokens: &'a [Block],
}

/// Signs what came of `instruction`. Takes what was heard out of `done`.
pub(in crate::commands) fn sign(
    key: &SigningKey,
    component: &Component,
    instruction: &Instruction,
    done: &mut Done,
    asked_by: Option<AskedBy<'_>>,
) -> Result<Signed, CommandError> {
    let (outcome, value) = done.outcome.inline_or_link().map_err(CommandError::host)?;
    let asked = std::mem::take(&mut done.asked);
    let heard = done.recording.take().map(|recording| Heard {
        trace: recording.trace,
        blocks: recording.blocks,
    });
    let meta = Meta {
        component: *instruction.resource().cid(),
        func: instruction.input().func.clone(),
        effects: component.effects().to_vec(),
        trace: heard.as_ref().map(trace).transpose()?,
        invocation: asked_by.map(|asked_by| *asked_by.invocation),
        fuel: done.fuel,
        memory_peak: done.memory_peak,
        engine: NAME.to_owned(),
    };
    let body = Body {
        ran: instruction.link(),
        outcome,
        run: asked.iter().map(Instruction::link).collect(),
        meta,
    };
    Ok(Signed {
        receipt: Receipt::sign(body, key).map_err(CommandError::host)?,
        value,
        asked,
        heard,
        tokens: asked_by.map_or_else(Vec::new, |asked_by| asked_by.tokens.to_vec()),
    })
}

/// Returns the name of the trace.
fn trace(heard: &Heard) -> Result<Cid, CommandError> {
    match heard.trace.encode() {
        Ok(encoded) => Ok(*encoded.root.cid()),
        Err(error) => Err(CommandError::host(error)),
    }
}

impl Signed {
    /// Returns what the receipt leads to: the instruction, a large value, further tasks, the trace.
    pub(in crate::commands) fn blocks(
        &self,
        instruction: &Instruction,
    ) -> Result<Vec<Block>, CommandError> {
        let mut blocks = vec![instruction.block().clone()];
        blocks.extend(self.value.clone());
        blocks.extend(self.asked.iter().map(|asked| asked.block().clone()));
        blocks.extend(self.tokens.iter().cloned());
        if let Some(heard) = &self.heard {
            let trace = heard.trace.encode().map_err(CommandError::host)?;
            blocks.push(trace.root);
            blocks.extend(trace.segments);
            blocks.extend(heard.blocks.iter().cloned());
        }
        Ok(blocks)
    }

    /// Keeps the receipt in the store, if the task used that.
    pub(super) fn record(
        &self,
        data: &Data,
        instruction: &Instruction,
    ) -> Result<(), CommandError> {
        let Some(content) = data.opened() else {
            return Ok(());
        };
        let blocks = self.blocks(instruction)?;
        let record = Record {
            receipt: &self.receipt,
            blocks: &blocks,
            is_believed: true,
            at_ms: now_ms(),
        };
        let recorded = content.source().store().record(&[record]);
        recorded.map_err(|error| {
            let words = "can't keep the receipt in the store";
            CommandError::host(Caused::new(words, error))
        })
    }

    /// Writes the receipt to the file at `path`; if it was noted what the task reads, with all it takes to run it again.
    pub(super) fn write(
        &self,
        path: &Path,
        loaded: &Loaded,
        instruction: &Instruction,
        reads: Option<&Reads>,
    ) -> Result<(), CommandError> {
        let Some(reads) = reads else {
            return files::write(path, self.receipt.block().bytes());
        };
        let content = reads.content()?;
        if content.is_none() {
            print::warning(&format!(
                "{} doesn't hold the content that the task read, which has more than {}; to `homestar replay` it in \
                 another place, have that in the store there, or name a `--gateway`",
                path.display(),
                print::size(CONTENT_BYTES_MAX)
            ));
        }
        let evidence = Evidence {
            receipt: self.receipt.clone(),
            instruction: instruction.clone(),
            value: self.value.clone(),
            component: loaded.guest()?,
            effects: loaded.effects()?,
            heard: self.heard.clone(),
            tokens: self.tokens.clone(),
            content: content.unwrap_or_default(),
        };
        let car = evidence.to_car().map_err(|error| {
            let words = format!("can't write {}", path.display());
            CommandError::host(Caused::new(words, error))
        })?;
        files::write(path, &car)
    }
}
