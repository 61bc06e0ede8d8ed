//! What is wrong with a text that should be a grant.

use std::fmt;

use ipnet::IpNet;
use thiserror::Error;

pub(super) const HTTPS: &str = "https=GET api.example.com";
pub(super) const DNS: &str = "dns=TXT example.com";
pub(super) const NET: &str = "net=10.0.0.0/8";
pub(super) const CRYPTO: &str = "crypto=signing";
pub(super) const STATE: &str = "state=visits";

/// A text that is no grant. It names the text, what is wrong with it, and one that is right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is no grant: {wrong}; for example `{}`", shown(.text), example(.text, .wrong))]
pub struct GrantError {
    text: String,
    wrong: Wrong,
}

impl GrantError {
    pub(super) fn new(text: &str, wrong: Wrong) -> Self {
        Self {
            text: text.to_owned(),
            wrong,
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Kind,
    Incomplete(&'static str),
    TooMuch,
    Blank,
    Method(String),
    User,
    Host(String),
    Star(String),
    Port(String),
    Path,
    PathStar,
    Query,
    RecordType(String),
    Name(String),
    Net,
    NetBits(IpNet),
    Label(usize, &'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => {
                f.write_str("there are https, dns, net, random, oracle, clock, crypto and state")
            }
            Self::Incomplete(_) => f.write_str("it doesn't say what it opens"),
            Self::TooMuch => f.write_str("nothing follows its kind"),
            Self::Blank => f.write_str("there is a blank too many"),
            Self::Method(text) => write!(f, "`{}` is no method", shown(text)),
            Self::User => f.write_str("a user has no place in it"),
            Self::Host(text) => write!(f, "`{}` is no host", shown(text)),
            Self::Star(text) => write!(
                f,
                "`{}` is no name: a star stands alone or for all that is beneath a name",
                shown(text)
            ),
            Self::Port(text) => write!(f, "`{}` is no port", shown(text)),
            Self::Path => f.write_str("servers may read the path in two ways"),
            Self::PathStar => f.write_str("a star stands for whole parts of a path"),
            Self::Query => f.write_str("a query or fragment has no place in it"),
            Self::RecordType(text) => write!(
                f,
                "`{}` is no type of records: there are A, AAAA, CAA, CNAME, MX, NS, PTR, SRV and TXT",
                shown(text)
            ),
            Self::Name(text) => write!(f, "`{}` is no name", shown(text)),
            Self::Net => f.write_str("that is no range of addresses"),
            Self::NetBits(_) => f.write_str("the address has bits beyond the range"),
            Self::Label(bytes_max, _) => {
                write!(
                    f,
                    "a name has 1 to {bytes_max} letters, digits, `-`, `_` and `.`"
                )
            }
        }
    }
}

/// A grant that is right, and close to what was meant.
fn example(text: &str, wrong: &Wrong) -> String {
    let kind = text.split('=').next().unwrap_or_default();
    match wrong {
        Wrong::TooMuch => kind.to_owned(),
        Wrong::Incomplete(example) | Wrong::Label(_, example) => (*example).to_owned(),
        Wrong::Star(_) => format!("{kind}=*.example.com"),
        Wrong::Port(_) => "https=api.example.com:8443".to_owned(),
        Wrong::Path | Wrong::PathStar => "https=api.example.com/v1/*".to_owned(),
        Wrong::RecordType(_) | Wrong::Name(_) => DNS.to_owned(),
        Wrong::Net => NET.to_owned(),
        Wrong::NetBits(net) => format!("net={}", net.trunc()),
        Wrong::Kind | Wrong::Method(_) | Wrong::User | Wrong::Host(_) | Wrong::Query => {
            HTTPS.to_owned()
        }
        Wrong::Blank if kind == "dns" => DNS.to_owned(),
        Wrong::Blank => HTTPS.to_owned(),
    }
}

/// Longest part of a text from outside that a message repeats, in characters.
const SHOWN_MAX: usize = 200;

/// A text from outside, fit for a terminal: without control characters, and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == SHOWN_MAX {
            shown.push('…');
            break;
        }
        if character.is_control() || is_formatting(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that change how the text around them is shown.
fn is_formatting(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_are_fit_for_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN_MAX + 1);
    }
}
