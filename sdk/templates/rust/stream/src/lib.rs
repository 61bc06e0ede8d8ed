//! Lines of text that hold another text. However long the text is, a piece of it is held at a time.

mod matching;

#[cfg(target_family = "wasm")]
mod component {
    use wit_bindgen::{StreamReader, spawn_local};

    use crate::matching::Matching;

    wit_bindgen::generate!({ path: "wit" });

    struct Lines;

    impl Guest for Lines {
        async fn filter(mut text: StreamReader<u8>, needle: String) -> StreamReader<u8> {
            let (mut writer, found) = wit_stream::new();
            // What is returned is read while this goes on.
            spawn_local(async move {
                let mut lines = Matching::new(needle);
                while let Some(piece) = next(&mut text).await {
                    let out = lines.add(&piece).concat();
                    if !out.is_empty() && !writer.write_all(out).await.is_empty() {
                        return; // nobody reads on
                    }
                }
                if let Some(last) = lines.finish() {
                    writer.write_all(last).await;
                }
            });
            found
        }

        async fn count(mut text: StreamReader<u8>, needle: String) -> u64 {
            let mut lines = Matching::new(needle);
            let mut count = 0;
            while let Some(piece) = next(&mut text).await {
                count += lines.add(&piece).len() as u64;
            }
            count + u64::from(lines.finish().is_some())
        }
    }

    /// Returns the next piece of a text, if there is one.
    async fn next(text: &mut StreamReader<u8>) -> Option<Vec<u8>> {
        let (_, piece) = text.read(Vec::with_capacity(64 * 1024)).await;
        (!piece.is_empty()).then_some(piece)
    }

    export!(Lines);
}
