use super::*;
use crate::key::SigningKey;
use crate::testing::unhex;
use proptest::prelude::*;

fn spell_as(algorithm: Algorithm, key: &[u8]) -> String {
    let bytes = [&multicodec(algorithm)[..], key].concat();
    format!("{PREFIX}{}", bs58::encode(bytes).into_string())
}

fn spell(key: &[u8]) -> String {
    spell_as(Algorithm::Ed25519, key)
}

fn key_of(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_secret(algorithm, &[7; 32]).expect("a key")
}

#[test]
fn prints_and_reads_the_published_examples() {
    // From the did:key specification.
    for (text, algorithm) in [
        (
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            Algorithm::Ed25519,
        ),
        (
            "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
            Algorithm::P256,
        ),
        (
            "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
            Algorithm::Secp256k1,
        ),
    ] {
        let did: Did = text.parse().expect("a DID");
        assert_eq!(did.to_string(), text);
        assert_eq!(did.algorithm(), algorithm);
        assert_eq!(Did::from_pem(&did.to_pem()), Ok(did));
    }
}

#[test]
fn weak_keys_are_refused() {
    // The points of low order, in every form that decompresses.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(spell(&identity).parse::<Did>(), Err(DidError::WeakKey));
    assert_eq!(spell(&[0; 32]).parse::<Did>(), Err(DidError::WeakKey));
    let order_8 = unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    assert_eq!(spell(&order_8).parse::<Did>(), Err(DidError::WeakKey));
    let key = ed25519_dalek::VerifyingKey::from_bytes(&identity).expect("a point");
    let pem = key.to_public_key_pem(LineEnding::LF).expect("PEM");
    assert_eq!(Did::from_pem(&pem), Err(DidError::WeakKey));
}

#[test]
fn a_second_form_of_a_key_is_refused() {
    // y = p + 3: the same point as y = 3, which is on the curve and not of low order.
    let mut three = [0; 32];
    three[0] = 3;
    assert!(Did::from_ed25519(&three).is_ok());
    let mut again = [0xff; 32];
    again[0] = 0xf0;
    again[31] = 0x7f;
    assert_eq!(Did::from_ed25519(&again), Err(DidError::NotCanonical));

    // A point that is not compressed, and one without a sign.
    for algorithm in [Algorithm::P256, Algorithm::Secp256k1] {
        let did = key_of(algorithm).did();
        let long = match did.key {
            Key::P256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Key::Secp256k1(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Key::Ed25519(_) => panic!("another type"),
        };
        assert_eq!(long.len(), 65);
        let mut unsigned = did.as_bytes().to_vec();
        unsigned[0] = 5;
        for bytes in [&long, &unsigned, &long[..33].to_vec(), &vec![0]] {
            assert_eq!(
                spell_as(algorithm, bytes).parse::<Did>(),
                Err(DidError::NotCanonical)
            );
        }
        let mut off = [0xff; 33];
        off[0] = 2;
        assert_eq!(Did::from_key(algorithm, &off), Err(DidError::NotAKey));
    }
}

#[test]
fn other_texts_are_refused() {
    let did = SigningKey::from_seed(&[1; 32]).did().to_string();
    for (text, error) in [
        (String::new(), DidError::Method),
        ("did:web:example.com".into(), DidError::Method),
        (did.to_uppercase(), DidError::Method),
        (format!("{did}#{did}"), DidError::NotBase58),
        (format!("{did} "), DidError::NotBase58),
        (spell(&[3; 31]), DidError::NotAKey),
        (
            // P-384, from the did:key specification.
            "did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9"
                .into(),
            DidError::KeyType,
        ),
        ("z".repeat(1_000_000), DidError::TooLong),
    ] {
        assert_eq!(text.parse::<Did>(), Err(error), "{text:.80}");
    }
}

#[test]
fn one_key_under_two_types_is_two() {
    // The same bytes are a point of both curves for about every fourth x.
    let both = (0..=u8::MAX).find_map(|x| {
        let mut point = [0; 33];
        (point[0], point[32]) = (2, x);
        let one = Did::from_key(Algorithm::P256, &point).ok()?;
        Some((one, Did::from_key(Algorithm::Secp256k1, &point).ok()?))
    });
    let (one, other) = both.expect("there are some");
    assert_eq!(one.as_bytes(), other.as_bytes());
    assert_ne!(one, other);
    assert_ne!(one.to_string(), other.to_string());
}

#[test]
fn a_flipped_signature() {
    let message = b"message";
    for (algorithm, counts) in [(Algorithm::P256, true), (Algorithm::Secp256k1, false)] {
        let key = key_of(algorithm);
        let signature = key.sign(message);
        let other = match algorithm {
            Algorithm::P256 => flipped(&signature).expect("a signature"),
            _ => {
                let read = k256::ecdsa::Signature::from_slice(&signature).expect("a signature");
                let other = k256::ecdsa::Signature::from_scalars(read.r(), -read.s());
                other.expect("in range").to_bytes().into()
            }
        };
        assert_ne!(signature, other);
        assert!(key.did().has_signed(message, &signature));
        assert_eq!(key.did().has_signed(message, &other), counts);
    }
    let signature = key_of(Algorithm::P256).sign(message);
    let other = flipped(&signature).expect("a signature");
    assert_eq!(flipped(&other), Some(signature));
    assert_eq!(flipped(&[0; 64]), None);
    assert_eq!(flipped(&signature[..63]), None);
}

#[test]
fn an_ed25519_signature_with_a_larger_s_is_refused() {
    // s + L, L being the order of the group.
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = key_of(Algorithm::Ed25519);
    let mut signature = key.sign(b"message");
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert!(!key.did().has_signed(b"message", &signature));
}

proptest! {
    #[test]
    fn each_key_reads_back(secret: [u8; 32]) {
        for algorithm in Algorithm::ALL {
            let Some(key) = SigningKey::from_secret(algorithm, &secret) else { continue };
            let did = key.did();
            prop_assert_eq!(did.to_string().parse(), Ok(did));
            prop_assert_eq!(Did::from_key(algorithm, did.as_bytes()), Ok(did));
            prop_assert_eq!(Did::from_pem(&did.to_pem()), Ok(did));
        }
    }

    #[test]
    fn a_changed_signature_or_message_does_not_count(
        message in proptest::collection::vec(any::<u8>(), 1..40),
        at in any::<prop::sample::Index>(), bit in 0..8u8, in_message: bool,
    ) {
        for algorithm in Algorithm::ALL {
            let key = key_of(algorithm);
            let mut signature = key.sign(&message);
            let mut changed = message.clone();
            if in_message {
                changed[at.index(message.len())] ^= 1 << bit;
            } else {
                signature[at.index(64)] ^= 1 << bit;
            }
            prop_assert!(!key.did().has_signed(&changed, &signature));
        }
    }

    #[test]
    fn no_text_panics(text: String, tail in "[1-9A-Za-z]{0,60}") {
        let _ = text.parse::<Did>();
        let _ = Did::from_pem(&text);
        let _ = format!("{PREFIX}{tail}").parse::<Did>();
    }
}
