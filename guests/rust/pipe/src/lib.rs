//! Passes bytes on.

use wit_bindgen::{StreamReader, StreamResult, StreamWriter, spawn_local};

wit_bindgen::generate!({ path: "wit" });

/// How much of a stream is held at a time.
const STEP: usize = 256 * 1024;

struct Pipe;

impl Guest for Pipe {
    async fn pipe(input: StreamReader<u8>) -> StreamReader<u8> {
        Self::pipe_by(input, STEP as u32).await
    }

    async fn pipe_by(mut input: StreamReader<u8>, step: u32) -> StreamReader<u8> {
        let (mut writer, output) = wit_stream::new();
        spawn_local(async move {
            copy(&mut input, &mut writer, step as usize).await;
        });
        output
    }

    async fn hand_back(input: StreamReader<u8>) -> StreamReader<u8> {
        input
    }

    async fn join(inputs: Vec<StreamReader<u8>>) -> StreamReader<u8> {
        let (mut writer, output) = wit_stream::new();
        spawn_local(async move {
            for mut input in inputs {
                copy(&mut input, &mut writer, STEP).await;
            }
        });
        output
    }

    async fn double(parcels: Vec<Parcel>) -> Result<Vec<Parcel>, String> {
        if parcels.is_empty() {
            return Err("no parcel".into());
        }
        let double = |parcel: Parcel| {
            let mut input = parcel.content;
            let (mut writer, content) = wit_stream::new();
            spawn_local(async move {
                let mut whole = Vec::new();
                while let Some(bytes) = next(&mut input, STEP).await {
                    whole.extend(bytes);
                }
                writer.write_all(whole.repeat(2)).await;
            });
            let name = format!("{}, twice", parcel.name);
            Parcel { name, content }
        };
        Ok(parcels.into_iter().map(double).collect())
    }

    async fn count(mut input: StreamReader<u8>, once: bool) -> u64 {
        let mut count = 0;
        while let Some(bytes) = next(&mut input, STEP).await {
            count += bytes.len() as u64;
            if once {
                break;
            }
        }
        count
    }

    async fn zeros(length: u64) -> StreamReader<u8> {
        let (mut writer, output) = wit_stream::new();
        spawn_local(async move {
            let mut left = length;
            while left > 0 {
                let piece = left.min(STEP as u64);
                if !writer.write_all(vec![0; piece as usize]).await.is_empty() {
                    return; // nobody reads on
                }
                left -= piece;
            }
        });
        output
    }

    fn echo(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn never(loops: bool) -> StreamReader<u8> {
        let (writer, output) = wit_stream::new::<u8>();
        if loops {
            spawn_local(async move {
                let _writer = writer;
                loop {
                    std::hint::black_box(&_writer);
                }
            });
        } else {
            std::mem::forget(writer);
        }
        output
    }

    async fn ignore(input: StreamReader<u8>) -> String {
        std::mem::forget(input);
        "as you like".into()
    }
}

/// Copies to the end, or until nobody reads on.
async fn copy(input: &mut StreamReader<u8>, output: &mut StreamWriter<u8>, step: usize) {
    let mut buffer = Vec::with_capacity(step);
    loop {
        let (result, bytes) = input.read(buffer).await;
        if bytes.is_empty() {
            return;
        }
        let mut rest = output.write_all(bytes).await;
        if !rest.is_empty() || result == StreamResult::Dropped {
            return;
        }
        rest.clear();
        buffer = rest;
    }
}

/// What comes next, or nothing at the end.
async fn next(stream: &mut StreamReader<u8>, step: usize) -> Option<Vec<u8>> {
    let (_, bytes) = stream.read(Vec::with_capacity(step)).await;
    (!bytes.is_empty()).then_some(bytes)
}

export!(Pipe);
