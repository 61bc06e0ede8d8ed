//! `homestar:driver/http`.

use std::sync::Arc;

use bytes::Bytes;
use homestar_core::grant::Permit;
use serde_bytes::ByteBuf;

use super::{Instance, outside, permitted};
use crate::door::{Answered, Door};
use crate::drivers::Lane;
use crate::drivers::http::{Error, Head, Request};
use crate::outside::{Outside, number};
use crate::session::Session;

/// Most bytes that one call reads.
const READ_BYTES_MAX: u32 = 1 << 20;

pub(super) fn add(instance: &mut Instance<'_>, part: usize) -> wasmtime::Result<()> {
    instance.func_wrap_async("send", move |store, (request,): (Request,)| {
        Box::new(async move {
            let head = Asker::of(outside(&store)?, part).send(request)?;
            Ok((head.await?,))
        })
    })?;
    instance.func_wrap_async("read", move |store, (body, at_most): (u32, u32)| {
        Box::new(async move {
            let bytes = Asker::of(outside(&store)?, part).read(body, at_most)?;
            Ok((bytes.await?.map(ByteBuf::into_vec),))
        })
    })?;
    instance.func_wrap("close", move |store, (body,): (u32,)| {
        Asker::of(outside(&store)?, part).close(body);
        Ok(())
    })
}

/// Most bytes that are taken at once of a body that a guest makes.
pub(super) const PIECE_BYTES_MAX: usize = 64 << 10;

/// One part that asks for HTTP. It outlives the calls that it makes.
#[derive(Clone)]
pub(super) struct Asker {
    door: Door,
    permit: Permit,
    /// A replay has none: it asks nobody.
    session: Option<Arc<Session>>,
    part: usize,
}

/// What an exchange answers when it is over.
pub(super) type Answer<T> = Answered<Result<T, Error>>;

impl Asker {
    pub(super) fn of(outside: &Outside, part: usize) -> Self {
        Self {
            door: outside.door.clone(),
            permit: outside.permit(part),
            session: outside.session().cloned(),
            part,
        }
    }

    /// Sends a request. Who may be reached is judged by the driver, which knows the request.
    pub(super) fn send(&self, request: Request) -> wasmtime::Result<Answer<Head>> {
        let (asked, live) = (request.clone(), self.live());
        let (permit, part) = (self.permit.clone(), self.part);
        self.ask(
            "homestar:driver/http.send",
            &(asked,),
            move |number, lane| {
                let http = lane.http();
                async move {
                    let session = live?;
                    let http = http.map_err(Error::Connection)?;
                    let secrets = session.drivers.secrets();
                    let response = http.send(&permit, secrets, request).await?;
                    Ok(Head {
                        status: response.status,
                        headers: response.headers,
                        body: session.keep_body(part, number, response.body),
                    })
                }
            },
        )
    }

    /// Sends a request whose body is made meanwhile: each piece by [`Self::write`], under the number of this call.
    pub(super) fn send_streaming(&self, request: Request) -> wasmtime::Result<(u64, Answer<Head>)> {
        let (asked, live) = (request.clone(), self.live());
        let (permit, part) = (self.permit.clone(), self.part);
        let name = "homestar:driver/http-streams.send";
        // Pieces may be written before the request has begun to be sent.
        let number = self.door.next_number();
        let timeout = request.timeout();
        let pieces = live
            .as_ref()
            .ok()
            .map(|session| session.start_upload(part, number, timeout));
        let head = self.ask(name, &(asked,), move |number, _| async move {
            let session = live?;
            let pieces = pieces.ok_or(Error::Closed)?;
            let sent = session
                .drivers
                .send_streaming(permit, request, pieces)
                .await;
            // A server may answer while the request still goes on.
            let response = sent.inspect_err(|_| session.end_upload(part, number))?;
            Ok(Head {
                status: response.status,
                headers: response.headers,
                body: session.keep_body(part, number, response.body),
            })
        })?;
        Ok((number, head))
    }

    /// Adds a piece to the body of the request that was call number `upload`; without one, ends it. Answers when
    /// there is room for more: false if nobody reads on.
    pub(super) fn write(
        &self,
        upload: u64,
        piece: Option<Bytes>,
    ) -> wasmtime::Result<Answer<bool>> {
        let (part, session) = (self.part, self.session.clone());
        let digest = piece.as_ref().map(|piece| super::digest(piece));
        // The trace holds less than what was moved.
        self.door.count(piece.as_ref().map_or(0, Bytes::len) as u64);
        // A body may be ended by whom no more calls are left.
        let allowed = match &piece {
            Some(_) => permitted::<Error>(&self.door, Ok(())),
            None => Ok(()),
        };
        let name = "homestar:driver/http-streams.write";
        self.ask(name, &(upload, digest), move |_, _| async move {
            let session = session.ok_or_else(nobody)?;
            match allowed {
                Ok(()) => session.write_upload(part, upload, piece).await,
                Err(error) => {
                    session.fail_upload(part, upload, error.clone());
                    Err(error)
                }
            }
        })
    }

    /// Breaks off the body of a request, and so the request. Nothing enters by this, so it isn't in the trace.
    pub(super) fn fail(&self, upload: u64) {
        if let Some(session) = &self.session {
            let error = Error::Invalid("its body broke off".to_owned());
            session.fail_upload(self.part, upload, error);
        }
    }

    /// Reads on in a body: as many bytes as are asked for, or those that are left.
    pub(super) fn read(&self, body: u32, at_most: u32) -> wasmtime::Result<Answer<ByteBuf>> {
        let (part, live) = (self.part, self.live());
        let length = at_most.min(READ_BYTES_MAX) as usize;
        self.ask(
            "homestar:driver/http.read",
            &(body, at_most),
            move |_, _| async move {
                let bytes = live?.read_body(part, body, length).await?;
                Ok(ByteBuf::from(bytes))
            },
        )
    }

    /// Returns the next piece of a body as it comes, or none at its end.
    pub(super) fn next(&self, body: u32) -> wasmtime::Result<Answer<Option<ByteBuf>>> {
        let (part, live) = (self.part, self.live());
        self.ask(
            "homestar:driver/http-streams.read",
            &(body,),
            move |_, _| async move {
                let piece = live?.next_piece(part, body).await?;
                Ok(piece.map(|piece| ByteBuf::from(piece.to_vec())))
            },
        )
    }

    /// Closes a body before its end. Nothing enters by this, so it isn't in the trace.
    pub(super) fn close(&self, body: u32) {
        if let Some(session) = &self.session {
            session.close_body(self.part, body);
        }
    }

    /// Returns what is asked, if the budget isn't used up.
    fn live(&self) -> Result<Arc<Session>, Error> {
        permitted::<Error>(&self.door, Ok(()))?;
        let session = self.session.clone();
        session.ok_or_else(nobody)
    }

    fn ask<T, F>(
        &self,
        name: &'static str,
        args: &impl serde::Serialize,
        work: impl FnOnce(u64, &Lane) -> F,
    ) -> wasmtime::Result<Answer<T>>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.door.ask(number(self.part), name, args, work)
    }
}

fn nobody() -> Error {
    Error::Denied("a replay asks nobody".to_owned())
}
