use homestar_core::ipld::Block;
use homestar_core::key::SigningKey;
use homestar_core::ucan::container::Encoding;
use homestar_core::ucan::{Delegation, Policy, delegation, invocation};
use homestar_store::Memory;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000;
const READ: &str = "/homestar/node/read";
const WANTED: Wanted<'static> = Wanted {
    command: READ,
    method: "GET",
    target: "/v1/node",
    changes: false,
};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn node() -> SigningKey {
    key(1)
}

struct Case {
    store: Arc<Memory>,
    gate: Gate,
}

fn case() -> Case {
    let store = Arc::new(Memory::new());
    let gate = Gate::new(node().did(), store.clone());
    Case { store, gate }
}

impl Case {
    fn open(&self, token: &str, wanted: &Wanted<'_>, now: i64) -> Result<Leave, Fault> {
        self.gate.open(token, wanted, now, Instant::now())
    }
}

fn arguments(method: &str, path: &str) -> BTreeMap<String, Ipld> {
    let text = |text: &str| Ipld::String(text.to_owned());
    [
        ("method".to_owned(), text(method)),
        ("path".to_owned(), text(path)),
    ]
    .into()
}

fn payload(by: &SigningKey) -> invocation::Payload {
    invocation::Payload {
        subject: node().did(),
        nonce: b"once".to_vec(),
        expiration: Some(NOW + 60),
        ..invocation::Payload::statement(
            by.did(),
            READ.parse().unwrap(),
            arguments("GET", "/v1/node"),
        )
    }
}

fn text(blocks: impl IntoIterator<Item = Block>) -> String {
    let container = Container::new(blocks).unwrap();
    String::from_utf8(container.encode(Encoding::Base64Url)).unwrap()
}

fn token(payload: invocation::Payload, by: &SigningKey) -> String {
    text([Invocation::sign(payload, by).unwrap().into_block()])
}

fn delegation(to: &SigningKey, command: &str, policy: &str) -> Delegation {
    let payload = delegation::Payload {
        issuer: node().did(),
        audience: to.did(),
        subject: Some(node().did()),
        command: command.parse().unwrap(),
        policy: Policy::parse(policy).unwrap(),
        nonce: b"given".to_vec(),
        meta: None,
        not_before: None,
        expiration: Some(NOW + 3_600),
    };
    Delegation::sign(payload, &node()).unwrap()
}

fn why(opened: Result<Leave, Fault>) -> String {
    let fault = opened.unwrap_err();
    assert_eq!(fault.kind, super::super::FaultKind::Denied);
    fault.message
}

#[test]
fn the_owner_needs_no_delegation_and_a_token_is_good_once() {
    let it = case();
    let token = token(payload(&node()), &node());
    let leave = it.open(&token, &WANTED, NOW).unwrap();
    assert_eq!(leave.by, node().did());
    assert_eq!(leave.body, cid_of_raw(b""));
    let again = it.open(&token, &WANTED, NOW + 1);
    assert!(why(again).starts_with("Replay: "));
}

#[test]
fn it_is_for_that_request_and_no_other() {
    let it = case();
    let token = token(payload(&node()), &node());
    let others = [
        Wanted {
            method: "POST",
            ..WANTED
        },
        Wanted {
            target: "/v1/peers",
            ..WANTED
        },
        Wanted {
            target: "/v1/node?more",
            ..WANTED
        },
        Wanted {
            command: "/homestar/node/admin",
            ..WANTED
        },
    ];
    for other in others {
        why(it.open(&token, &other, NOW));
    }
    // None of these used it up.
    assert!(it.open(&token, &WANTED, NOW).is_ok());
}

#[test]
fn strangers_need_a_delegation_that_holds() {
    let friend = key(2);
    let it = case();
    let alone = token(payload(&friend), &friend);
    assert!(why(it.open(&alone, &WANTED, NOW)).starts_with("InvalidClaim: "));
    for (command, policy, rule) in [
        (READ, "and()", None),
        ("/homestar/node", r#".method == "GET""#, None),
        (READ, r#".path like "/v1/peers*""#, Some("MatchError: ")),
        ("/homestar/node/run", "and()", Some("CommandNotCovered: ")),
    ] {
        let it = case();
        let given = delegation(&friend, command, policy);
        let asking = invocation::Payload {
            proofs: vec![*given.cid()],
            ..payload(&friend)
        };
        let asking = Invocation::sign(asking, &friend).unwrap();
        let token = text([asking.into_block(), given.into_block()]);
        let opened = it.open(&token, &WANTED, NOW);
        match rule {
            None => assert_eq!(opened.unwrap().by, friend.did()),
            Some(rule) => assert!(why(opened).starts_with(rule)),
        }
    }
}

#[test]
fn what_the_node_keeps_need_not_be_sent_and_what_was_revoked_counts() {
    let friend = key(2);
    let it = case();
    let given = delegation(&friend, READ, "and()");
    let tokens = Tokens::new(&*it.store);
    let kept = Container::new([given.block().clone()]).unwrap();
    tokens.keep(&kept, NOW).unwrap();
    let asking = |nonce: &[u8]| invocation::Payload {
        proofs: vec![*given.cid()],
        nonce: nonce.to_vec(),
        ..payload(&friend)
    };
    let one = token(asking(b"one"), &friend);
    assert!(it.open(&one, &WANTED, NOW).is_ok());
    let link = Ipld::Link(*given.cid());
    let revoking = invocation::Payload::statement(
        node().did(),
        "/ucan/revoke".parse().unwrap(),
        [
            ("rev".to_owned(), link.clone()),
            ("pth".to_owned(), Ipld::List(vec![link])),
        ]
        .into(),
    );
    let revoking = Invocation::sign(revoking, &node()).unwrap().into_block();
    let revoking = Container::new([revoking, given.block().clone()]).unwrap();
    assert_eq!(tokens.keep(&revoking, NOW).unwrap().refused.len(), 0);
    let two = token(asking(b"two"), &friend);
    assert!(why(it.open(&two, &WANTED, NOW)).starts_with("Revoked: "));
}

#[test]
fn it_is_for_this_node_and_for_a_short_time() {
    let it = case();
    let other = key(3);
    let elsewhere = invocation::Payload {
        subject: other.did(),
        ..payload(&other)
    };
    let addressed = invocation::Payload {
        audience: Some(node().did()),
        ..elsewhere.clone()
    };
    let changed = |change: fn(&mut invocation::Payload)| {
        let mut payload = payload(&node());
        change(&mut payload);
        token(payload, &node())
    };
    for (token, words) in [
        (token(elsewhere, &other), "InvalidAudience: "),
        (token(addressed, &other), "it asks for what is did:key:"),
        (
            changed(|it| it.expiration = None),
            "it has to expire within 300",
        ),
        (
            changed(|it| it.expiration = Some(NOW + 361)),
            "it has to expire within 300",
        ),
        (changed(|it| it.expiration = Some(NOW - 61)), "Expired: "),
        (changed(|it| it.nonce.clear()), "it has no nonce"),
        (
            changed(|it| {
                it.arguments.insert("more".to_owned(), Ipld::Null);
            }),
            "its arguments are",
        ),
        (
            changed(|it| {
                it.arguments.insert("body".to_owned(), Ipld::Null);
            }),
            "`body` among",
        ),
    ] {
        let said = why(it.open(&token, &WANTED, NOW));
        assert!(said.starts_with(words), "{said}");
    }
}

#[test]
fn what_changes_something_is_done_once_though_the_node_starts_anew() {
    let it = case();
    let wanted = Wanted {
        changes: true,
        ..WANTED
    };
    let token = token(payload(&node()), &node());
    assert!(it.open(&token, &wanted, NOW).is_ok());
    let anew = Gate::new(node().did(), it.store.clone());
    assert!(why(anew.open(&token, &wanted, NOW, Instant::now())).starts_with("Replay: "));
}

#[test]
fn one_signer_has_a_rate() {
    let (it, at) = (case(), Instant::now());
    let open = |nonce: u32| {
        let payload = invocation::Payload {
            nonce: nonce.to_be_bytes().to_vec(),
            ..payload(&node())
        };
        let token = token(payload, &node());
        it.gate.open(&token, &WANTED, NOW, at)
    };
    let mut opened = (0..=REQUESTS_AT_ONCE).map(open);
    let refused = opened.find_map(Result::err).expect("a rate");
    assert_eq!(refused.answer().status, 429);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever stands in the header, nothing is opened and nothing breaks.
    #[test]
    fn no_text_opens(text in "\\PC{0,300}") {
        prop_assert!(case().open(&text, &WANTED, NOW).is_err());
    }

    /// A token that was changed anywhere opens nothing.
    #[test]
    fn no_changed_token_opens(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
        let token = token(payload(&node()), &node());
        // The first letter says how the rest is written, and that may be said in two ways.
        let at = 1 + at.index(token.len() - 1);
        let mut changed = token.clone();
        changed.replace_range(at..at + 1, &to);
        prop_assume!(changed != token);
        let opened = case().open(&changed, &WANTED, NOW);
        prop_assert!(opened.is_err(), "{changed}");
    }

    /// A token that was cut opens nothing.
    #[test]
    fn no_cut_token_opens(at in any::<prop::sample::Index>()) {
        let token = token(payload(&node()), &node());
        let cut = &token[..at.index(token.len())];
        prop_assert!(case().open(cut, &WANTED, NOW).is_err());
    }
}
