//! `homestar:driver/dns`.

use super::{Instance, outside, permitted, session_of};
use crate::drivers::dns::{self, Error, RecordType};
use crate::outside::number;

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap_async(
        "lookup",
        move |store, (name, kind): (String, RecordType)| {
            Box::new(async move {
                let outside = outside(&store)?;
                let permit = outside.permit(part);
                // What may be looked up is judged by the driver itself, which knows names.
                let allowed = permitted::<Error>(&outside.door, Ok(()));
                let session = session_of(outside);
                let args = (name.clone(), kind);
                let call = "homestar:driver/dns.lookup";
                let answers = outside
                    .door
                    .ask(number(part), call, &args, |_, _| async move {
                        allowed?;
                        let session = session?;
                        dns::lookup(&session.drivers.resolver, &permit, &name, kind).await
                    })?;
                Ok((answers.await?,))
            })
        },
    )
}
