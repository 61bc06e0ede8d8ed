//! Which receipts there are of instructions: asked of one peer, for many at once.

use std::io;
use std::time::Duration;

use homestar_core::ipld::{self, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;
use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncWrite};
use libp2p::request_response::{self, ProtocolSupport};

use super::frame;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/homestar/receipts/1");
/// Time in which a peer has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Instructions that are asked for at one time.
pub const LOOKUP_MAX: usize = 256;
/// Receipts of one instruction that are named. There are several if several ran it; more than a few add nothing.
pub const RECEIPTS_OF_ONE_MAX: usize = 4;
/// Bytes of a CID of ours in a list: its 36, and what says that it is one.
const CID_BYTES_MAX: usize = 64;
const REQUEST_BYTES_MAX: usize = LOOKUP_MAX * CID_BYTES_MAX;
const ANSWER_BYTES_MAX: usize = LOOKUP_MAX * (RECEIPTS_OF_ONE_MAX * CID_BYTES_MAX + 8);
/// Requests of a connection, in both directions, at one time.
const STREAMS_MAX: usize = 8;

/// Look-ups as part of a swarm.
pub(super) type Behaviour = request_response::Behaviour<Codec>;
/// What it tells.
pub(super) type Event = request_response::Event<Ran, Names>;

/// The instructions that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ran(pub(super) Vec<Link<Instruction>>);

/// The receipts of each, in that order. Or none at all, if it isn't told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(pub(super) Vec<Vec<Link<Receipt>>>);

/// Both as DAG-CBOR.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codec;

pub(super) fn behaviour() -> Behaviour {
    let config = request_response::Config::default()
        .with_request_timeout(TIMEOUT)
        .with_max_concurrent_streams(STREAMS_MAX);
    Behaviour::new([(PROTOCOL, ProtocolSupport::Full)], config)
}

fn nonsense<T>(_: T) -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn read_ran(bytes: &[u8]) -> io::Result<Ran> {
    let all: Vec<_> = ipld::decode(bytes).map_err(nonsense)?;
    match all.len() {
        1..=LOOKUP_MAX => Ok(Ran(all)),
        _ => Err(nonsense(())),
    }
}

fn read_names(bytes: &[u8]) -> io::Result<Names> {
    let all: Vec<Vec<_>> = ipld::decode(bytes).map_err(nonsense)?;
    if all.len() > LOOKUP_MAX || all.iter().any(|one| one.len() > RECEIPTS_OF_ONE_MAX) {
        return Err(nonsense(()));
    }
    Ok(Names(all))
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Ran;
    type Response = Names;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Ran>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_ran(&frame::read(io, REQUEST_BYTES_MAX).await?)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Names>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_names(&frame::read(io, ANSWER_BYTES_MAX).await?)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, ran: Ran) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let bytes = ipld::encode(&ran.0).map_err(io::Error::other)?;
        frame::write(io, &bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        names: Names,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let bytes = ipld::encode(&names.0).map_err(io::Error::other)?;
        frame::write(io, &bytes).await
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::cid_of_raw;
    use libp2p::futures::io::Cursor;
    use libp2p::request_response::Codec as _;
    use proptest::prelude::*;

    use super::*;
    use crate::wait_for;

    fn links<T>(count: usize) -> Vec<Link<T>> {
        let cid = |at: usize| cid_of_raw(&at.to_be_bytes());
        (0..count).map(|at| Link::new(cid(at))).collect()
    }

    #[test]
    fn the_largest_questions_and_answers_are_read() {
        let ran = Ran(links(LOOKUP_MAX));
        let mut bytes = Cursor::new(Vec::new());
        wait_for(Codec.write_request(&PROTOCOL, &mut bytes, ran.clone())).unwrap();
        bytes.set_position(0);
        let read = wait_for(Codec.read_request(&PROTOCOL, &mut bytes)).unwrap();
        assert_eq!(read, ran);
        let names = Names(vec![links(RECEIPTS_OF_ONE_MAX); LOOKUP_MAX]);
        let mut bytes = Cursor::new(Vec::new());
        wait_for(Codec.write_response(&PROTOCOL, &mut bytes, names.clone())).unwrap();
        bytes.set_position(0);
        let read = wait_for(Codec.read_response(&PROTOCOL, &mut bytes)).unwrap();
        assert_eq!(read, names);
    }

    #[test]
    fn what_is_too_much_or_nothing_is_refused() {
        let bytes = |count| ipld::encode(&links::<()>(count)).unwrap();
        assert!(read_ran(&bytes(LOOKUP_MAX)).is_ok());
        assert!(read_ran(&bytes(LOOKUP_MAX + 1)).is_err());
        assert!(read_ran(&bytes(0)).is_err());
        let many = vec![links::<()>(RECEIPTS_OF_ONE_MAX + 1)];
        assert!(read_names(&ipld::encode(&many).unwrap()).is_err());
        let none = ipld::encode(&Vec::<Vec<Link<()>>>::new()).unwrap();
        assert_eq!(read_names(&none).unwrap(), Names(vec![]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_ran(&bytes);
            let _ = read_names(&bytes);
        }
    }
}
