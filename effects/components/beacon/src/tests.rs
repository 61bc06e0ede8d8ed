use super::*;
use crate::check::unhex;
use sha2::{Digest, Sha256};

const HASH: &str = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";

/// A round that a network published, of each scheme.
struct Published {
    scheme: &'static str,
    public_key: &'static str,
    number: u64,
    previous: &'static str,
    signature: &'static str,
}

/// The first network of the League of Entropy, its test network, fastnet and quicknet.
const PUBLISHED: [Published; 4] = [
    Published {
        scheme: "pedersen-bls-chained",
        public_key: "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a5699\
                     37c529eeda66c7293784a9402801af31",
        number: 72785,
        previous: "a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8\
                   a609685d9917efbfb0c37f058c2de88f13d297c7e19e0ab24813079efe57a182\
                   554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747",
        signature: "82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959\
                    eb9cfa368b3c1b77d18f02a54fe047b80f0989315f83b12a74fd8679c4f12aae\
                    86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42",
    },
    Published {
        scheme: "pedersen-bls-unchained",
        public_key: "8200fc249deb0148eb918d6e213980c5d01acd7fc251900d9260136da3b54836\
                     ce125172399ddc69c4e3e11429b62c11",
        number: 223_344,
        previous: "",
        signature: "94f6b85df7cce7237e8e7df66d794ddad092de5d8bb6a791b97e905aa89852e5\
                    06ac36a792eba7021e22eebf34891f8914bf9a8dd9233ea0a4c5ca00ef8404999\
                    f899073dd2eade61fe54077fee8168f83dcb61a758b6883b38904054e64a433",
    },
    Published {
        scheme: "bls-unchained-on-g1",
        public_key: "a0b862a7527fee3a731bcb59280ab6abd62d5c0b6ea03dc4ddf6612fdfc9d01f\
                     01c31542541771903475eb1ec6615f8d0df0b8b6dce385811d6dcf8cbefb8759\
                     e5e616a3dfd054c928940766d9a5b9db91e3b697e5d70a975181e007f87fca5e",
        number: 23456,
        previous: "",
        signature: "98401ef9833e75bf06fda3243e4fcf6d075d62b45c2a59d26df5d5fcbdfd0c14\
                    ee89fc035abd5528a8c25b68fbecae65",
    },
    Published {
        scheme: "bls-unchained-g1-rfc9380",
        public_key: "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
                     8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
                     5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
        number: 123,
        previous: "",
        signature: "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482\
                    e26cd02df835d3546d23c4b13e0dfc92",
    },
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Published {
    fn chain(&self) -> Chain {
        Chain {
            url: "https://drand.example/".into(),
            hash: HASH.into(),
            public_key: self.public_key.into(),
            scheme: self.scheme.into(),
        }
    }

    fn round(&self) -> Round {
        let signature = unhex(self.signature).unwrap();
        Round {
            number: self.number,
            randomness: Sha256::digest(&signature).to_vec(),
            signature,
            previous: unhex(self.previous).unwrap(),
        }
    }

    /// The round as a server answers it. Servers give a signature before it in every scheme.
    fn json(&self) -> String {
        let randomness = hex(&self.round().randomness);
        let (number, signature) = (self.number, self.signature);
        let previous = if self.previous.is_empty() {
            "00ff"
        } else {
            self.previous
        };
        format!(
            r#"{{"round":{number},"randomness":"{randomness}","signature":"{signature}",
            "previous_signature":"{previous}","more":null}}"#
        )
    }
}

fn answered(status: u16, body: &str) -> Result<Response, HttpsError> {
    Ok(Response {
        status,
        headers: Vec::new(),
        body: body.into(),
        url: String::new(),
    })
}

/// What comes of asking for `number` when the server answers so.
fn fetched(published: &Published, number: Option<u64>, json: &str) -> Result<Round, Error> {
    fetch(&published.chain(), number, |_| answered(200, json))
}

#[test]
fn published_rounds_hold_in_every_scheme() {
    for published in &PUBLISHED {
        let (number, json) = (published.number, published.json());
        let get = |url: String| {
            assert_eq!(url, format!("https://drand.example/{HASH}/public/{number}"));
            answered(200, &json)
        };
        let round = fetch(&published.chain(), Some(number), get).unwrap();
        assert_eq!(round.number, number);
        assert_eq!(round.signature, published.round().signature);
        assert_eq!(round.previous, published.round().previous);
        let get = |url: String| {
            assert_eq!(url, format!("https://drand.example/{HASH}/public/latest"));
            answered(200, &json)
        };
        assert_eq!(fetch(&published.chain(), None, get).unwrap().number, number);
    }
}

#[test]
fn changed_rounds_are_forged_in_every_scheme() {
    type Change = fn(&mut Round);
    let changes: [Change; 5] = [
        |round| round.number += 1,
        |round| round.randomness[31] ^= 1,
        |round| round.signature[20] ^= 1,
        |round| round.signature.truncate(47),
        |round| round.randomness.clear(),
    ];
    for published in &PUBLISHED {
        let chain = || check::Chain::new(&published.chain()).unwrap();
        assert!(chain().verify(&published.round()).is_ok());
        for change in changes {
            let mut round = published.round();
            change(&mut round);
            assert!(matches!(chain().verify(&round), Err(Error::Forged)));
        }
        let mut round = published.round();
        round.previous.push(0);
        let error = chain().verify(&round).unwrap_err();
        let malformed = published.previous.is_empty();
        assert_eq!(matches!(error, Error::Malformed(_)), malformed, "{error:?}");
    }
}

#[test]
fn a_key_fits_one_scheme() {
    let [.., fastnet, quicknet] = &PUBLISHED;
    let mut chain = quicknet.chain();
    chain.scheme = fastnet.scheme.into();
    let round = check::Chain::new(&chain).unwrap().verify(&quicknet.round());
    assert!(matches!(round, Err(Error::Forged)));
}

#[test]
fn what_is_no_chain_is_said() {
    type Change = fn(&mut Chain);
    let changes: [(&str, Change); 7] = [
        ("64 hexadecimal", |chain| chain.hash.clear()),
        ("64 hexadecimal", |chain| chain.hash = "../".into()),
        ("not hexadecimal", |chain| chain.public_key.push('g')),
        ("has 48 bytes, and 96", |chain| {
            chain.public_key.truncate(96)
        }),
        ("no point", |chain| chain.public_key = "83".repeat(96)),
        ("infinity", |chain| {
            chain.public_key = format!("c0{}", "00".repeat(95));
        }),
        ("`bls`", |chain| chain.scheme = "bls".into()),
    ];
    for (why, change) in changes {
        let mut chain = Effect::quicknet();
        change(&mut chain);
        let asked = |_| panic!("nothing is fetched");
        let error = fetch(&chain, None, asked).unwrap_err();
        assert!(
            matches!(&error, Error::Chain(text) if text.contains(why)),
            "{error:?}"
        );
    }
}

#[test]
fn answers_that_are_none_are_said() {
    let published = &PUBLISHED[3];
    let number = Some(published.number);
    for json in [
        "",
        "[]",
        "{}",
        r#"{"round":-1,"randomness":"","signature":""}"#,
        r#"{"round":123,"randomness":"0","signature":""}"#,
        r#"{"round":123,"randomness":"","signature":"xx"}"#,
    ] {
        let error = fetched(published, number, json).unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{json}: {error:?}");
    }
    let other = fetched(published, Some(124), &published.json()).unwrap_err();
    assert!(matches!(&other, Error::Malformed(text) if text.contains("about round 123, not 124")));
    let zeroth = fetched(published, Some(0), &published.json()).unwrap_err();
    assert!(matches!(zeroth, Error::Malformed(_)));

    let chain = published.chain();
    let missing = fetch(&chain, number, |_| answered(404, "no")).unwrap_err();
    assert!(matches!(missing, Error::Status(404)));
    let failed = fetch(&chain, number, |_| Err(HttpsError::Timeout)).unwrap_err();
    assert!(matches!(failed, Error::Https(HttpsError::Timeout)));
}

#[test]
fn quicknet_is_a_chain() {
    let quicknet = Effect::quicknet();
    assert_eq!(quicknet.public_key, PUBLISHED[3].public_key);
    assert!(check::Chain::new(&quicknet).is_ok());
}
