//! Names, as Rust and as WIT write them.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Error, Ident};

const WIT_KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// A name in WIT, without what marks a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    /// Returns the name for `ident`, in snake or camel case.
    pub(crate) fn new(ident: &Ident) -> Result<Self, Error> {
        let text = ident.unraw().to_string();
        Self::parse(&text).ok_or_else(|| {
            let words = format!(
                "`{text}` is no name in WIT, where each word begins with a letter and has only letters and digits"
            );
            Error::new(ident.span(), words)
        })
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = kebab(text);
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        name.split('-').all(is_word).then_some(Self(name))
    }

    /// Returns it as it is written in WIT.
    pub(crate) fn wit(&self) -> String {
        match WIT_KEYWORDS.contains(&&*self.0) {
            true => format!("%{}", self.0),
            false => self.0.clone(),
        }
    }

    /// Returns what bindings call a function, field or module of this name.
    pub(crate) fn snake(&self) -> Ident {
        let text = self.0.replace('-', "_");
        // Bindings put a line behind what is a keyword.
        match syn::parse_str::<Ident>(&text) {
            Ok(_) => Ident::new(&text, Span::call_site()),
            Err(_) => Ident::new(&format!("{text}_"), Span::call_site()),
        }
    }

    /// Returns what bindings call a type or case of this name.
    pub(crate) fn camel(&self) -> Ident {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        let text: String = self.0.split('-').map(capital).collect();
        Ident::new(&text, Span::call_site())
    }
}

fn kebab(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut name = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let begins_word = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if (begins_word || c == '_') && !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
        if c != '_' {
            name.extend(c.to_lowercase());
        }
    }
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_cases_become_those_of_wit() {
        for (rust, wit) in [
            ("top_words", "top-words"),
            ("TopWords", "top-words"),
            ("HTTPError", "http-error"),
            ("Utf8Text", "utf8-text"),
            ("_a__b_", "a-b"),
            ("list", "%list"),
        ] {
            assert_eq!(Name::parse(rust).unwrap().wit(), wit);
        }
        assert_eq!(Name::parse("Größe"), None);
        assert_eq!(Name::parse("v_2"), None);
        assert_eq!(Name::parse("type").unwrap().snake(), "type_");
        assert_eq!(Name::parse("HTTPError").unwrap().camel(), "HttpError");
    }
}
