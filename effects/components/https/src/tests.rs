use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;
use crate::bindings::homestar::https::types::Options;

/// A driver that answers from a list, and remembers what it was asked.
#[derive(Default)]
struct Script {
    answers: RefCell<Vec<Answer>>,
    sent: RefCell<Vec<Sent>>,
    bodies: RefCell<Vec<Served>>,
}

type Headers = Vec<(String, String)>;

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Headers,
    body: Rc<[u8]>,
    breaks: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Sent {
    method: String,
    url: String,
    headers: Headers,
    body: Vec<u8>,
}

struct Served {
    left: Vec<u8>,
    breaks: bool,
    open: bool,
    read: usize,
}

impl Driver for Script {
    fn send(&self, request: &driver::Request) -> Result<driver::Response, driver::Error> {
        self.sent.borrow_mut().push(Sent {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        });
        let mut answers = self.answers.borrow_mut();
        // The last answer is given for ever.
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        let mut bodies = self.bodies.borrow_mut();
        bodies.push(Served {
            left: answer.body.to_vec(),
            breaks: answer.breaks,
            open: true,
            read: 0,
        });
        Ok(driver::Response {
            status: answer.status,
            headers: answer.headers,
            body: bodies.len() as u32 - 1,
        })
    }

    fn read(&self, body: u32, at_most: u32) -> Result<Vec<u8>, driver::Error> {
        assert!((1..=1 << 20).contains(&at_most), "{at_most}");
        let body = &mut self.bodies.borrow_mut()[body as usize];
        assert!(body.open, "a closed body is read");
        if body.breaks {
            return Err(driver::Error::Connection("reset".into()));
        }
        let length = body.left.len().min(at_most as usize);
        body.open = length > 0;
        body.read += length;
        Ok(body.left.drain(..length).collect())
    }

    fn close(&self, body: u32) {
        let body = &mut self.bodies.borrow_mut()[body as usize];
        assert!(body.open, "a body is closed twice");
        body.open = false;
    }
}

/// Sends `request` to a driver that answers so. All bodies must be closed in the end.
fn exchange(answers: &[Answer], request: Request) -> (Result<Response, Error>, Script) {
    let script = Script {
        answers: RefCell::new(answers.to_vec()),
        ..Script::default()
    };
    let result = exchange::send(&script, request);
    assert!(
        script.bodies.borrow().iter().all(|body| !body.open),
        "a body stays open"
    );
    (result, script)
}

fn response(answers: &[Answer], request: Request) -> Response {
    exchange(answers, request).0.unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    pairs.iter().map(owned).collect()
}

fn answer(status: u16, pairs: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
    Answer {
        status,
        headers: headers(pairs),
        body: body.as_ref().into(),
        breaks: false,
    }
}

fn request(method: &str, pairs: &[(&str, &str)]) -> Request {
    Request {
        method: method.into(),
        url: "https://example.com/a?b#c".into(),
        headers: headers(pairs),
        body: Vec::new(),
        options: None,
    }
}

fn get() -> Request {
    request("GET", &[])
}

fn within(max_bytes: u64) -> Request {
    let options = Options {
        connect_timeout_ms: None,
        timeout_ms: None,
        redirects: None,
        max_bytes: Some(max_bytes),
    };
    Request {
        options: Some(options),
        ..get()
    }
}

fn redirects(redirects: u32) -> Request {
    let options = Options {
        connect_timeout_ms: None,
        timeout_ms: None,
        redirects: Some(redirects),
        max_bytes: None,
    };
    Request {
        options: Some(options),
        ..get()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that are hard to compress.
fn noise(length: u32) -> Vec<u8> {
    (0..length)
        .map(|n| (n.wrapping_mul(2_654_435_769) >> 13) as u8)
        .collect()
}

#[test]
fn a_response_comes_as_it_was_sent() {
    let cookies = [
        ("set-cookie", "a=1"),
        ("x", "\u{fc}"),
        ("set-cookie", "b=2"),
    ];
    let (page, script) = exchange(&[answer(404, &cookies, "not here")], get());
    let page = page.unwrap();
    assert_eq!((page.status, &*page.body), (404, &b"not here"[..]));
    assert_eq!(page.headers, headers(&cookies));
    assert_eq!(page.url, "https://example.com/a?b");
    let sent = Sent {
        method: "GET".into(),
        url: "https://example.com/a?b".into(),
        headers: headers(&[("accept-encoding", "gzip, deflate")]),
        body: Vec::new(),
    };
    assert_eq!(*script.sent.borrow(), [sent]);
}

#[test]
fn encodings_are_asked_for_unless_the_guest_does_or_wants_a_range() {
    for asked in [("Accept-Encoding", "br"), ("Range", "bytes=0-9")] {
        let (_, script) = exchange(&[answer(200, &[], "")], request("GET", &[asked]));
        assert_eq!(script.sent.borrow()[0].headers, headers(&[asked]));
    }
}

#[test]
fn encodings_are_undone() {
    let text = noise(3_000_000);
    let twice = gzip(&zlib(&text));
    for (encoding, body) in [
        ("gzip", gzip(&text)),
        ("X-GZIP", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", deflate(&text)),
        ("deflate, gzip", twice.clone()),
        ("identity,deflate , ,gzip", twice),
        ("gzip", [gzip(&text[..1000]), gzip(&text[1000..])].concat()),
    ] {
        let length = body.len().to_string();
        let pairs = [
            ("content-encoding", encoding),
            ("content-length", &*length),
            ("a", "b"),
        ];
        let page = response(&[answer(200, &pairs, body)], get());
        assert!(page.body == text, "{encoding}");
        assert_eq!(page.headers, headers(&[("a", "b")]));
    }
    let pairs = [
        ("content-encoding", "deflate"),
        ("content-encoding", "gzip"),
    ];
    let page = response(&[answer(200, &pairs, gzip(&zlib(b"abc")))], get());
    assert_eq!(page.body, b"abc");
}

#[test]
fn other_encodings_and_parts_are_left_as_they_are() {
    for (status, encoding) in [(200, "br"), (200, "gzip, zstd"), (206, "gzip")] {
        let pairs = [("content-encoding", encoding), ("content-length", "3")];
        let page = response(&[answer(status, &pairs, "abc")], get());
        assert_eq!((page.headers, &*page.body), (headers(&pairs), &b"abc"[..]));
    }
}

#[test]
fn nothing_is_nothing_however_it_is_encoded() {
    for encoding in ["gzip", "deflate", "gzip, deflate"] {
        let pairs = [("content-encoding", encoding)];
        assert!(response(&[answer(200, &pairs, "")], get()).body.is_empty());
    }
    assert!(response(&[answer(200, &[], "")], within(0)).body.is_empty());
    let empty = answer(200, &[("content-encoding", "gzip")], gzip(b""));
    assert!(response(&[empty], within(0)).body.is_empty());
}

#[test]
fn a_body_that_is_not_encoded_as_it_says_is_an_error() {
    let whole = gzip(&noise(10_000));
    for (encoding, body) in [
        ("gzip", b"hello, world".to_vec()),
        ("gzip", whole[..whole.len() - 1].to_vec()),
        ("gzip", b"\x1f".to_vec()),
        ("deflate", b"\xff".to_vec()),
        ("deflate", b"\xff\xff\xff".to_vec()),
        ("deflate", zlib(&noise(1000))[..500].to_vec()),
        ("gzip, deflate, gzip, deflate, gzip", Vec::new()),
    ] {
        let answers = [answer(200, &[("content-encoding", encoding)], body)];
        let error = exchange(&answers, get()).0.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{encoding}: {error:?}");
    }
}

#[test]
fn a_body_is_never_larger_than_it_may_be() {
    let text = noise(5_000_000);
    for pairs in [&[("content-length", "5000000")][..], &[]] {
        for max_bytes in [0, 1, 1 << 20, 4_999_999] {
            let (result, script) = exchange(&[answer(200, pairs, &text)], within(max_bytes));
            assert!(matches!(result, Err(Error::TooLarge(max)) if max == max_bytes));
            assert!(script.bodies.borrow()[0].read as u64 <= max_bytes + 1);
        }
        for max_bytes in [5_000_000, u64::MAX] {
            let page = response(&[answer(200, pairs, &text)], within(max_bytes));
            assert!(page.body == text);
            assert!(page.body.capacity() < 10_000_000);
        }
    }
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let zeros = vec![0; 50_000_000];
    let pairs = [("content-encoding", "gzip, gzip")];
    let bomb = answer(200, &pairs, gzip(&gzip(&zeros)));
    let (result, script) = exchange(&[bomb], within(100_000));
    assert!(matches!(result, Err(Error::TooLarge(100_000))));
    assert!(script.bodies.borrow()[0].read < 200_000);

    let pairs = [("content-encoding", "gzip")];
    let exact = [answer(200, &pairs, gzip(&zeros[..100_000]))];
    let page = response(&exact, within(100_000));
    assert_eq!(page.body.len(), 100_000);
    assert_eq!(page.body.capacity(), 100_000);
    assert!(matches!(
        exchange(&exact, within(99_999)).0,
        Err(Error::TooLarge(99_999))
    ));
    // By default, 16 MiB.
    let bomb = answer(200, &pairs, gzip(&zeros));
    assert!(matches!(
        exchange(&[bomb], get()).0,
        Err(Error::TooLarge(0x100_0000))
    ));
}

#[test]
fn some_responses_have_no_body() {
    let pairs = [
        ("content-encoding", "gzip"),
        ("content-length", "99999999999"),
    ];
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let page = response(&[answer(status, &pairs, "")], request(method, &[]));
        assert_eq!((page.status, page.headers), (status, headers(&pairs)));
        assert!(page.body.is_empty());
    }
}

#[test]
fn redirects_are_followed_with_new_requests() {
    let answers = [
        answer(307, &[("location", "/login")], "moved"),
        answer(
            302,
            &[("location", "https://other.example/x#y")],
            noise(100_000),
        ),
        answer(200, &[], "there"),
    ];
    let sent = [
        ("Authorization", "Bearer abc"),
        ("content-type", "text/plain"),
    ];
    let post = Request {
        body: b"body".to_vec(),
        ..request("POST", &sent)
    };
    let (page, script) = exchange(&answers, post);
    let page = page.unwrap();
    assert_eq!(
        (&*page.url, &*page.body),
        ("https://other.example/x", &b"there"[..])
    );
    let accept = ("accept-encoding", "gzip, deflate");
    let all = headers(&[sent[0], sent[1], accept]);
    let expected = [
        ("POST", "https://example.com/a?b", all.clone(), &b"body"[..]),
        ("POST", "https://example.com/login", all, b"body"),
        ("GET", "https://other.example/x", headers(&[accept]), b""),
    ];
    let expected = expected.map(|(method, url, headers, body)| Sent {
        method: method.into(),
        url: url.into(),
        headers,
        body: body.into(),
    });
    assert_eq!(*script.sent.borrow(), expected);
    // Bodies of redirects aren't read.
    assert_eq!(script.bodies.borrow()[1].read, 0);
}

#[test]
fn redirects_end() {
    let round = [answer(301, &[("location", "/a?b")], "moved")];
    let (result, script) = exchange(&round, get());
    assert!(matches!(result, Err(Error::Redirects(10))));
    assert_eq!(script.sent.borrow().len(), 11);
    let (result, script) = exchange(&round, redirects(1));
    assert!(matches!(result, Err(Error::Redirects(1))));
    assert_eq!(script.sent.borrow().len(), 2);
    let page = response(&round, redirects(0));
    assert_eq!((page.status, &*page.body), (301, &b"moved"[..]));
    let to_nowhere = [answer(301, &[("location", "ftp://example.com/")], "moved")];
    assert!(matches!(
        exchange(&to_nowhere, get()).0,
        Err(Error::Protocol(_))
    ));
    assert_eq!(response(&to_nowhere, redirects(0)).status, 301);
    assert_eq!(response(&[answer(301, &[], "")], get()).status, 301);
}

#[test]
fn a_body_that_breaks_is_a_broken_connection() {
    for pairs in [
        &[("content-encoding", "gzip")][..],
        &[("content-encoding", "deflate")],
        &[],
    ] {
        let broken = Answer {
            breaks: true,
            ..answer(200, pairs, "")
        };
        let error = exchange(&[broken], get()).0.unwrap_err();
        assert!(
            matches!(&error, Error::Connection(text) if text == "reset"),
            "{error:?}"
        );
    }
}

#[test]
fn what_is_no_url_is_not_sent() {
    let request = Request {
        url: "example.com".into(),
        ..get()
    };
    let (result, script) = exchange(&[answer(200, &[], "")], request);
    assert!(matches!(result, Err(Error::Invalid(text)) if text.contains("`example.com`")));
    assert!(script.sent.borrow().is_empty());
}
