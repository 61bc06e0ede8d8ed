//! Cuts text into lines, and finds those that hold another text.

#![cfg_attr(
    not(any(test, target_family = "wasm")),
    allow(dead_code, reason = "the component uses it")
)]

pub struct Matching {
    needle: String,
    /// A line whose end has not come.
    rest: Vec<u8>,
}

impl Matching {
    pub fn new(needle: String) -> Self {
        Self {
            needle,
            rest: Vec::new(),
        }
    }

    /// Takes a piece of the text, and returns the lines found that end in it.
    pub fn add(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                found.extend(self.finish());
            }
        }
        found
    }

    /// Returns the line that the text ends with, if it is found and has no end of its own.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.rest);
        let needle = self.needle.as_bytes();
        let holds = needle.is_empty() || line.windows(needle.len()).any(|window| window == needle);
        (holds && !line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_wherever_pieces_end() {
        let text = b"an error\nfine\nerrors";
        for size in 1..text.len() {
            let mut lines = Matching::new("error".into());
            let mut found: Vec<_> = text.chunks(size).flat_map(|piece| lines.add(piece)).collect();
            found.extend(lines.finish());
            assert_eq!(found, [b"an error\n".to_vec(), b"errors".to_vec()]);
        }
    }
}
