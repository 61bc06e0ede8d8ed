//! Lines of text that hold another text.

use wit_bindgen::{StreamReader, spawn_local};

wit_bindgen::generate!({ path: "wit" });

/// How much of a text is held at a time, beside a line that is longer.
const STEP: usize = 64 * 1024;

struct Lines;

impl Guest for Lines {
    async fn filter(mut text: StreamReader<u8>, needle: String) -> StreamReader<u8> {
        let (mut writer, found) = wit_stream::new();
        spawn_local(async move {
            let mut lines = Matching::new(needle);
            while let Some(piece) = next(&mut text).await {
                let mut out = Vec::new();
                lines.add(&piece, |line| out.extend_from_slice(line));
                if !out.is_empty() && !writer.write_all(out).await.is_empty() {
                    return; // nobody reads on
                }
            }
            let mut out = Vec::new();
            lines.finish(|line| out.extend_from_slice(line));
            if !out.is_empty() {
                writer.write_all(out).await;
            }
        });
        found
    }

    async fn count(mut text: StreamReader<u8>, needle: String) -> u64 {
        let mut count = 0;
        let mut lines = Matching::new(needle);
        while let Some(piece) = next(&mut text).await {
            lines.add(&piece, |_| count += 1);
        }
        lines.finish(|_| count += 1);
        count
    }
}

async fn next(text: &mut StreamReader<u8>) -> Option<Vec<u8>> {
    let (_, piece) = text.read(Vec::with_capacity(STEP)).await;
    (!piece.is_empty()).then_some(piece)
}

/// Cuts text into lines, and passes on those that match.
struct Matching {
    needle: String,
    /// A line whose end has not come.
    rest: Vec<u8>,
}

impl Matching {
    fn new(needle: String) -> Self {
        Self {
            needle,
            rest: Vec::new(),
        }
    }

    fn add(&mut self, piece: &[u8], mut found: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.finish(&mut found);
            }
        }
    }

    fn finish(&mut self, mut found: impl FnMut(&[u8])) {
        if !self.rest.is_empty() && holds(&self.rest, self.needle.as_bytes()) {
            found(&self.rest);
        }
        self.rest.clear();
    }
}

fn holds(line: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || line.windows(needle.len()).any(|window| window == needle)
}

export!(Lines);
