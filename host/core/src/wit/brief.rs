//! Text that ends with `…` where it would grow too long.

use std::fmt::{self, Display, Write};

/// Returns the text of `value`, cut after `chars_max` characters and then ended with `…`.
///
/// What would be cut is never produced, so a brief look at a large value is cheap.
pub(crate) fn brief(value: impl Display, chars_max: usize) -> String {
    let mut text = Brief::new(chars_max);
    // The only error is our own, raised to stop early.
    let _ = write!(text, "{value}");
    text.finish()
}

/// A writer that takes a number of characters and refuses the rest.
#[derive(Debug)]
pub(crate) struct Brief {
    text: String,
    chars_left: usize,
    cut: bool,
}

impl Brief {
    /// Returns an empty text that takes `chars_max` characters.
    pub(crate) fn new(chars_max: usize) -> Self {
        Self {
            text: String::new(),
            chars_left: chars_max,
            cut: false,
        }
    }

    /// Returns what was taken, ended with `…` if something was refused.
    pub(crate) fn finish(mut self) -> String {
        if self.cut {
            self.text.push('…');
        }
        self.text
    }
}

impl Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.chars_left == 0 {
                self.cut = true;
                return Err(fmt::Error);
            }
            self.text.push(character);
            self.chars_left -= 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_only_where_it_is_too_long() {
        assert_eq!(brief("", 0), "");
        assert_eq!(brief("ab", 2), "ab");
        assert_eq!(brief("abc", 2), "ab…");
        assert_eq!(brief("äöü", 2), "äö…");
    }
}
