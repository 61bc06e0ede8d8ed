//! Rounds of drand, fetched from nginx by the effects `beacon` and `https`, and checked.

use std::fs;
use std::path::Path;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::Outcome;
use homestar_engine::Component;

use crate::net_real::{Program, nginx};
use crate::replay::{effect, run_twice};
use crate::*;

/// A network of the League of Entropy, and a round that it published.
struct Network {
    hash: &'static str,
    public_key: &'static str,
    scheme: &'static str,
    round: u64,
}

const NETWORKS: [Network; 4] = [
    Network {
        hash: "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
        public_key: "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a5699\
                     37c529eeda66c7293784a9402801af31",
        scheme: "pedersen-bls-chained",
        round: 72_785,
    },
    Network {
        hash: "7672797f548f3f4748ac4bf3352fc6c6b6468c9ad40ad456a397545c6e2df5bf",
        public_key: "8200fc249deb0148eb918d6e213980c5d01acd7fc251900d9260136da3b54836\
                     ce125172399ddc69c4e3e11429b62c11",
        scheme: "pedersen-bls-unchained",
        round: 223_344,
    },
    Network {
        hash: "dbd506d6ef76e5f386f41c651dcb808c5bcbd75471cc4eafa3f4df7ad4e4c493",
        public_key: "a0b862a7527fee3a731bcb59280ab6abd62d5c0b6ea03dc4ddf6612fdfc9d01f\
                     01c31542541771903475eb1ec6615f8d0df0b8b6dce385811d6dcf8cbefb8759\
                     e5e616a3dfd054c928940766d9a5b9db91e3b697e5d70a975181e007f87fca5e",
        scheme: "bls-unchained-on-g1",
        round: 23_456,
    },
    Network {
        hash: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
        public_key: "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c\
                     8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb\
                     5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
        scheme: "bls-unchained-g1-rfc9380",
        round: 123,
    },
];

impl Network {
    /// What a server of this network answers at `/HASH/public/ROUND`.
    fn published(&self) -> String {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/drand");
        let path = format!("{}/public/{}", self.hash, self.round);
        fs::read_to_string(vectors.join(path)).expect("a vector")
    }

    /// The chain as an argument, with a server of its own.
    fn chain(&self, url: &str) -> Ipld {
        let fields = [
            ("url", url),
            ("hash", self.hash),
            ("public-key", self.public_key),
            ("scheme", self.scheme),
        ];
        Ipld::Map(
            fields
                .map(|(name, value)| (name.to_owned(), text(value)))
                .into(),
        )
    }
}

/// A server of rounds.
struct Server {
    nginx: Program,
    beacon: Component,
}

impl Server {
    fn new() -> Option<Self> {
        let nginx = nginx("")?;
        let beacon = effect("beacon");
        Some(Self { nginx, beacon })
    }

    /// Has the server answer `content` at a path.
    fn put(&self, path: &str, content: &str) {
        let path = self.nginx.folder.path().join("www").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.nginx.port)
    }

    /// Asks for a round with the server's pages of that network granted, and again from what was heard.
    fn ask(&self, network: &Network, function: &str, args: Vec<Ipld>) -> Result<Ipld, String> {
        let (port, hash) = (self.nginx.port, network.hash);
        let grant = format!("https=GET localhost:{port}/{hash}/public/*");
        match run_twice(&self.beacon, function, args, &[&grant]).outcome {
            Outcome::Ok(round) => Ok(round),
            Outcome::Error(failure) => Err(failure.message),
        }
    }

    fn get(&self, network: &Network, round: u64) -> Result<Ipld, String> {
        let args = vec![network.chain(&self.url()), int(round)];
        self.ask(network, "get", args)
    }
}

#[test]
fn rounds_are_fetched_and_hold() {
    let Some(server) = Server::new() else { return };
    for network in &NETWORKS {
        let (hash, number) = (network.hash, network.round);
        for page in [number.to_string(), "latest".to_owned()] {
            server.put(&format!("{hash}/public/{page}"), &network.published());
        }
        let round = server.get(network, number).expect(network.scheme);
        let latest = vec![network.chain(&server.url())];
        assert_eq!(server.ask(network, "latest", latest).as_ref(), Ok(&round));

        let Ipld::Map(fields) = round else {
            panic!("not a record")
        };
        assert_eq!(fields["number"], int(number));
        let Ipld::Bytes(randomness) = &fields["randomness"] else {
            panic!("not bytes")
        };
        let hex: String = randomness
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(network.published().contains(&hex));
    }
}

#[test]
fn a_tampered_round_is_refused() {
    let Some(server) = Server::new() else { return };
    for network in &NETWORKS {
        let (hash, number) = (network.hash, network.round);
        let page = format!("{hash}/public/{number}");
        let published = network.published();
        let of = |name: &str| {
            let start = published.find(name).expect("a field") + name.len() + 3;
            start..start + 8
        };
        // A signature of another point, a value that isn't its hash, and both of another round.
        for field in [of("\"signature"), of("randomness")] {
            let mut tampered = published.clone();
            let digits = published[field.clone()].chars().rev().collect::<String>();
            tampered.replace_range(field, &digits);
            assert_ne!(tampered, published);
            server.put(&page, &tampered);
            let refused = server.get(network, number).expect_err(network.scheme);
            assert!(refused.contains("forged"), "{}: {refused}", network.scheme);
        }
        let other = published.replace(
            &format!("\"round\":{number}"),
            &format!("\"round\":{}", number + 1),
        );
        server.put(&page, &other);
        let refused = server.get(network, number).expect_err(network.scheme);
        assert!(refused.contains("about round"), "{refused}");
        server.put(&format!("{hash}/public/{}", number + 1), &other);
        let refused = server.get(network, number + 1).expect_err(network.scheme);
        assert!(refused.contains("forged"), "{refused}");
    }
}

#[test]
fn what_was_not_granted_is_not_fetched() {
    let Some(server) = Server::new() else { return };
    let [granted, .., other] = &NETWORKS;
    server.put(
        &format!("{}/public/{}", other.hash, other.round),
        &other.published(),
    );
    let args = vec![other.chain(&server.url()), int(other.round)];
    let refused = server.ask(granted, "get", args).expect_err("not granted");
    assert!(
        refused.contains("denied") && refused.contains(other.hash),
        "{refused}"
    );
    // A round that the server doesn't have.
    let missing = server.get(other, other.round + 1).expect_err("no page");
    assert!(missing.contains("404"), "{missing}");
}
