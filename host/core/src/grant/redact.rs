//! Takes values out of bytes that come in pieces.

use std::fmt;

use zeroize::Zeroizing;

/// Replaces secret values by their placeholders, wherever they begin and end.
///
/// Bytes that may be the start of a value are held back until the next piece shows whether they are.
pub struct Redactor {
    /// Longest first.
    values: Vec<(Zeroizing<Vec<u8>>, String)>,
    /// Bytes that a value starts with.
    starts: [bool; 256],
    held: Zeroizing<Vec<u8>>,
}

impl Redactor {
    /// Values, none of them empty, and what stands for each.
    pub(super) fn new(mut values: Vec<(Zeroizing<Vec<u8>>, String)>) -> Self {
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let mut starts = [false; 256];
        for (value, _) in &values {
            if let Some(first) = value.first() {
                starts[usize::from(*first)] = true;
            }
        }
        Self {
            values,
            starts,
            held: Zeroizing::default(),
        }
    }

    /// Takes the next piece, and returns what is known to be fit to be seen.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        let (shown, rest) = self.replace(&bytes, false);
        self.held = Zeroizing::new(rest.to_vec());
        shown
    }

    /// Returns what was held back, at the end of the bytes.
    pub fn finish(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.held);
        self.replace(&bytes, true).0
    }

    /// Replaces values in bytes that are whole, such as a header's value.
    pub fn whole(&self, bytes: &[u8]) -> Vec<u8> {
        self.replace(bytes, true).0
    }

    /// Returns what is fit to be seen, and the rest that may be the start of a value, if more may come.
    fn replace<'a>(&self, bytes: &'a [u8], is_end: bool) -> (Vec<u8>, &'a [u8]) {
        let mut shown = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| self.starts[usize::from(*byte)]) {
            shown.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            if !is_end && self.may_start_with(rest) {
                return (shown, rest);
            }
            match self
                .values
                .iter()
                .find(|(value, _)| rest.starts_with(value))
            {
                Some((value, placeholder)) => {
                    shown.extend_from_slice(placeholder.as_bytes());
                    rest = &rest[value.len()..];
                }
                None => {
                    shown.push(rest[0]);
                    rest = &rest[1..];
                }
            }
        }
        shown.extend_from_slice(rest);
        (shown, &[])
    }

    fn may_start_with(&self, bytes: &[u8]) -> bool {
        let goes_on = |value: &[u8]| value.len() > bytes.len() && value.starts_with(bytes);
        self.values.iter().any(|(value, _)| goes_on(value))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let placeholders = self.values.iter().map(|(_, placeholder)| placeholder);
        f.debug_list().entries(placeholders).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(values: &[&str]) -> Redactor {
        let value = |value: &&str| {
            let bytes = Zeroizing::new(value.as_bytes().to_vec());
            (bytes, format!("<{}>", value.len()))
        };
        Redactor::new(values.iter().map(value).collect())
    }

    fn pieces(values: &[&str], pieces: &[&str]) -> String {
        let mut redactor = redactor(values);
        let mut shown = Vec::new();
        for piece in pieces {
            shown.extend(redactor.push(piece.as_bytes()));
        }
        shown.extend(redactor.finish());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn values_are_replaced_across_pieces() {
        assert_eq!(pieces(&["abc"], &["xabcx"]), "x<3>x");
        assert_eq!(pieces(&["abc"], &["xa", "b", "cx"]), "x<3>x");
        assert_eq!(pieces(&["abc"], &["xa", "b", "bc"]), "xabbc");
        assert_eq!(pieces(&["aab"], &["aa", "ab"]), "a<3>");
        assert_eq!(pieces(&["ab"], &["aba"]), "<2>a");
        assert_eq!(pieces(&["ab", "abcd"], &["ab", "cd", "ab", "c"]), "<4><2>c");
    }

    #[test]
    fn what_is_no_value_is_not_held_back() {
        let mut redactor = redactor(&["secret"]);
        assert_eq!(redactor.push(b"data se"), b"data ");
        assert_eq!(redactor.push(b"ts and more"), b"sets and more");
        assert_eq!(redactor.finish(), b"");
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_makes_no_difference(text in "[ab]{0,40}", cuts in prop::collection::vec(0usize..40, 0..6)) {
            let values = ["aab", "abab", "b"];
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let cut: Vec<_> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let shown = pieces(&values, &cut);
            prop_assert_eq!(&shown, &pieces(&values, &[&text]));
            prop_assert_eq!(shown.as_bytes(), redactor(&values).whole(text.as_bytes()));
            prop_assert!(!values.iter().any(|value| shown.contains(value)));
        }
    }
}
