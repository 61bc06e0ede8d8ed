//! Asks the outside through effects: a page, an address, a number, a signature.

use std::fmt::Debug;

use homestar::crypto::digest::{self, Algorithm as Hash};
use homestar::crypto::keys::{Algorithm, Key};
use homestar::{dns, https, random};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:fetch/fetch",
    generate_all,
});

struct Fetch;

impl Guest for Fetch {
    fn fetch(url: String) -> Result<String, String> {
        let page = https::client::get(&url).map_err(said)?;
        let start = page.body.iter().take(64);
        let start = start.map(|byte| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                '?'
            }
        });
        Ok(format!("{} {}", page.status, start.collect::<String>()))
    }

    fn look_up(name: String) -> Result<Vec<String>, String> {
        dns::client::addresses(&name).map_err(said)
    }

    fn draw() -> Result<u64, String> {
        random::random::u64().map_err(said)
    }

    fn hash_and_sign(text: String) -> Result<Vec<u8>, String> {
        let digest = digest::hash(Hash::Sha256, text.as_bytes());
        let key = Key::generate(Algorithm::Ed25519).map_err(said)?;
        key.sign(&digest).map_err(said)
    }
}

/// An error as text: its name, and what it says.
fn said(error: impl Debug) -> String {
    format!("{error:?}")
}

export!(Fetch);
