//! What must not be taken, and what is taken though it looks odd.

use super::vectors::{key, unhex};
use super::*;
use proptest::prelude::*;
use ring::rand::SystemRandom;

use Algorithm::{Aes128Gcm, Aes256Gcm, Chacha20Poly1305, Ed25519, P256, Secp256k1, Secret, X25519};

const SIGNING: [Algorithm; 3] = [Ed25519, P256, Secp256k1];
const ENCRYPTING: [Algorithm; 3] = [Aes128Gcm, Aes256Gcm, Chacha20Poly1305];

const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of the field, which is another way to write x = 0, where the curve has a point.
const P256_SECOND_FORM: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const SECP256K1_ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// The order of the field and one, which is another way to write x = 1, where the curve has a point.
const SECP256K1_SECOND_FORM: &str =
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30";

fn generate(algorithm: Algorithm) -> Key {
    Key::generate(algorithm, &SystemRandom::new()).expect("a key")
}

fn sign(key: &Key, message: &[u8]) -> Vec<u8> {
    curve::sign(key, message, &SystemRandom::new()).expect("a signature")
}

fn is_size(result: Result<impl Sized, Error>) -> bool {
    matches!(result, Err(Error::Size(_)))
}

#[test]
fn private_keys_have_their_size() {
    for algorithm in Algorithm::ALL {
        for bytes in [0, 1, 15, 16, 17, 24, 31, 32, 33, 64, 1024, 1025] {
            let made = Key::new(algorithm, Zeroizing::new(vec![1; bytes]));
            let right = match algorithm {
                Secret => (1..=1024).contains(&bytes),
                Aes128Gcm => bytes == 16,
                _ => bytes == 32,
            };
            assert_eq!(made.is_ok(), right, "{algorithm} {bytes}");
            assert!(made.is_ok() || is_size(made));
        }
    }
}

#[test]
fn private_scalars_are_above_zero_and_below_the_order() {
    let last = |hex: &str, digit: &str| format!("{}{digit}", &hex[..63]);
    for (algorithm, order) in [(P256, P256_ORDER), (Secp256k1, SECP256K1_ORDER)] {
        for bad in [
            "00".repeat(32),
            order.into(),
            last(order, "2"),
            "ff".repeat(32),
        ] {
            let made = Key::new(algorithm, Zeroizing::new(unhex(&bad)));
            assert_eq!(made.map(drop), Err(Error::InvalidKey), "{algorithm} {bad}");
        }
        for good in [last(order, "0"), last(&"00".repeat(32), "1")] {
            let key = key(algorithm, &good);
            let signature = sign(&key, b"message");
            let holds = verify(algorithm, key.public().unwrap(), b"message", &signature);
            assert_eq!(holds, Ok(true));
        }
    }
}

#[test]
fn a_signature_holds_for_its_message_alone() {
    for algorithm in SIGNING {
        let (key, other) = (generate(algorithm), generate(algorithm));
        let public = key.public().unwrap();
        for message in [&b""[..], b"message", &[0; 100_000]] {
            let signature = sign(&key, message);
            assert_eq!(verify(algorithm, public, message, &signature), Ok(true));
            let longer = [message, &[0]].concat();
            assert_eq!(verify(algorithm, public, &longer, &signature), Ok(false));
            let others = other.public().unwrap();
            assert_eq!(verify(algorithm, others, message, &signature), Ok(false));
            for at in 0..signature.len() {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert_eq!(verify(algorithm, public, message, &changed), Ok(false));
            }
        }
    }
}

#[test]
fn only_p256_signs_a_message_each_time_anew() {
    for algorithm in SIGNING {
        let key = generate(algorithm);
        let is_same = sign(&key, b"message") == sign(&key, b"message");
        assert_eq!(is_same, algorithm != P256);
    }
}

#[test]
fn signatures_and_public_keys_have_their_size() {
    for algorithm in SIGNING {
        let key = generate(algorithm);
        let public = key.public().unwrap();
        let signature = sign(&key, b"");
        for bytes in [0, 63, 65, 72] {
            let mut signature = signature.clone();
            signature.resize(bytes, 0);
            assert!(is_size(verify(algorithm, public, b"", &signature)));
        }
        for bytes in [0, 1, 31, 34, 64, 66] {
            let mut public = public.to_vec();
            public.resize(bytes, 0);
            assert!(is_size(verify(algorithm, &public, b"", &signature)));
        }
    }
}

#[test]
fn an_ed25519_signature_has_one_form() {
    // RFC 8032, 7.1, test 1, and the same with the group's order added to s.
    let public = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let r = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155";
    let s = "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let again = "4c8c7872aa064e049dbb3013fbf29380d25bf5f0595bbe24655141438e7a101b";
    let signed = |s: &str| verify(Ed25519, &public, b"", &unhex(&format!("{r}{s}")));
    assert_eq!(signed(s), Ok(true));
    assert_eq!(signed(again), Ok(false));
}

#[test]
fn bad_ed25519_keys_are_refused_but_those_of_low_order() {
    let signature = [0; 64];
    let with_ends = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    for bad in [
        // No point of the curve.
        with_ends(2, 0, 0),
        // Other encodings: x = -0, y = p, y = p + 1, y = p + 3.
        with_ends(1, 0, 0x80),
        with_ends(0xed, 0xff, 0x7f),
        with_ends(0xee, 0xff, 0x7f),
        with_ends(0xf0, 0xff, 0x7f),
    ] {
        let checked = verify(Ed25519, &bad, b"", &signature);
        assert_eq!(checked, Err(Error::InvalidKey), "{bad:?}");
    }
    // R is the base point and s is 1: that holds for every message if the key is the identity.
    let identity = with_ends(1, 0, 0);
    let mut signature = [0x66; 64];
    signature[0] = 0x58;
    signature[32..].fill(0);
    signature[32] = 1;
    for message in [b"one", b"two"] {
        assert_eq!(verify(Ed25519, &identity, message, &signature), Ok(true));
    }
}

#[test]
fn p256_takes_both_forms_of_s() {
    // RFC 6979, A.2.5, "sample", and the same with the order less s.
    let public = unhex("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    let r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    for s in [
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        "0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9",
    ] {
        let signature = unhex(&format!("{r}{s}"));
        assert_eq!(verify(P256, &public, b"sample", &signature), Ok(true));
    }
}

#[test]
fn secp256k1_takes_and_makes_the_lower_s() {
    let public = unhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let r = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8";
    for (s, is_low) in [
        (
            "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
            true,
        ),
        (
            "dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c",
            false,
        ),
    ] {
        let signature = unhex(&format!("{r}{s}"));
        let holds = verify(Secp256k1, &public, b"Satoshi Nakamoto", &signature);
        assert_eq!(holds, Ok(is_low));
    }
    let half = unhex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
    let key = generate(Secp256k1);
    for message in 0..32 {
        assert!(sign(&key, &[message])[32..] <= *half);
    }
}

#[test]
fn numbers_of_a_signature_are_above_zero_and_below_the_order() {
    for (algorithm, order) in [(P256, P256_ORDER), (Secp256k1, SECP256K1_ORDER)] {
        let key = generate(algorithm);
        let public = key.public().unwrap();
        let signature = sign(&key, b"");
        for bad in [vec![0; 32], unhex(order), vec![0xff; 32]] {
            for at in [0, 32] {
                let mut signature = signature.clone();
                signature[at..at + 32].copy_from_slice(&bad);
                assert_eq!(verify(algorithm, public, b"", &signature), Ok(false));
            }
            let both = bad.repeat(2);
            assert_eq!(verify(algorithm, public, b"", &both), Ok(false));
        }
    }
}

#[test]
fn points_off_the_curve_or_in_another_form_are_refused() {
    let signature = [1; 64];
    // No point has x = 2 on P-256 or x = 5 on secp256k1.
    for (algorithm, off, second_form) in [
        (P256, 2, P256_SECOND_FORM),
        (Secp256k1, 5, SECP256K1_SECOND_FORM),
    ] {
        let key = generate(algorithm);
        let public = key.public().unwrap();
        let compressed = |x: &[u8]| [&[2], x].concat();
        let mut no_point = [0; 32];
        no_point[31] = off;
        let with_tag = |tag: u8, bytes: usize| {
            let mut public = public.to_vec();
            public[0] = tag;
            public.resize(bytes, 1);
            public
        };
        for bad in [
            compressed(&no_point),
            compressed(&unhex(second_form)),
            compressed(&[0xff; 32]),
            with_tag(0, 33),
            with_tag(4, 33),
            with_tag(5, 33),
            // Uncompressed with another y, with a compressed point's tag, and both at once.
            with_tag(4, 65),
            with_tag(2, 65),
            with_tag(6, 65),
            vec![4; 65],
        ] {
            let checked = verify(algorithm, &bad, b"", &signature);
            assert_eq!(checked, Err(Error::InvalidKey), "{algorithm} {bad:02x?}");
        }
        // The point at infinity has one byte.
        assert!(is_size(verify(algorithm, &[0], b"", &signature)));
    }
}

#[test]
fn keys_of_low_order_agree_on_nothing() {
    // RFC 7748, 6.1: a shared secret of zeros. The points of order 1, 2, 4 and 8, in all their encodings.
    let key = generate(X25519);
    for low in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut low = unhex(low);
        for _ in 0..2 {
            let refused = Err(Error::InvalidKey);
            assert_eq!(agree::shared(key.private(), &low).map(drop), refused);
            let random = SystemRandom::new();
            assert_eq!(seal_box(&low, b"", b"", b"", &random).map(drop), refused);
            let sealed = [&*low, &[0; 16]].concat();
            assert_eq!(hpke::open(&key, b"", b"", &sealed).map(drop), refused);
            low[31] ^= 0x80;
        }
    }
    for bytes in [0, 31, 33] {
        assert!(is_size(agree::shared(key.private(), &vec![9; bytes])));
    }
}

#[test]
fn a_text_opens_only_whole_and_with_all_that_it_was_sealed_with() {
    for algorithm in ENCRYPTING {
        let key = generate(algorithm);
        let nonce = [7; 12];
        for plain in [&b""[..], b"text", &[0; 70_000]] {
            let sealed = aead::encrypt(&key, &nonce, b"more", plain).unwrap();
            assert_eq!(sealed.len(), plain.len() + 16);
            let opened = aead::decrypt(&key, &nonce, b"more", &sealed);
            assert_eq!(opened, Ok(plain.to_vec()));
            let tampered = Err(Error::Tampered);
            assert_eq!(aead::decrypt(&key, &[8; 12], b"more", &sealed), tampered);
            assert_eq!(aead::decrypt(&key, &nonce, b"", &sealed), tampered);
            let other = generate(algorithm);
            assert_eq!(aead::decrypt(&other, &nonce, b"more", &sealed), tampered);
            for at in [0, sealed.len() / 2, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[at] ^= 0x80;
                assert_eq!(aead::decrypt(&key, &nonce, b"more", &changed), tampered);
            }
            // A tag that is cut short: the rest is either taken for one, or is too short to be.
            let cut = aead::decrypt(&key, &nonce, b"more", &sealed[..sealed.len() - 1]);
            assert!(if plain.is_empty() {
                is_size(cut)
            } else {
                cut == tampered
            });
        }
        for bytes in [0, 15] {
            assert!(is_size(aead::decrypt(&key, &nonce, b"", &vec![0; bytes])));
        }
        for bytes in [0, 8, 11, 13, 16, 24] {
            assert!(is_size(aead::encrypt(&key, &vec![0; bytes], b"", b"")));
            assert!(is_size(aead::decrypt(&key, &vec![0; bytes], b"", &[0; 16])));
        }
    }
}

#[test]
fn a_box_opens_only_whole_and_for_its_owner() {
    let random = SystemRandom::new();
    let (key, other) = (generate(X25519), generate(X25519));
    for plain in [&b""[..], b"text"] {
        let sealed = seal_box(key.public().unwrap(), b"info", b"more", plain, &random).unwrap();
        assert_eq!(sealed.len(), 32 + plain.len() + 16);
        assert_eq!(
            hpke::open(&key, b"info", b"more", &sealed),
            Ok(plain.to_vec())
        );
        let tampered = Err(Error::Tampered);
        assert_eq!(hpke::open(&other, b"info", b"more", &sealed), tampered);
        assert_eq!(hpke::open(&key, b"", b"more", &sealed), tampered);
        assert_eq!(hpke::open(&key, b"info", b"", &sealed), tampered);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(
                hpke::open(&key, b"info", b"more", &changed),
                tampered,
                "{at}"
            );
        }
        assert!(is_size(hpke::open(&key, b"info", b"more", &sealed[..47])));
    }
    assert!(is_size(seal_box(&[9; 31], b"", b"", b"", &random)));
}

#[test]
fn a_key_does_what_it_is_for_and_nothing_else() {
    let random = SystemRandom::new();
    let mut keys = Keys::new(None);
    for algorithm in Algorithm::ALL {
        let key = keys.generate(algorithm, &random).unwrap();
        let wrong = Error::WrongAlgorithm(algorithm);
        assert_eq!(keys.algorithm_of(key), Ok(algorithm));
        let has = |can: bool, done: Result<(), Error>| {
            let allowed = done.as_ref() != Err(&wrong);
            assert_eq!(can, allowed, "{algorithm}: {done:?}");
        };
        let signs = SIGNING.contains(&algorithm);
        let encrypts = ENCRYPTING.contains(&algorithm);
        let is = |other| algorithm == other;
        has(signs || is(X25519), keys.public_key(key).map(drop));
        has(signs, keys.sign(key, b"", &random).map(drop));
        has(signs, verify(algorithm, b"", b"", b"").map(drop));
        has(encrypts, keys.encrypt(key, &[0; 12], b"", b"").map(drop));
        has(encrypts, keys.decrypt(key, &[0; 12], b"", b"").map(drop));
        has(is(Secret), keys.hmac(key, Hash::Sha256, b"").map(drop));
        let derived = keys.derive(key, Hash::Sha512, b"", b"", Ed25519);
        has(is(Secret), derived.map(drop));
        has(is(X25519), keys.agree(key, &[9; 32]).map(drop));
        has(is(X25519), keys.open_box(key, b"", b"", &[0; 48]).map(drop));
    }
}

#[test]
fn an_agreed_secret_is_one_to_derive_from() {
    let random = SystemRandom::new();
    let mut keys = Keys::new(None);
    let (one, two) = (
        keys.generate(X25519, &random).unwrap(),
        keys.generate(X25519, &random).unwrap(),
    );
    let (ones, twos) = (keys.public_key(one).unwrap(), keys.public_key(two).unwrap());
    let (one, two) = (
        keys.agree(one, &twos).unwrap(),
        keys.agree(two, &ones).unwrap(),
    );
    assert_eq!(keys.algorithm_of(one), Ok(Secret));
    let mut derive = |key, info| {
        let key = keys.derive(key, Hash::Sha384, b"salt", info, Aes256Gcm);
        keys.encrypt(key.unwrap(), &[0; 12], b"", b"text").unwrap()
    };
    assert_eq!(derive(one, b"a"), derive(two, b"a"));
    assert_ne!(derive(one, b"a"), derive(two, b"b"));
}

#[test]
fn a_number_stands_for_one_key_until_it_is_closed() {
    let random = SystemRandom::new();
    let mut keys = Keys::new(None);
    let first = keys.generate(Secret, &random).unwrap();
    keys.close(first);
    keys.close(first);
    keys.close(99);
    assert_eq!(keys.algorithm_of(first), Err(Error::NoKey));
    assert_eq!(keys.sign(first, b"", &random), Err(Error::NoKey));
    assert_eq!(keys.keep(first, "name"), Err(Error::NoKey));
    let second = keys.generate(X25519, &random).unwrap();
    assert_ne!(first, second);
    for _ in 1..OPEN_MAX {
        keys.generate(Secret, &random).unwrap();
    }
    let full = |made| matches!(made, Err(Error::Budget(_)));
    assert!(full(keys.generate(Secret, &random)));
    assert!(full(keys.import(Secret, vec![1])));
    assert!(full(keys.agree(second, &[9; 32])));
    keys.close(second);
    assert!(keys.generate(Secret, &random).is_ok());
}

#[test]
fn nothing_shows_a_secret() {
    let mut keys = Keys::new(None);
    for algorithm in Algorithm::ALL {
        let private = vec![0xab; algorithm.private_bytes()];
        keys.import(algorithm, private).unwrap();
    }
    let shown = format!("{keys:?} {keys:#?}");
    assert!(shown.contains("Chacha20Poly1305"), "{shown}");
    assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics(
        public in prop::collection::vec(any::<u8>(), 0..70),
        tag in 0..8u8,
        text: Vec<u8>,
        signature in prop::collection::vec(any::<u8>(), 63..66),
    ) {
        for algorithm in SIGNING {
            for bytes in [public.len(), 32, 33, 65] {
                let mut public = public.clone();
                public.resize(bytes, 0);
                if let (33 | 65, Some(first)) = (bytes, public.first_mut()) {
                    *first = tag;
                }
                prop_assert_ne!(verify(algorithm, &public, &text, &signature), Ok(true));
            }
        }
        let key = key(X25519, &"11".repeat(32));
        prop_assert!(hpke::open(&key, &text, &text, &public).is_err());
        let _ = agree::shared(key.private(), &public);
    }
}
