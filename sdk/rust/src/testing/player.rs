//! What answers in place of effects.

use std::fmt::Debug;
use std::rc::Rc;

use serde_json::{Value, json};

use super::Recording;
use super::value::{Read, bytes, written};
use crate::keys::{Algorithm, Hash, HostKey, Key};
use crate::{digest, dns, https, keys, random, state};

/// Answers in place of effects.
#[derive(Clone)]
pub(super) struct Player(pub(super) Rc<Recording>);

/// Writes a case without a value as WIT does. Digits belong to the word before them.
fn named(case: impl Debug) -> Value {
    let mut name = String::new();
    for letter in format!("{case:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    Value::String(name)
}

impl digest::Host for Player {
    fn hash(&self, algorithm: digest::Algorithm, text: &[u8]) -> Vec<u8> {
        let name = match algorithm {
            digest::Algorithm::Sha3256 => json!("sha3-256"),
            digest::Algorithm::Sha3384 => json!("sha3-384"),
            digest::Algorithm::Sha3512 => json!("sha3-512"),
            other => named(other),
        };
        let answer = self
            .0
            .answer("homestar:crypto/digest.hash", &[name, written(text)]);
        bytes(answer).expect("a digest is bytes")
    }
}

impl dns::Host for Player {
    fn lookup(&self, name: &str, ty: dns::RecordType) -> Result<Vec<dns::Answer>, dns::Error> {
        self.0
            .ask("homestar:dns/client.lookup", &[json!(name), named(ty)])
    }

    fn addresses(&self, name: &str) -> Result<Vec<String>, dns::Error> {
        self.0.ask("homestar:dns/client.addresses", &[json!(name)])
    }

    fn reverse(&self, address: &str) -> Result<Vec<String>, dns::Error> {
        self.0.ask("homestar:dns/client.reverse", &[json!(address)])
    }
}

impl https::Host for Player {
    fn send(&self, request: &https::Request) -> Result<https::Response, https::Error> {
        // Where there is no component, `get` sends.
        let is_get = self
            .0
            .upcoming()
            .is_some_and(|call| call.name == "homestar:https/client.get");
        if is_get && *request == https::Request::new("GET", &request.url) {
            return self
                .0
                .ask("homestar:https/client.get", &[json!(request.url)]);
        }
        let options = request.options.map(|options| {
            json!({
                "connect-timeout-ms": options.connect_timeout_ms,
                "max-bytes": options.max_bytes,
                "redirects": options.redirects,
                "timeout-ms": options.timeout_ms,
            })
        });
        let request = json!({
            "body": written(&request.body),
            "headers": request.headers,
            "method": request.method,
            "options": options,
            "url": request.url,
        });
        self.0.ask("homestar:https/client.send", &[request])
    }
}

impl random::Host for Player {
    fn bytes(&self, length: u32) -> Result<Vec<u8>, random::Error> {
        self.0.ask("homestar:random/random.bytes", &[json!(length)])
    }

    fn u64(&self) -> Result<u64, random::Error> {
        self.0.ask("homestar:random/random.u64", &[])
    }

    fn range(&self, start: i64, end: i64) -> Result<i64, random::Error> {
        self.0
            .ask("homestar:random/random.range", &[json!(start), json!(end)])
    }

    fn shuffle(&self, length: u32) -> Result<Vec<u32>, random::Error> {
        self.0
            .ask("homestar:random/random.shuffle", &[json!(length)])
    }

    fn uuid(&self) -> Result<String, random::Error> {
        self.0.ask("homestar:random/random.uuid", &[])
    }
}

impl state::Host for Player {
    fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, state::Error> {
        self.0
            .ask("homestar:std/state.get", &[json!(bucket), json!(key)])
    }

    fn set(&self, bucket: &str, key: &str, value: &[u8]) -> Result<(), state::Error> {
        self.0.ask(
            "homestar:std/state.set",
            &[json!(bucket), json!(key), written(value)],
        )
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), state::Error> {
        self.0
            .ask("homestar:std/state.delete", &[json!(bucket), json!(key)])
    }

    fn list(&self, bucket: &str) -> Result<Vec<String>, state::Error> {
        self.0.ask("homestar:std/state.list", &[json!(bucket)])
    }
}

impl Player {
    fn key(&self, function: &str, args: &[Value]) -> Result<Key, keys::Error> {
        let number: u32 = self
            .0
            .ask(&format!("homestar:crypto/keys.key.{function}"), args)?;
        Ok(Key::standing_in(PlayedKey {
            player: self.clone(),
            number,
        }))
    }
}

impl keys::Host for Player {
    fn generate(&self, algorithm: Algorithm) -> Result<Key, keys::Error> {
        self.key("generate", &[named(algorithm)])
    }

    fn take(&self, algorithm: Algorithm, private: &[u8]) -> Result<Key, keys::Error> {
        self.key("import", &[named(algorithm), written(private)])
    }

    fn open(&self, name: &str) -> Result<Key, keys::Error> {
        self.key("open", &[json!(name)])
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, keys::Error> {
        let bytes = [public_key, message, signature].map(written);
        let args: Vec<_> = [named(algorithm)].into_iter().chain(bytes).collect();
        self.0.ask("homestar:crypto/keys.verify", &args)
    }

    fn seal(
        &self,
        public_key: &[u8],
        info: &[u8],
        additional: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, keys::Error> {
        let args = [public_key, info, additional, plaintext].map(written);
        self.0.ask("homestar:crypto/keys.seal", &args)
    }
}

/// A key of the recording.
struct PlayedKey {
    player: Player,
    number: u32,
}

impl PlayedKey {
    fn args(&self, args: impl IntoIterator<Item = Value>) -> Vec<Value> {
        [json!(self.number)].into_iter().chain(args).collect()
    }

    fn ask<T: Read>(
        &self,
        function: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<T, keys::Error> {
        let name = format!("homestar:crypto/keys.key.{function}");
        self.player.0.ask(&name, &self.args(args))
    }
}

impl HostKey for PlayedKey {
    fn keep(&self, name: &str) -> Result<(), keys::Error> {
        self.ask("keep", [json!(name)])
    }

    fn algorithm(&self) -> Result<Algorithm, keys::Error> {
        self.ask("algorithm", [])
    }

    fn public_key(&self) -> Result<Vec<u8>, keys::Error> {
        self.ask("public-key", [])
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, keys::Error> {
        self.ask("sign", [written(message)])
    }

    fn hmac(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, keys::Error> {
        self.ask("hmac", [named(hash), written(message)])
    }

    fn derive(
        &self,
        hash: Hash,
        salt: &[u8],
        info: &[u8],
        algorithm: Algorithm,
    ) -> Result<Key, keys::Error> {
        let args = [named(hash), written(salt), written(info), named(algorithm)];
        self.player.key("derive", &self.args(args))
    }

    fn agree(&self, public_key: &[u8]) -> Result<Key, keys::Error> {
        self.player.key("agree", &self.args([written(public_key)]))
    }

    fn encrypt(
        &self,
        nonce: &[u8],
        additional: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, keys::Error> {
        self.ask("encrypt", [nonce, additional, plaintext].map(written))
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        additional: &[u8],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, keys::Error> {
        self.ask("decrypt", [nonce, additional, ciphertext].map(written))
    }

    fn open_sealed(
        &self,
        info: &[u8],
        additional: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, keys::Error> {
        self.ask("open-sealed", [info, additional, sealed].map(written))
    }
}
