//! Published vectors, each with where it stands.

use super::*;
use ring::rand::SystemRandom;

pub(super) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

pub(super) fn key(algorithm: Algorithm, hex: &str) -> Key {
    Key::new(algorithm, Zeroizing::new(unhex(hex))).expect("a key")
}

fn sign(key: &Key, message: &[u8]) -> Vec<u8> {
    curve::sign(key, message, &SystemRandom::new()).expect("a signature")
}

/// RFC 8032, 7.1: seed, public key, message, signature.
const ED25519: [[&str; 4]; 4] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
    [
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
         09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ],
];

#[test]
fn ed25519_is_that_of_rfc_8032() {
    for [seed, public, message, signature] in ED25519 {
        let key = key(Algorithm::Ed25519, seed);
        let (message, signature) = (unhex(message), unhex(signature));
        assert_eq!(key.public(), Ok(&*unhex(public)));
        assert_eq!(sign(&key, &message), signature);
        let holds = verify(Algorithm::Ed25519, &unhex(public), &message, &signature);
        assert_eq!(holds, Ok(true));
    }
}

#[test]
fn p256_verifies_the_signatures_of_rfc_6979() {
    // A.2.5, with SHA-256.
    let private = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    let x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    let y = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    let key = key(Algorithm::P256, private);
    let public = key.public().unwrap();
    assert_eq!(public, unhex(&format!("03{x}")));
    for (message, signature) in [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ] {
        let message = message.as_bytes();
        for public in [public, &unhex(&format!("04{x}{y}"))] {
            let holds = verify(Algorithm::P256, public, message, &unhex(signature));
            assert_eq!(holds, Ok(true));
            let holds = verify(Algorithm::P256, public, message, &sign(&key, message));
            assert_eq!(holds, Ok(true));
        }
    }
}

#[test]
fn secp256k1_signs_as_bitcoin_does() {
    // The vectors for RFC 6979 and SHA-256 on this curve that libraries for Bitcoin share.
    const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";
    for (private, message, signature) in [
        (
            ONE,
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
             2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            ONE,
            "All those moments will be lost in time, like tears in rain. Time to die...",
            "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b\
             547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
        (
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
            "Satoshi Nakamoto",
            "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0\
             6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
        ),
        (
            "f8b8af8ce3c7cca5e300d33939540c10d45ce001b8f252bfbc57ba0342904181",
            "Alan Turing",
            "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c\
             58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea",
        ),
    ] {
        let key = key(Algorithm::Secp256k1, private);
        let (message, signature) = (message.as_bytes(), unhex(signature));
        assert_eq!(sign(&key, message), signature);
        let public = key.public().unwrap();
        let holds = verify(Algorithm::Secp256k1, public, message, &signature);
        assert_eq!(holds, Ok(true));
    }
    // SEC 2: the base point.
    let public = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let key = key(Algorithm::Secp256k1, ONE);
    assert_eq!(key.public(), Ok(&*unhex(public)));
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    // Test cases 1, 2 and 6.
    for (secret, message, [sha256, sha384, sha512]) in [
        (
            "0b".repeat(20),
            "Hi There",
            [
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c\
                 faea9ea9076ede7f4af152e8b2fa9cb6",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                 daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ],
        ),
        (
            "4a656665".into(),
            "what do ya want for nothing?",
            [
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e\
                 8e2240ca5e69e2c78b3239ecfab21649",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ],
        ),
        (
            "aa".repeat(131),
            "Test Using Larger Than Block-Size Key - Hash Key First",
            [
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6\
                 0c2ef6ab4030fe8296248df163f44952",
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
                 6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
            ],
        ),
    ] {
        let mut keys = Keys::new(None);
        let key = keys.import(Algorithm::Secret, unhex(&secret)).unwrap();
        for (hash, tag) in [
            (Hash::Sha256, sha256),
            (Hash::Sha384, sha384),
            (Hash::Sha512, sha512),
        ] {
            assert_eq!(keys.hmac(key, hash, message.as_bytes()), Ok(unhex(tag)));
        }
    }
}

#[test]
fn hkdf_is_that_of_rfc_5869() {
    // Appendix A.1 to A.3: the first bytes of what they derive.
    let range = |from: u8, to: u8| (from..=to).collect::<Vec<_>>();
    for (secret, salt, info, derived) in [
        (
            vec![0x0b; 22],
            range(0, 0x0c),
            range(0xf0, 0xf9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (
            range(0, 0x4f),
            range(0x60, 0xaf),
            range(0xb0, 0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        ),
    ] {
        let secret = Key::new(Algorithm::Secret, Zeroizing::new(secret)).unwrap();
        for algorithm in Algorithm::ALL {
            let key = secret
                .derive(Hash::Sha256, &salt, &info, algorithm)
                .unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.private(), &unhex(derived)[..algorithm.private_bytes()]);
        }
    }
}

#[test]
fn x25519_is_that_of_rfc_7748() {
    for [private, public, shared] in [
        // 5.2.
        [
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ],
        // The same, with the highest bit set, which is to be ignored.
        [
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ],
        // 6.1, from both sides.
        [
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ],
        [
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ],
    ] {
        let found = agree::shared(&unhex(private), &unhex(public)).unwrap();
        assert_eq!(*found, unhex(shared));
    }
    let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    let alice = key(Algorithm::X25519, alice);
    assert_eq!(alice.public(), Ok(&*unhex(public)));
}

/// Algorithm, key, nonce, additional data, plaintext, ciphertext and tag.
type Sealed<'a> = (Algorithm, &'a str, &'a str, &'a str, &'a str, &'a str);

fn encrypts_to((algorithm, private, nonce, additional, plain, sealed): Sealed<'_>) {
    let key = key(algorithm, private);
    let (nonce, additional) = (unhex(nonce), unhex(additional));
    let (plain, sealed) = (unhex(plain), unhex(sealed));
    let encrypted = aead::encrypt(&key, &nonce, &additional, &plain);
    assert_eq!(encrypted.as_ref(), Ok(&sealed));
    let decrypted = aead::decrypt(&key, &nonce, &additional, &sealed);
    assert_eq!(decrypted, Ok(plain));
}

#[test]
fn aes_gcm_is_that_of_its_specification() {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: test cases 1, 2, 4, 13, 14 and 16.
    let (zero, twelve) = (&"00".repeat(16), &"00".repeat(12));
    let key = "feffe9928665731c6d6a8f9467308308";
    let nonce = "cafebabefacedbaddecaf888";
    let additional = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    for case in [
        ("", zero.as_str(), "", "58e2fccefa7e3061367f1d57a4e7455a"),
        (
            zero,
            zero,
            "",
            "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
        ),
    ] {
        let (plain, key, additional, sealed) = case;
        encrypts_to((Algorithm::Aes128Gcm, key, twelve, additional, plain, sealed));
    }
    encrypts_to((
        Algorithm::Aes128Gcm,
        key,
        nonce,
        additional,
        plain,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
         21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\
         5bc94fbc3221a5db94fae95ae7121a47",
    ));
    let (key, zeros) = (&key.repeat(2), &zero.repeat(2));
    let sealed = "530f8afbc74536b9a963b4f1c4cb738b";
    encrypts_to((Algorithm::Aes256Gcm, zeros, twelve, "", "", sealed));
    let sealed = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919";
    encrypts_to((Algorithm::Aes256Gcm, zeros, twelve, "", zero, sealed));
    encrypts_to((
        Algorithm::Aes256Gcm,
        key,
        nonce,
        additional,
        plain,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
         8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
         76fc6ece0f4e1768cddf8853bb2d551b",
    ));
}

#[test]
fn chacha20_poly1305_is_that_of_rfc_8439() {
    // 2.8.2.
    encrypts_to((
        Algorithm::Chacha20Poly1305,
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        "4c616469657320616e642047656e746c656d656e206f662074686520636c6173\
         73206f66202739393a204966204920636f756c64206f6666657220796f75206f\
         6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73\
         637265656e20776f756c642062652069742e",
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6\
         3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36\
         92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
         3ff4def08e4b7a9de576d26586cec64b6116\
         1ae10b594f09e26a7e902ecbd0600691",
    ));
}

#[test]
fn a_box_is_that_of_rfc_9180() {
    // A.2.1: base mode, sequence number 0.
    let ephemeral = "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600";
    let private = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
    let public = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
    let info = b"Ode on a Grecian Urn";
    let plain = b"Beauty is truth, truth beauty";
    let sealed = unhex(
        "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a\
         1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
         21993c62ce81883d2dd1b51a28",
    );
    let ephemeral = key(Algorithm::X25519, ephemeral);
    let found = hpke::seal_with(&ephemeral, &unhex(public), info, b"Count-0", plain);
    assert_eq!(found.as_ref(), Ok(&sealed));
    let key = key(Algorithm::X25519, private);
    assert_eq!(key.public(), Ok(&*unhex(public)));
    let opened = hpke::open(&key, info, b"Count-0", &sealed);
    assert_eq!(opened, Ok(plain.to_vec()));
}
