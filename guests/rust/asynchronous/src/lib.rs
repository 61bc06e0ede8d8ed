//! Async exports.

#![expect(
    clippy::too_many_arguments,
    reason = "`sum` is there to have that many"
)]

use wit_bindgen::{StreamReader, StreamResult, spawn_local, yield_async};

wit_bindgen::generate!();

/// How much of a stream is held at a time.
const CHUNK_BYTES: usize = 64 * 1024;

struct Asynchronous;

impl Guest for Asynchronous {
    async fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    async fn describe(name: String, age: u8, height: f64, awake: bool) -> String {
        let state = if awake { "awake" } else { "asleep" };
        format!("{name}, {age} years, {height} m, {state}")
    }

    async fn divide(a: u32, b: u32) -> Result<(u32, u32), String> {
        if b == 0 {
            return Err(format!("{a} can't be divided by zero"));
        }
        Ok((a / b, a % b))
    }

    async fn yields(times: u32) -> u32 {
        for _ in 0..times {
            yield_async().await;
        }
        times
    }

    async fn pause() {
        yield_async().await;
    }

    async fn sum(
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
        f: u64,
        g: u64,
        h: u64,
        i: u64,
        j: u64,
        k: u64,
        l: u64,
        m: u64,
        n: u64,
        o: u64,
        p: u64,
        q: u64,
    ) -> u64 {
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]
            .iter()
            .sum()
    }

    async fn upper(mut text: StreamReader<u8>) -> StreamReader<u8> {
        let (mut writer, reader) = wit_stream::new();
        spawn_local(async move {
            while let Some(mut chunk) = next_chunk(&mut text).await {
                chunk.make_ascii_uppercase();
                if !writer.write_all(chunk).await.is_empty() {
                    return; // nobody reads on
                }
            }
        });
        reader
    }

    async fn length(mut text: StreamReader<u8>) -> u64 {
        let mut length = 0;
        while let Some(chunk) = next_chunk(&mut text).await {
            length += chunk.len() as u64;
        }
        length
    }

    async fn count(n: u64) -> StreamReader<u8> {
        let (mut writer, reader) = wit_stream::new();
        spawn_local(async move {
            let mut next = 0;
            while next < n {
                let end = n.min(next + CHUNK_BYTES as u64);
                let chunk = (next..end).map(|byte| byte as u8).collect();
                if !writer.write_all(chunk).await.is_empty() {
                    return; // nobody reads on
                }
                next = end;
            }
        });
        reader
    }

    fn plain(a: u32) -> u32 {
        a
    }
}

/// What comes next, or nothing at the end.
async fn next_chunk(stream: &mut StreamReader<u8>) -> Option<Vec<u8>> {
    let (result, chunk) = stream.read(Vec::with_capacity(CHUNK_BYTES)).await;
    match result {
        StreamResult::Complete(_) => Some(chunk),
        StreamResult::Dropped | StreamResult::Cancelled => (!chunk.is_empty()).then_some(chunk),
    }
}

export!(Asynchronous);
