//! `homestar:driver/http`.

use serde_bytes::ByteBuf;

use super::{Instance, outside, permitted, session_of};
use crate::drivers::http::{Error, Head, Request};
use crate::outside::number;

/// Most bytes that one call reads.
const READ_BYTES_MAX: u32 = 1 << 20;

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap_async("send", move |store, (request,): (Request,)| {
        Box::new(async move {
            let outside = outside(&store)?;
            let grants = outside.grants(part).clone();
            // Who may be reached is judged by the driver itself, which knows the request.
            let allowed = permitted::<Error>(&outside.door, Ok(()));
            let session = session_of(outside);
            let name = "homestar:driver/http.send";
            let sent = request.clone();
            let head = outside
                .door
                .ask(number(part), name, &(sent,), |call| async move {
                    allowed?;
                    let session = session?;
                    let http = session.drivers.http().map_err(Error::Connection)?;
                    let secrets = session.drivers.secrets();
                    let response = http.send(&grants, secrets, request).await?;
                    Ok::<_, Error>(Head {
                        status: response.status,
                        headers: response.headers,
                        body: session.keep_body(part, call, response.body),
                    })
                })?;
            Ok((head.await?,))
        })
    })?;
    instance.func_wrap_async("read", move |store, (body, at_most): (u32, u32)| {
        Box::new(async move {
            let outside = outside(&store)?;
            let allowed = permitted::<Error>(&outside.door, Ok(()));
            let session = session_of(outside);
            let name = "homestar:driver/http.read";
            let args = (body, at_most);
            let bytes = outside
                .door
                .ask(number(part), name, &args, |_| async move {
                    allowed?;
                    let length = at_most.min(READ_BYTES_MAX) as usize;
                    let bytes = session?.read_body(part, body, length).await?;
                    Ok::<_, Error>(ByteBuf::from(bytes))
                })?;
            Ok((bytes.await?.map(ByteBuf::into_vec),))
        })
    })?;
    instance.func_wrap("close", move |store, (body,): (u32,)| {
        // Nothing enters by this, so it isn't in the trace.
        if let Some(session) = outside(&store)?.session() {
            session.close_body(part, body);
        }
        Ok(())
    })
}
