//! The `keys` driver against an implementation that isn't ours: Python's `cryptography`, which calls OpenSSL.
//!
//! Each side makes what the other checks: signatures, ciphertexts, agreements and boxes, with random keys and texts
//! of many lengths. The other side is `keys/peer.py`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use homestar_engine::drivers::keys::{Algorithm, Hash, Keys, seal_box, verify};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

const LENGTHS: [usize; 8] = [0, 1, 16, 63, 64, 65, 1000, 70_000];

const SIGNING: [Algorithm; 3] = [Algorithm::Ed25519, Algorithm::P256, Algorithm::Secp256k1];
const ENCRYPTING: [Algorithm; 3] = [
    Algorithm::Aes128Gcm,
    Algorithm::Aes256Gcm,
    Algorithm::Chacha20Poly1305,
];
const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

/// Bytes, in hexadecimal where Python reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hex(Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: Vec<_> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&digits.concat())
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = (0..text.len()).step_by(2);
        let bytes = digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16));
        bytes
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
struct Cases {
    signatures: Vec<Signature>,
    ciphertexts: Vec<Ciphertext>,
    agreements: Vec<Agreement>,
    boxes: Vec<Sealed>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    algorithm: Algorithm,
    private: Hex,
    public: Hex,
    message: Hex,
    signature: Hex,
    /// The public key in another form; only what Python makes has it.
    #[serde(default)]
    uncompressed: Hex,
    /// The signature with the higher s; only what Python makes has it.
    #[serde(default)]
    high: Hex,
}

#[derive(Serialize, Deserialize)]
struct Ciphertext {
    algorithm: Algorithm,
    private: Hex,
    nonce: Hex,
    additional: Hex,
    plaintext: Hex,
    ciphertext: Hex,
}

#[derive(Serialize, Deserialize)]
struct Agreement {
    hash: Hash,
    private: Hex,
    public: Hex,
    salt: Hex,
    info: Hex,
    message: Hex,
    /// HMAC of the message under the key that was agreed on and derived.
    tag: Hex,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    private: Hex,
    info: Hex,
    plaintext: Hex,
    sealed: Hex,
}

fn random(length: usize) -> Hex {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).expect("random bytes");
    Hex(bytes)
}

/// Every one of `these` with every length.
fn with_lengths<T: Copy>(these: impl IntoIterator<Item = T>) -> impl Iterator<Item = (T, usize)> {
    these
        .into_iter()
        .flat_map(|this| LENGTHS.map(|length| (this, length)))
}

impl Cases {
    /// What the driver makes.
    fn ours() -> Self {
        Self {
            signatures: with_lengths(SIGNING).map(Signature::ours).collect(),
            ciphertexts: with_lengths(ENCRYPTING).map(Ciphertext::ours).collect(),
            agreements: with_lengths(HASHES).map(Agreement::ours).collect(),
            boxes: LENGTHS.into_iter().map(Sealed::ours).collect(),
        }
    }

    /// Has the driver check what was made elsewhere.
    fn check(&self) {
        assert_eq!(self.signatures.len(), SIGNING.len() * LENGTHS.len());
        self.signatures.iter().for_each(Signature::check);
        assert_eq!(self.ciphertexts.len(), ENCRYPTING.len() * LENGTHS.len());
        self.ciphertexts.iter().for_each(Ciphertext::check);
        assert_eq!(self.agreements.len(), HASHES.len() * LENGTHS.len());
        self.agreements.iter().for_each(Agreement::check);
        assert_eq!(self.boxes.len(), LENGTHS.len());
        self.boxes.iter().for_each(Sealed::check);
    }
}

impl Signature {
    fn ours((algorithm, length): (Algorithm, usize)) -> Self {
        let (private, message) = (random(32), random(length));
        let mut keys = Keys::new(None);
        let key = keys.import(algorithm, private.0.clone()).expect("a key");
        let signature = keys.sign(key, &message.0, &SystemRandom::new());
        Self {
            algorithm,
            private,
            public: Hex(keys.public_key(key).expect("a public key")),
            message,
            signature: Hex(signature.expect("a signature")),
            uncompressed: Hex::default(),
            high: Hex::default(),
        }
    }

    fn check(&self) {
        let mut keys = Keys::new(None);
        let key = keys.import(self.algorithm, self.private.0.clone());
        let public = keys.public_key(key.expect("a key"));
        assert_eq!(public.as_ref(), Ok(&self.public.0));
        for public in [&self.public.0, &self.uncompressed.0] {
            let holds =
                |signature: &Hex| verify(self.algorithm, public, &self.message.0, &signature.0);
            assert_eq!(holds(&self.signature), Ok(true), "{}", self.algorithm);
            let may_be_high = self.algorithm != Algorithm::Secp256k1;
            assert_eq!(holds(&self.high), Ok(may_be_high), "{}", self.algorithm);
        }
    }
}

impl Ciphertext {
    fn ours((algorithm, length): (Algorithm, usize)) -> Self {
        let bytes = if algorithm == Algorithm::Aes128Gcm {
            16
        } else {
            32
        };
        let mut made = Self {
            algorithm,
            private: random(bytes),
            nonce: random(12),
            additional: random(length / 3),
            plaintext: random(length),
            ciphertext: Hex::default(),
        };
        made.ciphertext = made.encrypted();
        made
    }

    fn encrypted(&self) -> Hex {
        let mut keys = Keys::new(None);
        let key = keys
            .import(self.algorithm, self.private.0.clone())
            .expect("a key");
        let (nonce, additional) = (&self.nonce.0, &self.additional.0);
        let sealed = keys.encrypt(key, nonce, additional, &self.plaintext.0);
        let sealed = sealed.expect("a ciphertext");
        let opened = keys.decrypt(key, nonce, additional, &sealed);
        assert_eq!(opened.as_ref(), Ok(&self.plaintext.0));
        Hex(sealed)
    }

    /// Nothing about it is random, so what encrypts to the same is decrypted the same.
    fn check(&self) {
        assert_eq!(self.encrypted(), self.ciphertext);
    }
}

impl Agreement {
    fn ours((hash, length): (Hash, usize)) -> Self {
        let mut keys = Keys::new(None);
        let other = keys.generate(Algorithm::X25519, &SystemRandom::new());
        let public = keys.public_key(other.expect("a key"));
        let mut made = Self {
            hash,
            private: random(32),
            public: Hex(public.expect("a public key")),
            salt: random(length),
            info: random(length),
            message: random(length),
            tag: Hex::default(),
        };
        made.tag = made.tagged();
        made
    }

    fn tagged(&self) -> Hex {
        let mut keys = Keys::new(None);
        let key = keys
            .import(Algorithm::X25519, self.private.0.clone())
            .expect("a key");
        let shared = keys.agree(key, &self.public.0).expect("a secret");
        let (salt, info) = (&self.salt.0, &self.info.0);
        let derived = keys.derive(shared, self.hash, salt, info, Algorithm::Secret);
        let tag = keys.hmac(derived.expect("a key"), self.hash, &self.message.0);
        Hex(tag.expect("a tag"))
    }

    fn check(&self) {
        assert_eq!(self.tagged(), self.tag);
    }
}

impl Sealed {
    fn ours(length: usize) -> Self {
        let (private, info, plaintext) = (random(32), random(length), random(length));
        let mut keys = Keys::new(None);
        let key = keys
            .import(Algorithm::X25519, private.0.clone())
            .expect("a key");
        let public = keys.public_key(key).expect("a public key");
        // The package has no additional data for a box.
        let sealed = seal_box(&public, &info.0, b"", &plaintext.0, &SystemRandom::new());
        Self {
            private,
            info,
            plaintext,
            sealed: Hex(sealed.expect("a box")),
        }
    }

    fn check(&self) {
        let mut keys = Keys::new(None);
        let key = keys
            .import(Algorithm::X25519, self.private.0.clone())
            .expect("a key");
        let opened = keys.open_box(key, &self.info.0, b"", &self.sealed.0);
        assert_eq!(opened.as_ref(), Ok(&self.plaintext.0));
    }
}

#[test]
fn python_and_the_driver_check_what_the_other_made() {
    let Some(python) = or_skip(python()) else {
        return;
    };
    let ours = serde_json::to_vec(&Cases::ours()).expect("JSON");
    let mut peer = Command::new(python)
        .arg(sources().join("peer.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the Python that was just installed");
    // It reads all before it writes anything.
    let sent = peer.stdin.take().expect("a pipe").write_all(&ours);
    let output = peer.wait_with_output().expect("the peer's output");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    sent.expect("the peer reads all");
    let theirs: Cases = serde_json::from_slice(&output.stdout).expect("cases");
    theirs.check();
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/keys")
}

/// As `homestar_guests::or_skip`: a person without the tools can test the rest, and in CI nothing is skipped.
fn or_skip(python: Result<PathBuf, String>) -> Option<PathBuf> {
    match python {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A Python with the package, installed once beside what guests are built with.
fn python() -> Result<PathBuf, String> {
    let wanted = sources().join("requirements.txt");
    let name = fs::read_to_string(&wanted).map_err(|error| error.to_string())?;
    let folder = homestar_guests::add()
        .ancestors()
        .nth(4)
        .expect("guests lie deep")
        .join(format!("python-{}", name.trim().replace("==", "-")));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Waits until no other process installs. The lock ends with the file.
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let python = folder.join("venv/bin/python");
    if !folder.join("installed").exists() {
        let venv = folder.join("venv");
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(venv))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "-r"])
            .arg(&wanted))?;
        fs::write(folder.join("installed"), "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

/// Runs `command`; if it fails, the error is what it printed.
fn run(command: &mut Command) -> Result<(), String> {
    let unavailable =
        |reason: String| format!("Python's cryptography can't be installed: {reason}");
    let output = command
        .output()
        .map_err(|error| unavailable(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(unavailable(String::from_utf8_lossy(&said).into_owned()))
}
