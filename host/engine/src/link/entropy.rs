//! `homestar:driver/entropy`.

use serde_bytes::ByteBuf;

use super::{Instance, Refusal, outside, permitted};
use crate::drivers::entropy::{self, Error};
use crate::outside::number;

impl Refusal for Error {
    fn denied(text: String) -> Self {
        Self::Denied(text)
    }

    fn budget(text: String) -> Self {
        Self::Budget(text)
    }
}

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("bytes", move |store, (length,): (u32,)| {
        let outside = outside(&store)?;
        let allowed = permitted(&outside.door, outside.grants(part).random());
        let name = "homestar:driver/entropy.bytes";
        let bytes = outside.door.ask_now(number(part), name, &(length,), || {
            allowed
                .and_then(|()| entropy::bytes(length))
                .map(ByteBuf::from)
        })?;
        Ok((bytes.map(ByteBuf::into_vec),))
    })
}
