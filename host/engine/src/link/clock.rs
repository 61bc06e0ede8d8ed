//! `homestar:driver/clock`.

use std::time::Duration;

use super::{Instance, outside, permitted};
use crate::drivers::clock::Error;
use crate::outside::{NO_ARGS, NOTHING, number};

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap("now", move |store, (): ()| {
        let outside = outside(&store)?;
        let allowed = permitted::<Error>(&outside.door, outside.permit(part).clock("now"));
        let name = "homestar:driver/clock.now";
        let now = outside.door.ask_now(number(part), name, &NO_ARGS, || {
            allowed.map(|()| outside.clock.now())
        })?;
        Ok((now,))
    })?;
    instance.func_wrap("monotonic", move |store, (): ()| {
        let outside = outside(&store)?;
        let allowed = permitted::<Error>(&outside.door, outside.permit(part).clock("monotonic"));
        let name = "homestar:driver/clock.monotonic";
        let since = || allowed.map(|()| outside.clock.monotonic());
        Ok((outside.door.ask_now(number(part), name, &NO_ARGS, since)?,))
    })?;
    instance.func_wrap_async("sleep", move |store, (nanoseconds,): (u64,)| {
        Box::new(async move {
            let outside = outside(&store)?;
            let allowed = permitted::<Error>(&outside.door, outside.permit(part).clock("sleep"));
            let name = "homestar:driver/clock.sleep";
            let slept =
                outside
                    .door
                    .ask(number(part), name, &(nanoseconds,), |_, _| async move {
                        allowed?;
                        tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
                        Ok::<_, Error>(NOTHING)
                    })?;
            Ok((slept.await?.map(|_| ()),))
        })
    })
}
