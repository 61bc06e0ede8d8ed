//! `homestar:driver/entropy`.

use serde_bytes::ByteBuf;

use super::{Instance, drivers_of, outside, permitted};
use crate::drivers::entropy;
use crate::outside::number;

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("bytes", move |store, (length,): (u32,)| {
        let outside = outside(&store)?;
        let allowed = permitted(&outside.door, outside.permit(part).random(length.into()));
        let name = "homestar:driver/entropy.bytes";
        let bytes = outside.door.ask_now(number(part), name, &(length,), || {
            allowed?;
            entropy::bytes(length, &drivers_of(outside).random).map(ByteBuf::from)
        })?;
        Ok((bytes.map(ByteBuf::into_vec),))
    })
}
