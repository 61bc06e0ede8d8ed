//! What goes over a stream of one request: bytes with their number before them.

use std::io;

use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Reads a frame. What says that it is longer is no frame, and what isn't there yet takes no room.
pub(super) async fn read<T>(io: &mut T, bytes_max: usize) -> io::Result<Vec<u8>>
where
    T: AsyncRead + Unpin + Send,
{
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length);
    if length as usize > bytes_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    io.take(length.into()).read_to_end(&mut bytes).await?;
    match bytes.len() == length as usize {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes a frame.
pub(super) async fn write<T>(io: &mut T, bytes: &[u8]) -> io::Result<()>
where
    T: AsyncWrite + Unpin + Send,
{
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await
}

#[cfg(test)]
mod tests {
    use libp2p::futures::io::Cursor;

    use super::*;
    use crate::wait_for;

    fn again(bytes: &[u8]) -> io::Result<Vec<u8>> {
        wait_for(read(&mut Cursor::new(bytes), 1_000))
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        for frame in [vec![], vec![7; 1], vec![7; 1_000]] {
            let mut bytes = Cursor::new(Vec::new());
            wait_for(write(&mut bytes, &frame)).unwrap();
            assert_eq!(again(&bytes.into_inner()).unwrap(), frame);
        }
    }

    #[test]
    fn what_is_too_long_or_too_short_is_no_frame() {
        for bytes in [
            &[0, 0, 3, 233, 0][..],
            &[0, 0, 0, 2, 1],
            &[0, 0],
            &[255; 4],
            &[],
        ] {
            assert!(again(bytes).is_err(), "{bytes:?}");
        }
    }
}
