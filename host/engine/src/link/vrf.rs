//! `homestar:driver/vrf`.

use serde_bytes::Bytes;

use super::{Instance, drivers_of, outside, permitted};
use crate::drivers::vrf::{self, Error};
use crate::outside::number;

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("prove", move |store, (input,): (Vec<u8>,)| {
        let outside = outside(&store)?;
        let allowed = permitted(&outside.door, outside.permit(part).oracle(&input));
        let name = "homestar:driver/vrf.prove";
        let args = (Bytes::new(&input),);
        let value = outside.door.ask_now(number(part), name, &args, || {
            allowed?;
            let drivers = drivers_of(outside);
            let node = drivers.node().map_err(Error::NoKey)?;
            vrf::prove(Some(node), &input)
        })?;
        Ok((value,))
    })
}
