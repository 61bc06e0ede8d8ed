//! Compresses and decompresses.

mod zstd;

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};
use wit_bindgen::{StreamReader, spawn_local};

wit_bindgen::generate!({ path: "wit" });

/// How much of a stream is held at a time.
const STEP: usize = 128 * 1024;

struct Squeeze;

impl Guest for Squeeze {
    async fn gzip(input: StreamReader<u8>, level: u32) -> StreamReader<u8> {
        let encoder = GzEncoder::new(Vec::new(), Compression::new(level.min(9)));
        through(input, encoder, |encoder| encoder.get_mut())
    }

    async fn gunzip(input: StreamReader<u8>) -> StreamReader<u8> {
        let decoder = MultiGzDecoder::new(Vec::new());
        through(input, decoder, |decoder| decoder.get_mut())
    }

    async fn zstd(input: StreamReader<u8>) -> StreamReader<u8> {
        through(input, zstd::Encoder::default(), zstd::Encoder::output)
    }

    async fn unzstd(input: StreamReader<u8>) -> StreamReader<u8> {
        through(input, zstd::Decoder::default(), zstd::Decoder::output)
    }
}

/// Sends a stream through a coder, which writes to what `output` returns. It writes the rest when it is dropped.
fn through<C: Finish + 'static>(
    mut input: StreamReader<u8>,
    mut coder: C,
    output: fn(&mut C) -> &mut Vec<u8>,
) -> StreamReader<u8> {
    let (mut writer, stream) = wit_stream::new();
    spawn_local(async move {
        loop {
            let (_, piece) = input.read(Vec::with_capacity(STEP)).await;
            let is_over = piece.is_empty();
            let mut rest = &piece[..];
            let mut is_bad = false;
            // A few bytes may become many, so they are taken as far as the coder likes.
            while !rest.is_empty() && !is_bad {
                match coder.write(rest) {
                    Ok(taken @ 1..) => rest = &rest[taken..],
                    _ => is_bad = true,
                }
                let bytes = std::mem::take(output(&mut coder));
                if !bytes.is_empty() && !writer.write_all(bytes).await.is_empty() {
                    return; // nobody reads on
                }
            }
            if is_bad {
                return;
            }
            if is_over {
                let _ = coder.end();
                let bytes = std::mem::take(output(&mut coder));
                if !bytes.is_empty() {
                    writer.write_all(bytes).await;
                }
                return;
            }
        }
    });
    stream
}

/// What has to be told that there is no more.
trait Finish: Write {
    fn end(&mut self) -> std::io::Result<()>;
}

impl Finish for GzEncoder<Vec<u8>> {
    fn end(&mut self) -> std::io::Result<()> {
        self.try_finish()
    }
}

impl Finish for MultiGzDecoder<Vec<u8>> {
    fn end(&mut self) -> std::io::Result<()> {
        self.try_finish()
    }
}

export!(Squeeze);
