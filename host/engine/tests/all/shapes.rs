//! Values of any shape, which the host holds for guests.

use homestar_core::ipld::{Block, Ipld, cid_of_raw};
use homestar_core::json;
use homestar_core::outcome::Kind;
use homestar_core::task::Limits;

use crate::*;

#[test]
fn a_guest_finds_everything_as_documented() {
    let guest = load(homestar_guests::shapes());
    assert_eq!(ok(&guest, "check", vec![]), Ipld::Null);
    assert!(guest.drivers_wired().is_empty());
}

#[test]
fn guests_in_every_language_use_values() {
    let input =
        r#"{"a": [1, {"b": 9007199254740993}], "c": "1", "d": {"/": {"bytes": "AQI"}}, "e": 0.5}"#;
    let output = r#"{"a":[2,{"b":18014398509481986}],"c":"1","d":{"/":{"bytes":"AQI"}},"e":0.5}"#;
    let guests = [
        Ok(homestar_guests::shapes().to_owned()),
        homestar_guests::python_shapes(),
        homestar_guests::quickjs_shapes(),
        homestar_guests::spidermonkey_shapes(),
    ];
    for path in guests.into_iter().filter_map(homestar_guests::or_skip) {
        let guest = load(&path);
        let doubled = ok(&guest, "twice-json", vec![text(input)]);
        assert_eq!(doubled, text(output), "{}", path.display());

        // The same by handles: whatever IPLD there is goes in and comes out.
        let any = |text: &str| json::parse(text).expect("DAG-JSON");
        let doubled = ok(&guest, "twice", vec![any(input)]);
        assert_eq!(doubled, any(output), "{}", path.display());
        let found = ok(
            &guest,
            "find",
            vec![any(output), list([text("a/0"), text("x"), text("n")])],
        );
        let cid = Block::of_dag_cbor(&any(output))
            .expect("a block")
            .cid()
            .to_string();
        let options = list([list([int(2)]), Ipld::Null, Ipld::Null]);
        assert_eq!(found, list([text(&cid), options]), "{}", path.display());

        let refused = failure(&guest, "twice-json", vec![text("{")], &limits());
        assert_eq!(refused.kind, Kind::Guest);
        let message = refused.message.to_lowercase();
        assert!(
            message.contains("invalid") && message.contains("line 1"),
            "{message}"
        );
        // Twice the largest integer is none.
        let largest = vec![text("18446744073709551615")];
        assert_eq!(
            failure(&guest, "twice-json", largest, &limits()).kind,
            Kind::Guest
        );
    }
}

#[test]
fn a_link_in_a_value_stays_one_and_null_is_a_value() {
    let guest = load(homestar_guests::shapes());
    let link = Ipld::Link(cid_of_raw(b"nobody has it"));
    for value in [link, Ipld::Null, list([]), Ipld::Bytes(vec![1])] {
        assert_eq!(ok(&guest, "twice", vec![value.clone()]), value);
        let [itself, found] = [text(""), list([value.clone()])];
        let Ipld::List(parts) = ok(&guest, "find", vec![value, list([itself])]) else {
            panic!("not a tuple")
        };
        assert_eq!(parts[1], list([found]));
    }
    let too_large = failure(&guest, "twice", vec![int(u64::MAX)], &limits());
    assert_eq!(too_large.kind, Kind::Guest);
    // What the guest is given is its own memory too, and what it gives back its output.
    let large = list((0..10_000).map(int));
    let small = Limits {
        memory_bytes: 2 << 20,
        ..limits()
    };
    assert_eq!(
        end(&guest, "twice", vec![large.clone()], &small),
        Kind::Memory
    );
    let short = Limits {
        output_bytes: 1000,
        ..limits()
    };
    assert_eq!(end(&guest, "twice", vec![large], &short), Kind::Output);
}

/// What the host holds counts as the guest's: 2^30 values would be more than this machine has.
#[test]
fn values_count_as_memory() {
    let guest = load(homestar_guests::shapes());
    assert_eq!(ok(&guest, "grow", vec![int(10)]), int(2));
    let small = Limits {
        memory_bytes: 4 << 20,
        ..limits()
    };
    assert_eq!(end(&guest, "grow", vec![int(30)], &small), Kind::Memory);
}
