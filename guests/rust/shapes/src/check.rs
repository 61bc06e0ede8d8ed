//! What must hold of values, asked from where guests are.

use crate::homestar::std::ipld::{IpldError, Kind, Value};
use crate::homestar::std::log::{Level, log};

const CID: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";

pub(crate) fn all() {
    std::panic::set_hook(Box::new(|info| log(Level::Error, &info.to_string())));
    leaves();
    integers();
    floats();
    composites();
    paths();
    encodings();
}

fn leaves() {
    assert_eq!(Value::of_null().kind(), Kind::Null);
    assert_eq!(Value::of_bool(true).as_bool(), Ok(true));
    assert_eq!(Value::of_string("ü").as_string(), Ok("ü".into()));
    assert_eq!(Value::of_bytes(&[0, 255]).as_bytes(), Ok(vec![0, 255]));
    let link = Value::of_link(CID).unwrap();
    assert_eq!(link.as_link(), Ok(CID.into()));
    assert!(is_invalid(Value::of_link("no CID")));
    assert_eq!(link.as_string(), Err(IpldError::Is(Kind::Link)));
    assert_eq!(
        Value::of_string(CID).as_link(),
        Err(IpldError::Is(Kind::String))
    );
    assert!(link.equals(&link.copy()));
    assert!(!link.equals(&Value::of_string(CID)));
}

fn integers() {
    assert_eq!(Value::of_s64(-1).as_s64(), Ok(-1));
    assert_eq!(Value::of_s64(-1).as_u64(), overflow("-1"));
    assert_eq!(Value::of_u64(u64::MAX).as_u64(), Ok(u64::MAX));
    assert_eq!(
        Value::of_u64(u64::MAX).as_s64(),
        overflow("18446744073709551615")
    );
    let least = Value::of_decimal("-18446744073709551616").unwrap();
    assert_eq!(least.as_decimal(), Ok("-18446744073709551616".into()));
    assert!(
        Value::of_dag_cbor(&least.to_dag_cbor())
            .unwrap()
            .equals(&least)
    );
    for none in ["", "1.0", "18446744073709551616", " 1", "0x1"] {
        assert!(is_invalid(Value::of_decimal(none)), "{none:?}");
    }
    assert_eq!(
        Value::of_bool(true).as_s64(),
        Err(IpldError::Is(Kind::Bool))
    );
}

fn floats() {
    assert_eq!(Value::of_float(0.5).as_float(), Ok(0.5));
    assert_eq!(Value::of_s64(3).as_float(), Ok(3.0));
    assert_eq!(
        Value::of_u64(u64::MAX).as_float(),
        Err(IpldError::Overflow("18446744073709551615".into()))
    );
    let infinite = Value::of_float(f64::INFINITY);
    assert_eq!(infinite.as_string(), Ok("inf".into()));
    assert_eq!(infinite.as_float(), Ok(f64::INFINITY));
    assert!(Value::of_float(f64::NAN).as_float().unwrap().is_nan());
    assert_eq!(
        Value::of_string("3").as_float(),
        Err(IpldError::Is(Kind::String))
    );
}

fn composites() {
    let list = Value::of_list(vec![Value::of_s64(1), Value::of_s64(2)]).unwrap();
    assert_eq!(list.length(), Ok(2));
    assert_eq!(list.as_list().unwrap()[1].as_s64(), Ok(2));
    assert_eq!(list.keys(), Err(IpldError::Is(Kind::List)));

    let entry = |key: &str| (key.to_owned(), Value::of_string(key));
    let map = Value::of_map(vec![entry("bb"), entry("c"), entry("a")]).unwrap();
    assert_eq!(map.keys(), Ok(vec!["a".into(), "c".into(), "bb".into()]));
    let keys = map.as_map().unwrap();
    assert_eq!(keys[2].1.as_string(), Ok("bb".into()));
    assert_eq!(map.get("c").unwrap().as_string(), Ok("c".into()));
    assert!(is_missing(map.get("d")));
    assert!(is_invalid(Value::of_map(vec![entry("a"), entry("a")])));
    assert_eq!(Value::of_null().length(), Err(IpldError::Is(Kind::Null)));

    let mut deep = Value::of_null();
    for _ in 0..96 {
        deep = Value::of_list(vec![deep]).unwrap();
    }
    assert!(
        Value::of_dag_cbor(&deep.to_dag_cbor())
            .unwrap()
            .equals(&deep)
    );
    assert!(is_invalid(Value::of_list(vec![deep])));
}

fn paths() {
    let value = Value::of_dag_json(r#"{"people": [{"name": "Ada"}], "a/b": 1}"#).unwrap();
    assert_eq!(
        value.at("people/0/name").unwrap().as_string(),
        Ok("Ada".into())
    );
    assert!(value.at("").unwrap().equals(&value));
    assert_eq!(value.get("a/b").unwrap().as_s64(), Ok(1));
    for none in [
        "people/1",
        "people/00",
        "people/0/age",
        "a/b",
        "/",
        "people/",
        "people/0/name/x",
    ] {
        assert!(is_missing(value.at(none)), "{none:?}");
    }
}

fn encodings() {
    let text =
        r#"{"bytes":{"/":{"bytes":"AQI"}},"link":{"/":"CID"},"one":1.0}"#.replace("CID", CID);
    let value = Value::of_dag_json(&text).unwrap();
    assert_eq!(value.to_dag_json(), Ok(text));
    assert_eq!(value.at("link").unwrap().kind(), Kind::Link);
    assert_eq!(value.at("one").unwrap().kind(), Kind::Float);
    assert!(
        Value::of_dag_cbor(&value.to_dag_cbor())
            .unwrap()
            .equals(&value)
    );
    assert!(value.cid().unwrap().starts_with("bafyrei"));

    assert_eq!(Value::of_null().to_dag_cbor(), [0xf6]);
    // 0 in two bytes, a map with its keys in the wrong order, and two values.
    for bytes in [
        &[0x18, 0][..],
        &[0xa2, 0x61, 98, 0, 0x61, 97, 0],
        &[0, 0],
        &[],
    ] {
        assert!(is_invalid(Value::of_dag_cbor(bytes)), "{bytes:?}");
    }
    for text in ["", "{", "1 2", r#"{"a":1,"a":2}"#, r#"{"/":"no CID"}"#] {
        assert!(is_invalid(Value::of_dag_json(text)), "{text:?}");
    }
    let large = Value::of_bytes(&vec![0; 1 << 20]);
    assert_eq!(large.cid(), Err(IpldError::TooLarge(1 << 20)));
    assert!(matches!(
        Value::of_dag_cbor(&large.to_dag_cbor()),
        Err(IpldError::TooLarge(_))
    ));
    let slash = Value::of_map(vec![("/".into(), Value::of_string(CID))]).unwrap();
    assert!(matches!(slash.to_dag_json(), Err(IpldError::Invalid(_))));
}

fn overflow<T>(decimal: &str) -> Result<T, IpldError> {
    Err(IpldError::Overflow(decimal.into()))
}

fn is_invalid(made: Result<Value, IpldError>) -> bool {
    matches!(made, Err(IpldError::Invalid(_)))
}

fn is_missing(found: Result<Value, IpldError>) -> bool {
    matches!(found, Err(IpldError::Missing(_)))
}
