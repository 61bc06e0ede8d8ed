//! Pours bytes into a stream.

use acme::pipe::pipe;
use wit_bindgen::spawn_local;

wit_bindgen::generate!({ generate_all });

/// How much is poured at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

struct Pour;

impl Guest for Pour {
    async fn pour(length: u64, times: u64) -> u64 {
        let mut drained = 0;
        for _ in 0..times {
            let (mut writer, bytes) = wit_stream::new();
            spawn_local(async move {
                let mut left = length;
                let mut chunk = Vec::with_capacity(CHUNK_BYTES as usize);
                while left > 0 {
                    chunk.resize(left.min(CHUNK_BYTES) as usize, b'x');
                    left -= chunk.len() as u64;
                    chunk = writer.write_all(chunk).await;
                    if !chunk.is_empty() {
                        return; // nobody reads on
                    }
                }
            });
            drained += pipe::drain(bytes).await;
        }
        drained
    }
}

export!(Pour);
