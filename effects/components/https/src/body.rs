//! Bodies of responses: read in pieces, decoded, and never larger than they may be.

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::Driver;
use crate::bindings::homestar::driver::http as driver;
use crate::bindings::homestar::https::types::Error;

/// Most bytes that the driver gives at a time.
const PIECE_BYTES_MAX: u64 = 1024 * 1024;

/// Fewest encoded bytes that are asked for at a time.
const PIECE_BYTES_MIN: u64 = 8 * 1024;

/// How much is decoded at a time.
const DECODED_BYTES: usize = 32 * 1024;

/// Most encodings on top of each other: each takes memory, and two already have no use.
const ENCODINGS_MAX: usize = 4;

/// A body that is open in the driver. It is closed when it is dropped before its end.
pub(crate) struct Body<'a, D: Driver> {
    driver: &'a D,
    number: u32,
    ended: bool,
    piece: Vec<u8>,
    used: usize,
    piece_bytes: u32,
}

impl<'a, D: Driver> Body<'a, D> {
    pub(crate) fn new(driver: &'a D, number: u32) -> Self {
        let (piece, used) = (Vec::new(), 0);
        let piece_bytes = PIECE_BYTES_MAX as u32;
        Self {
            driver,
            number,
            ended: false,
            piece,
            used,
            piece_bytes,
        }
    }

    /// The body as it is.
    pub(crate) fn whole(mut self, max_bytes: u64) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        loop {
            // One more than fits tells whether there is more than fits.
            let fits = max_bytes - whole.len() as u64;
            let at_most = fits.saturating_add(1).min(PIECE_BYTES_MAX);
            let piece = self.next(at_most as u32)?;
            if piece.is_empty() {
                return Ok(whole);
            }
            if whole.is_empty() && piece.len() as u64 <= max_bytes {
                whole = piece;
            } else {
                append(&mut whole, &piece, max_bytes)?;
            }
        }
    }

    /// The body with `encodings` undone.
    pub(crate) fn decoded(
        mut self,
        encodings: &[Encoding],
        max_bytes: u64,
    ) -> Result<Vec<u8>, Error> {
        let piece_bytes = max_bytes.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
        self.piece_bytes = piece_bytes as u32;
        let mut reader: Box<dyn BufRead + '_> = Box::new(self);
        for encoding in encodings.iter().rev() {
            reader = encoding.undo(reader).map_err(Error::from)?;
        }
        let mut whole = Vec::new();
        let mut piece = vec![0; DECODED_BYTES];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return Ok(whole),
                Ok(read) => append(&mut whole, &piece[..read], max_bytes)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next bytes, or none at the end.
    fn next(&mut self, at_most: u32) -> Result<Vec<u8>, driver::Error> {
        if self.ended {
            return Ok(Vec::new());
        }
        let piece = self.driver.read(self.number, at_most)?;
        // At its end the driver closes a body by itself.
        self.ended = piece.is_empty();
        Ok(piece)
    }
}

impl<D: Driver> Drop for Body<'_, D> {
    fn drop(&mut self) {
        if !self.ended {
            self.driver.close(self.number);
        }
    }
}

impl<D: Driver> BufRead for Body<'_, D> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.piece.len() {
            self.piece = self.next(self.piece_bytes).map_err(io::Error::other)?;
            self.used = 0;
        }
        Ok(&self.piece[self.used..])
    }

    fn consume(&mut self, amount: usize) {
        self.used += amount;
    }
}

impl<D: Driver> Read for Body<'_, D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// Adds a piece, and takes no more memory than the largest body needs.
fn append(whole: &mut Vec<u8>, piece: &[u8], max_bytes: u64) -> Result<(), Error> {
    let length = whole.len() + piece.len();
    if length as u64 > max_bytes {
        return Err(Error::TooLarge(max_bytes));
    }
    if length > whole.capacity() {
        let max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let capacity = length.max(whole.capacity() * 2).min(max);
        whole.reserve_exact(capacity - whole.len());
    }
    whole.extend_from_slice(piece);
    Ok(())
}

/// An encoding that can be undone (RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    /// The encodings that the headers tell of, in the order in which they were applied. None if one
    /// of them can't be undone: then the guest gets the body as it is.
    pub(crate) fn of(headers: &[(String, String)]) -> Result<Vec<Self>, Error> {
        let mut encodings = Vec::new();
        let values = headers
            .iter()
            .filter(|(name, _)| name == "content-encoding");
        for name in values.flat_map(|(_, value)| value.split(',')) {
            match &*name.trim().to_ascii_lowercase() {
                "gzip" | "x-gzip" => encodings.push(Self::Gzip),
                "deflate" => encodings.push(Self::Deflate),
                "identity" | "" => {}
                _ => return Ok(Vec::new()),
            }
        }
        if encodings.len() > ENCODINGS_MAX {
            return Err(Error::Protocol(format!(
                "the body is encoded {} times, and at most {ENCODINGS_MAX} are undone",
                encodings.len()
            )));
        }
        Ok(encodings)
    }

    /// Undoes this encoding of what `reader` gives. Nothing at all stays nothing.
    fn undo<'a>(self, mut reader: Box<dyn BufRead + 'a>) -> io::Result<Box<dyn BufRead + 'a>> {
        if reader.fill_buf()?.is_empty() {
            return Ok(reader);
        }
        let decoder: Box<dyn Read + 'a> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Self::Deflate => {
                let mut start = Vec::new();
                reader.by_ref().take(2).read_to_end(&mut start)?;
                let is_zlib = is_zlib(&start);
                let reader = Cursor::new(start).chain(reader);
                if is_zlib {
                    Box::new(ZlibDecoder::new(reader))
                } else {
                    Box::new(DeflateDecoder::new(reader))
                }
            }
        };
        Ok(Box::new(BufReader::with_capacity(DECODED_BYTES, decoder)))
    }
}

/// Whether this is how zlib's format begins (RFC 1950, 2.2). Some servers leave it out.
fn is_zlib(start: &[u8]) -> bool {
    matches!(start, &[method, flags]
        if method & 15 == 8 && u16::from_be_bytes([method, flags]) % 31 == 0)
}

/// What went wrong while decoding: a body that isn't encoded right, if it wasn't the driver.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<driver::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::Protocol(format!("the body isn't encoded as it says: {error}")),
        }
    }
}
