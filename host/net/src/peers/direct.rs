//! Messages to one peer: each on a stream of its own, answered by a byte that says whether it was taken.

use std::io;
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response::{self, ProtocolSupport};

use super::frame;
use super::listener::MESSAGE_BYTES_MAX;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/homestar/market/1");
/// Time in which a message has to be there and answered.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that are on their way to one peer at one time.
pub(super) const TO_ONE_MAX: usize = 4;
/// Messages of a connection, in both directions, that are in memory. Who keeps to [`TO_ONE_MAX`] never gets so far.
const STREAMS_MAX: usize = 2 * TO_ONE_MAX;

/// Messages as part of a swarm.
pub(super) type Behaviour = request_response::Behaviour<Codec>;
/// What it tells.
pub(super) type Event = request_response::Event<Vec<u8>, Answer>;

/// What a peer says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it.
    Taken,
    /// There were too many.
    TooMany,
}

/// A message with its length before it, and a byte in return.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codec;

/// Makes it. Who takes none says so, by not speaking it.
pub(super) fn behaviour(takes_messages: bool) -> Behaviour {
    let support = match takes_messages {
        true => ProtocolSupport::Full,
        false => ProtocolSupport::Outbound,
    };
    let config = request_response::Config::default()
        .with_request_timeout(TIMEOUT)
        .with_max_concurrent_streams(STREAMS_MAX);
    Behaviour::new([(PROTOCOL, support)], config)
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        frame::read(io, MESSAGE_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut answer = [0];
        io.read_exact(&mut answer).await?;
        match answer {
            [0] => Ok(Answer::Taken),
            [1] => Ok(Answer::TooMany),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        message: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        frame::write(io, &message).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        answer: Answer,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let byte = match answer {
            Answer::Taken => 0,
            Answer::TooMany => 1,
        };
        io.write_all(&[byte]).await
    }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::io::Cursor;
    use libp2p::request_response::Codec as _;

    use super::*;
    use crate::wait_for;

    #[test]
    fn an_answer_is_one_of_two() {
        let answer =
            |bytes: &[u8]| wait_for(Codec.read_response(&PROTOCOL, &mut Cursor::new(bytes)));
        assert_eq!(answer(&[0]).unwrap(), Answer::Taken);
        assert_eq!(answer(&[1]).unwrap(), Answer::TooMany);
        assert!(answer(&[]).is_err() && answer(&[2]).is_err());
    }
}
