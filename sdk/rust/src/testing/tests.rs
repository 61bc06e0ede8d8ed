use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::value::written;
use super::*;
use crate::keys::Algorithm;

/// A file that is gone when this is.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("homestar-sdk-{}-{number}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn with(calls: &[Value]) -> Self {
        let args = json!([{"/": {"bytes": "AA"}}, 1]);
        let out = json!({"ok": {"/": {"bytes": "AQI"}}});
        let whole = json!({"func": "f", "args": args, "calls": calls, "out": out});
        Self::new(&whole.to_string())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn call(name: &str, args: Value, answer: Value) -> Value {
    json!({"call": format!("homestar:{name}"), "args": args, "answer": answer})
}

fn b(text: &str) -> Value {
    json!({"/": {"bytes": text}})
}

fn get() -> Value {
    let page = json!({
        "body": b("YWJj"), "headers": [["a", "b"]], "status": 200, "url": "https://example.com/"
    });
    call(
        "https/client.get",
        json!(["https://example.com/"]),
        json!({"ok": page}),
    )
}

/// What a panic says.
fn said<T>(run: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run))
        .err()
        .expect("it panics");
    panic
        .downcast_ref::<String>()
        .expect("it says a text")
        .clone()
}

#[test]
fn answers_are_those_of_the_modules() {
    let options =
        json!({"connect-timeout-ms": null, "max-bytes": 3, "redirects": null, "timeout-ms": null});
    let request = json!({
        "body": b("Yw"), "headers": [["x", "y"]], "method": "PUT", "options": options, "url": "https://a/"
    });
    let records = json!([
        {"data": {"mx": {"exchange": "mail.a", "preference": 10}}, "name": "a", "ttl": 60},
        {"data": {"txt": [b("YQ")]}, "name": "a", "ttl": 60},
    ]);
    let file = File::with(&[
        get(),
        call(
            "https/client.send",
            json!([request]),
            json!({"error": {"too-large": 3}}),
        ),
        call(
            "dns/client.lookup",
            json!(["a", "mx"]),
            json!({"ok": records}),
        ),
        call(
            "dns/client.addresses",
            json!(["a"]),
            json!({"error": {"not-found": null}}),
        ),
        call("random/random.u64", json!([]), json!({"ok": u64::MAX})),
        call("std/state.get", json!(["b", "k"]), json!({"ok": null})),
        call(
            "std/state.set",
            json!(["b", "k", b("AQ")]),
            json!({"ok": null}),
        ),
        call("crypto/digest.hash", json!(["sha3-256", b("YQ")]), b("AA")),
        call(
            "crypto/keys.key.generate",
            json!(["aes128-gcm"]),
            json!({"ok": 0}),
        ),
        call(
            "crypto/keys.key.algorithm",
            json!([0]),
            json!({"ok": "aes128-gcm"}),
        ),
        call(
            "crypto/keys.key.sign",
            json!([0, b("YQ")]),
            json!({"error": {"wrong-algorithm": "aes128-gcm"}}),
        ),
    ]);
    let page = recorded(&file.0);
    assert_eq!((page.func(), bytes(&page.args()[0])), ("f", Some(vec![0])));
    assert_eq!(bytes(page.result()), Some(vec![1, 2]));
    let got = https::get("https://example.com/").unwrap();
    assert_eq!(
        (got.status, got.header("A"), &*got.text()),
        (200, Some("b"), "abc")
    );
    let mut request = https::Request::new("PUT", "https://a/")
        .header("x", "y")
        .body("c");
    request.options = Some(https::Options {
        max_bytes: Some(3),
        ..Default::default()
    });
    assert_eq!(https::send(&request), Err(https::Error::TooLarge(3)));
    let found = dns::lookup("a", dns::RecordType::Mx).unwrap();
    let mx = dns::Mx {
        preference: 10,
        exchange: "mail.a".into(),
    };
    let data: Vec<_> = found.into_iter().map(|answer| answer.data).collect();
    assert_eq!(
        data,
        [dns::Data::Mx(mx), dns::Data::Txt(vec![b"a".to_vec()])]
    );
    assert_eq!(dns::addresses("a"), Err(dns::Error::NotFound));
    assert_eq!(random::u64(), Ok(u64::MAX));
    assert_eq!(state::get("b", "k"), Ok(None));
    assert_eq!(state::set("b", "k", &[1]), Ok(()));
    assert_eq!(digest::hash(digest::Algorithm::Sha3256, b"a"), [0]);
    let key = keys::generate(Algorithm::Aes128Gcm).ok().unwrap();
    assert_eq!(key.algorithm(), Ok(Algorithm::Aes128Gcm));
    let error = keys::Error::WrongAlgorithm(Algorithm::Aes128Gcm);
    assert_eq!(key.sign(b"a"), Err(error));
}

#[test]
fn the_first_call_that_differs_is_named() {
    let file = File::with(&[get()]);
    let words = said(|| {
        let _page = recorded(&file.0);
        https::get("https://example.org/")
    });
    let path = file.0.display();
    let expected = format!(
        "{path}: call 1 is another than was recorded\n  now       homestar:https/client.get(\"https://example.org/\")\n  \
         recorded  homestar:https/client.get(\"https://example.com/\")"
    );
    assert_eq!(words, expected);
    let words = said(|| {
        let _page = recorded(&file.0);
        https::send(&https::Request::new("GET", "https://example.com/").header("a", "b"))
    });
    let now = "now       homestar:https/client.send({\"body\":{\"/\":{\"bytes\":\"\"}},\"headers\":[[\"a\",\"b\"]]";
    assert!(words.contains(now), "{words}");
}

#[test]
fn calls_that_are_left_over_or_too_many_are_named() {
    let file = File::with(&[get(), get()]);
    let path = file.0.display();
    let made = "homestar:https/client.get(\"https://example.com/\")";
    let words = said(|| drop(recorded(&file.0)));
    assert_eq!(
        words,
        format!("{path}: 2 recorded calls were not made; call 1 is\n  {made}")
    );
    let words = said(|| {
        let _page = recorded(&file.0);
        https::get("https://example.com/").unwrap();
    });
    assert_eq!(
        words,
        format!("{path}: a recorded call was not made; call 2 is\n  {made}")
    );
    let file = File::with(&[]);
    let words = said(|| {
        let _page = recorded(&file.0);
        random::uuid()
    });
    let path = file.0.display();
    assert_eq!(
        words,
        format!("{path}: call 1 was not recorded:\n  homestar:random/random.uuid()")
    );
}

#[test]
fn a_damaged_file_is_named() {
    let whole = std::fs::read_to_string(&File::with(&[get()]).0).unwrap();
    for text in [
        &whole[..whole.len() / 2],
        "[]",
        "{}",
        &whole.replace("\"call\"", "\"cal\""),
        &whole.replace("\"out\":{\"ok\"", "\"out\":{\"k\""),
    ] {
        let file = File::new(text);
        let words = said(|| recorded(&file.0).func().to_owned());
        let begin = format!("{} is damaged, or nothing that", file.0.display());
        assert!(words.starts_with(&begin), "{words}");
    }
}

#[test]
fn bytes_are_read_as_they_are_written() {
    for length in 0..10 {
        let all: Vec<u8> = (0..length)
            .map(|at: u8| 250_u8.wrapping_sub(at * 25))
            .collect();
        assert_eq!(bytes(&written(&all)), Some(all));
    }
    assert_eq!(bytes(&json!({"/": {"bytes": "!"}})), None);
    assert_eq!(bytes(&json!("AQ")), None);
}
