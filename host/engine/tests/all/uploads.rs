//! Bodies of requests by `wasi:http`: as long as they like, in constant memory, and the same in a replay.

use std::sync::mpsc::{self, Receiver};

use homestar_core::ipld::Ipld;
use homestar_core::trace::{Call as Asked, Event};
use homestar_engine::{Answers, Component, Done};

use crate::net_server::{read_request, serve};
use crate::outside::{error_of, ok_of};
use crate::replay::{grants, run_twice};
use crate::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The head of a request and its body, or nothing if that broke off.
type Sent = Option<(String, Vec<u8>)>;

/// A server that says what it was sent, and its port.
fn sink() -> (u16, Receiver<Sent>) {
    let (sender, requests) = mpsc::channel();
    let port = serve(move |wire| {
        loop {
            let request = read_request(wire);
            let is_over = request.is_none();
            let _ = sender.send(request);
            if is_over || wire.write_all(OK).is_err() {
                return;
            }
        }
    });
    (port, requests)
}

fn send(guest: &Component, port: u16, method: &str, piece: u32, pieces: u32, how: &str) -> Done {
    let authority = text(&format!("127.0.0.1:{port}"));
    let args = vec![text(method), authority, int(piece), int(pieces), text(how)];
    let grant = format!("https=http://127.0.0.1:{port}");
    run_twice(guest, "send", args, &[&grant])
}

fn calls(done: &Done) -> Vec<Asked> {
    let recording = done.recording.as_ref().expect("a task with drivers");
    let events = recording.trace.events.iter();
    let calls = events.filter_map(|event| match event {
        Event::Call(call) => Some(call),
        Event::Time(_) => None,
    });
    calls.collect()
}

fn names(done: &Done) -> Vec<String> {
    let mut names: Vec<_> = calls(done).into_iter().map(|call| call.name).collect();
    names.dedup();
    names
}

/// A body's pieces leave nothing but their digests.
fn is_small(done: &Done) {
    let recording = done.recording.as_ref().expect("a task with drivers");
    let blocks = recording.blocks.iter().map(|block| block.bytes().len());
    assert_eq!(blocks.sum::<usize>(), 0);
    for call in calls(done) {
        if call.name.ends_with(".write") {
            let args = format!("{:?}", call.args);
            assert!(args.len() < 300, "{args}");
        }
    }
}

const SEND: &str = "homestar:driver/http.send";
const STREAM: &str = "homestar:driver/http-streams.send";

#[test]
fn a_long_body_is_sent_while_it_is_written() {
    let guest = load(homestar_guests::sender());
    let (port, requests) = sink();
    let (piece, pieces) = (10_000, 300);
    let length = 3_000_000;
    for method in ["POST", "GET"] {
        let done = send(&guest, port, method, piece, pieces, "sized");
        assert!(
            names(&done).iter().any(|name| name == STREAM),
            "{:?}",
            names(&done)
        );
        is_small(&done);
        assert_eq!(ok_of(done), text("200 2"));
        let (head, body) = requests.recv().unwrap().expect("a whole request");
        assert!(
            head.contains(&format!("content-length: {length}")),
            "{head}"
        );
        assert!(body.iter().all(|byte| *byte == b'x'));

        let done = send(&guest, port, method, piece, pieces, "chunked");
        is_small(&done);
        assert_eq!(ok_of(done), text("200 2"));
        let (head, body) = requests.recv().unwrap().expect("a whole request");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        assert_eq!(body.iter().filter(|byte| **byte == b'x').count(), length);
    }
}

#[test]
fn a_long_body_is_sent_while_it_is_written_by_0_3_too() {
    let guest = load(homestar_guests::web3());
    let (port, requests) = sink();
    let grant = format!("https=http://127.0.0.1:{port}");
    let send = |length: u64| {
        let authority = text(&format!("127.0.0.1:{port}"));
        let args = vec![authority, text("/"), int(length)];
        let done = run_twice(&guest, "send", args, &[&grant]);
        let (head, body) = requests.recv().unwrap().expect("a whole request");
        let length = body.iter().filter(|byte| **byte == b'x').count();
        (done, head, length as u64)
    };
    let (done, head, length) = send(3_000_000);
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(length, 3_000_000);
    is_small(&done);
    assert_eq!(ok_of(done), text("200 2"));
    let (done, head, length) = send(0);
    assert!(head.contains("content-length: 0"), "{head}");
    assert_eq!((&*names(&done)[0], length), (SEND, 0));
}

#[test]
fn a_short_body_goes_with_its_request() {
    let guest = load(homestar_guests::sender());
    let (port, requests) = sink();
    for (method, pieces) in [("POST", 3), ("PUT", 0), ("GET", 0), ("GET", 1)] {
        let done = send(&guest, port, method, 5, pieces, "chunked");
        assert_eq!(names(&done)[0], SEND);
        assert!(!names(&done).iter().any(|name| name == STREAM));
        assert_eq!(ok_of(done), text("200 2"));
        let (head, body) = requests.recv().unwrap().expect("a whole request");
        assert!(!head.contains("chunked"), "{head}");
        assert_eq!(body, vec![b'x'; 5 * pieces as usize]);
    }
}

#[test]
fn a_body_that_breaks_off_is_no_body() {
    let guest = load(homestar_guests::sender());
    let (port, requests) = sink();
    let broken = error_of(send(&guest, port, "POST", 10_000, 100, "broken"));
    assert!(broken.message.contains("ErrorCode"), "{}", broken.message);
    assert!(requests.recv().unwrap().is_none());
}

/// A server needn't wait for all of a request, and gets the rest of it nevertheless.
#[test]
fn an_answer_may_come_before_the_end() {
    let guest = load(homestar_guests::sender());
    let length = 3_000_000;
    let (sender, received) = mpsc::channel();
    let port = serve(move |wire| {
        let mut start = [0; 1];
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && wire.read_exact(&mut start).is_ok() {
            head.extend(start);
        }
        let mut body = vec![0; length];
        let all = wire.write_all(OK).and_then(|()| wire.read_exact(&mut body));
        let _ = sender.send(all.is_ok());
    });
    let done = send(&guest, port, "POST", 10_000, 300, "sized");
    assert_eq!(ok_of(done), text("200 2"));
    assert!(received.recv().unwrap());
}

/// A server that has answered and reads no more doesn't hold the guest up.
#[test]
fn who_reads_no_more_is_not_waited_for() {
    let guest = load(homestar_guests::sender());
    let (sender, received) = mpsc::channel();
    let answered = std::sync::Mutex::new(sender);
    let port = serve(move |wire| {
        let mut start = [0; 64];
        if wire.read_exact(&mut start).is_ok() && wire.write_all(OK).is_ok() {
            // It holds the connection until the test is over.
            let (sender, over) = mpsc::channel::<()>();
            let _ = answered.lock().unwrap().send(sender);
            let _ = over.recv();
        }
    });
    // More than the buffers of the connection take.
    let done = send(&guest, port, "POST", 1_000_000, 60, "impatient");
    assert_eq!(ok_of(done), text("200 2"));
    drop(received);
}

#[test]
fn what_is_sent_counts() {
    let (port, _requests) = sink();
    let limits = Limits {
        call_bytes: 1 << 20,
        ..limits()
    };
    let grant = format!("https=http://127.0.0.1:{port}");
    let sender = load(homestar_guests::sender());
    let stream = homestar_guests::stream();
    let stream = engine().load_file_with(stream, crate::replay::built_in);
    let authority = format!("127.0.0.1:{port}");
    let url = text(&format!("http://{authority}/"));
    let by_wasi = ["POST", &authority].map(text).into_iter();
    let by_wasi = by_wasi.chain([int(10_000), int(300), text("sized")]);
    for (guest, func, args, says) in [
        (sender, "send", by_wasi.collect(), "HttpRequestDenied"),
        (
            stream.unwrap(),
            "send-count",
            vec![url, int(3_000_000)],
            "Budget",
        ),
    ] {
        let args: Vec<Ipld> = args;
        let instruction = instruction(&guest, Input::new(func, args));
        let mut call = Call::new(&instruction, &limits);
        call.answers = Answers::Drivers(grants(&[&grant]));
        let done = engine().call(&guest, call).expect("a task that runs");
        let message = error_of(done).message;
        assert!(message.contains(says), "{message}");
    }
}
