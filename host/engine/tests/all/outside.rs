//! Effects over their drivers, with real servers on loopback: what they answer is recorded, and replays.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use homestar_core::ipld::Ipld;
use homestar_core::key::SigningKey;
use homestar_core::outcome::{Failure, Kind, Outcome};
use homestar_core::unixfs::cid_of_file;
use homestar_engine::drivers::resolver::{ResolverSettings, Servers};
use homestar_engine::{Done, DriverSettings, LoadError, NodeKey};

use crate::net_server::{
    Wire, answer, name_server, read_request, records, serve, serve_at, serve_tls, wait_for_end,
};
use crate::replay::{built_in, effect, effect_on, replay, run, run_twice};
use crate::*;

pub(crate) fn ok_of(done: Done) -> Ipld {
    match done.outcome {
        Outcome::Ok(value) => value,
        Outcome::Error(failure) => panic!("{failure:?}"),
    }
}

pub(crate) fn error_of(done: Done) -> Failure {
    match done.outcome {
        Outcome::Ok(value) => panic!("{value:?}"),
        Outcome::Error(failure) => failure,
    }
}

fn field<'a>(value: &'a Ipld, name: &str) -> &'a Ipld {
    match value {
        Ipld::Map(fields) => &fields[name],
        other => panic!("{other:?}"),
    }
}

fn page(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nx-a: 1\r\nx-a: 2\r\n\r\n{body}")
}

#[test]
fn a_page_over_tls() {
    let port = serve_tls(&["http/1.1"], answer(page("hello")));
    let url = format!("https://localhost:{port}/");
    let grant = format!("https=localhost:{port}");
    let done = run_twice(&effect("https"), "get", vec![text(&url)], &[&grant]);
    let response = ok_of(done);
    assert_eq!(field(&response, "status"), &int(200));
    assert_eq!(field(&response, "body"), &Ipld::Bytes(b"hello".to_vec()));
}

#[test]
fn a_body_larger_than_a_block() {
    let body = "0123456789".repeat(300_000);
    let port = serve(answer(page(&body)));
    let url = format!("http://127.0.0.1:{port}/large");
    let grant = format!("https=GET http://127.0.0.1:{port}/large");
    let done = run_twice(&effect("https"), "get", vec![text(&url)], &[&grant]);
    assert_eq!(field(&ok_of(done), "body"), &Ipld::Bytes(body.into_bytes()));
}

#[test]
fn a_redirect_needs_a_grant_of_its_own() {
    let port = serve(answer(
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0\r\n\r\n",
    ));
    let url = format!("http://127.0.0.1:{port}/");
    let grant = format!("https=http://127.0.0.1:{port}");
    let failure = error_of(run_twice(
        &effect("https"),
        "get",
        vec![text(&url)],
        &[&grant],
    ));
    let message = failure.message;
    assert!(
        message.contains("denied") && message.contains("169.254.169.254"),
        "{message}"
    );

    // Even where every host is granted, an address that isn't public has to be named.
    let any = "https=http://*:*";
    let failure = error_of(run_twice(
        &effect("https"),
        "get",
        vec![text(&url)],
        &[&grant, any],
    ));
    assert!(
        failure.message.contains("169.254.169.254"),
        "{}",
        failure.message
    );
}

#[test]
fn a_response_that_never_ends_is_cut() {
    let port = serve(|wire| {
        if read_request(wire).is_none() {
            return;
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
        let mut sent = wire.write_all(head.as_bytes());
        while sent.is_ok() {
            sent = wire.write_all(&[b'x'; 64 << 10]);
        }
    });
    let url = format!("http://127.0.0.1:{port}/");
    let grant = format!("https=http://127.0.0.1:{port}");
    let failure = error_of(run_twice(
        &effect("https"),
        "get",
        vec![text(&url)],
        &[&grant],
    ));
    assert!(failure.message.contains("too-large"), "{}", failure.message);
}

/// Gets a page by tasks of an engine whose drivers no other test uses, one task after the other.
fn pages_in_turn(port: u16, mut between: impl FnMut()) {
    let engine = crate::engine_with(DriverSettings::default());
    let https = effect_on(&engine, "https");
    let url = format!("http://127.0.0.1:{port}/");
    let grant = format!("https=http://127.0.0.1:{port}");
    let instruction = instruction(&https, Input::new("get", vec![text(&url)]));
    for _ in 0..3 {
        let response = ok_of(run(&https, &instruction, &[&grant]));
        assert_eq!(field(&response, "body"), &Ipld::Bytes(b"hello".to_vec()));
        between();
    }
}

#[test]
fn a_connection_is_kept_for_the_next_task() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let port = serve(move |wire| {
        count.fetch_add(1, Ordering::Relaxed);
        answer(page("hello"))(wire);
    });
    pages_in_turn(port, || {});
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

/// A server closes a connection while no task looks after it.
#[test]
fn a_connection_that_was_closed_meanwhile_is_opened_anew() {
    let (ended, closed) = std::sync::mpsc::channel();
    let port = serve_at("127.0.0.1", move |mut stream| {
        if read_request(&mut stream).is_some() {
            stream.write_all(page("hello").as_bytes()).unwrap();
        }
        drop(stream);
        let _ = ended.send(());
    });
    pages_in_turn(port, || closed.recv().unwrap());
}

/// What a task doesn't read to its end is closed when the task ends, though nobody asks the drivers for anything then.
#[test]
fn a_response_that_nobody_reads_on_is_closed_with_its_task() {
    let (ended, closed) = std::sync::mpsc::channel();
    let port = serve(move |wire| {
        if read_request(wire).is_some() {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
            wire.write_all(head.as_bytes()).unwrap();
            wait_for_end(wire);
            let _ = ended.send(());
        }
    });
    let url = format!("http://127.0.0.1:{port}/");
    let grant = format!("https=http://127.0.0.1:{port}");
    let engine = crate::engine_with(DriverSettings::default());
    let https = effect_on(&engine, "https");
    let instruction = instruction(&https, Input::new("get", vec![text(&url)]));
    let limits = Limits {
        time: std::time::Duration::from_millis(50),
        ..limits()
    };
    let mut call = Call::new(&instruction, &limits);
    call.answers = homestar_engine::Answers::Drivers(crate::replay::grants(&[&grant]));
    let done = engine.call(&https, call).expect("a task that runs");
    assert_eq!(error_of(done).kind, Kind::Time);
    closed.recv().unwrap();
}

#[test]
fn calls_are_answered_by_the_budget_when_it_is_used_up() {
    let https = effect("https");
    let port = serve(answer(page("hello")));
    let url = format!("http://127.0.0.1:{port}/");
    let instruction = instruction(&https, Input::new("get", vec![text(&url)]));
    let limits = Limits {
        calls: 1,
        ..limits()
    };
    let mut call = Call::new(&instruction, &limits);
    let grant = format!("https=http://127.0.0.1:{port}");
    call.answers = homestar_engine::Answers::Drivers(crate::replay::grants(&[&grant]));
    let done = engine().call(&https, call).expect("a task that runs");
    let failure = error_of(done);
    assert!(failure.message.contains("budget"), "{}", failure.message);
}

/// An engine that asks one server for names.
fn asking(server: SocketAddr) -> Engine {
    engine_with(DriverSettings {
        resolver: ResolverSettings {
            servers: Servers::Addresses(vec![server]),
            ..ResolverSettings::default()
        },
        ..DriverSettings::default()
    })
}

#[test]
fn names_are_looked_up_where_the_operator_says() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = name_server(move |_, kind| {
        count.fetch_add(1, Ordering::Relaxed);
        Some(Ok(records(&["192.0.2.7", "2001:db8::7"], kind)))
    });
    let engine = asking(server);
    let dns = effect_on(&engine, "dns");
    let args = vec![text("host.example")];
    let done = run_twice(&dns, "addresses", args.clone(), &["dns=host.example"]);
    assert_eq!(ok_of(done), list([text("2001:db8::7"), text("192.0.2.7")]));
    assert!(asked.load(Ordering::Relaxed) >= 2);

    let failure = error_of(run_twice(&dns, "addresses", args, &["dns=other.example"]));
    assert!(failure.message.contains("denied"), "{}", failure.message);
}

#[test]
fn a_name_that_leads_to_this_machine_is_refused() {
    let server = name_server(|_, kind| Some(Ok(records(&["127.0.0.1", "::1"], kind))));
    let engine = asking(server);
    let https = effect_on(&engine, "https");
    let url = vec![text("https://inside.example/")];
    let failure = error_of(run_twice(&https, "get", url, &["https=inside.example"]));
    let address: Option<IpAddr> = ["::1", "127.0.0.1"]
        .iter()
        .find(|address| failure.message.contains(*address))
        .and_then(|address| address.parse().ok());
    assert!(address.is_some(), "{}", failure.message);
}

/// An engine that keeps state in a folder.
pub(crate) fn keeping(folder: &tempfile::TempDir) -> Engine {
    engine_with(DriverSettings {
        state: Some(folder.path().to_owned()),
        ..DriverSettings::default()
    })
}

#[test]
fn state_stays_after_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let state = effect_on(&engine, "state");
    let value = Ipld::Bytes(vec![1, 2]);
    let set = vec![text("visits"), text("a"), value.clone()];
    run_twice(&state, "set", set, &["state=visits"]);
    let get = vec![text("visits"), text("a")];
    let done = run_twice(&state, "get", get.clone(), &["state=visits"]);
    assert_eq!(ok_of(done), value);
    let done = run_twice(&state, "list", vec![text("visits")], &["state=visits"]);
    assert_eq!(ok_of(done), list([text("a")]));
    let failure = error_of(run_twice(&state, "get", get, &["state=others"]));
    assert!(
        failure.message.contains("state=visits"),
        "{}",
        failure.message
    );
    for bucket in ["", "a/b"] {
        let get = vec![text(bucket), text("a")];
        error_of(run_twice(&state, "get", get, &["state=*"]));
    }
}

#[test]
fn secrets_are_real_only_on_the_wire() {
    let echo = |wire: &mut dyn Wire| {
        let Some((head, _)) = read_request(wire) else {
            return;
        };
        let sent = head.lines().find(|line| line.starts_with("authorization"));
        let body = page(sent.unwrap_or("none"));
        let _ = wire.write_all(body.as_bytes()).and_then(|()| wire.flush());
    };
    let port = serve_tls(&["http/1.1"], echo);
    let mut settings = DriverSettings::default();
    let hosts = [format!("localhost:{port}")];
    settings
        .secrets
        .insert("token", "s3cr3t-value".to_owned(), &hosts)
        .expect("a secret");
    let engine = engine_with(settings);
    let https = effect_on(&engine, "https");
    let header = list([text("authorization"), text("Bearer {{secret:token}}")]);
    let request = Ipld::Map(
        [
            ("method", text("GET")),
            ("url", text(&format!("https://localhost:{port}/"))),
            ("headers", list([header])),
            ("body", Ipld::Bytes(vec![])),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    );
    let grant = format!("https=localhost:{port}");
    let done = run_twice(&https, "send", vec![request], &[&grant]);
    let recording = done.recording.as_ref().expect("a recording");
    let trace = recording.trace.encode().expect("a trace");
    let blocks = recording.blocks.iter().chain(&trace.segments);
    for block in blocks.chain([&trace.root]) {
        let mut windows = block.bytes().windows(6);
        assert!(!windows.any(|window| window == b"s3cr3t"));
    }
    assert!(format!("{:?}", recording.trace).contains("{{secret:token}}"));
    let response = ok_of(done);
    let echoed = Ipld::Bytes(b"authorization: Bearer {{secret:token}}".to_vec());
    assert_eq!(field(&response, "body"), &echoed);
}

/// A guest that is wired to several effects, each with drivers of its own.
fn fetching(engine: &Engine) -> Component {
    let guest = homestar_guests::fetch();
    engine.load_file_with(guest, built_in).expect("a guest")
}

#[test]
fn a_guest_over_several_effects() {
    let port = serve_tls(&["http/1.1"], answer(page("hello")));
    let guest = fetching(engine());
    let url = vec![text(&format!("https://localhost:{port}/"))];
    let grant = format!("https=localhost:{port}");
    let done = run_twice(&guest, "fetch", url.clone(), &[&grant]);
    let trace = done.recording.as_ref().expect("a recording").trace.clone();
    assert!(trace.parts.len() > 3 && !trace.parts[0].imports.is_empty());
    let Ipld::String(fetched) = ok_of(done) else {
        panic!("not a text");
    };
    assert!(
        fetched.contains("200") && fetched.contains("hello"),
        "{fetched}"
    );

    run_twice(&guest, "draw", vec![], &["random"]);
    run_twice(&guest, "hash-and-sign", vec![text("a")], &["crypto"]);
    let failure = error_of(run_twice(&guest, "fetch", url, &["random"]));
    assert!(
        failure.message.contains("not granted"),
        "{}",
        failure.message
    );
}

#[test]
fn a_composition_is_joined_again_from_its_trace() {
    let guest = fetching(engine());
    let instruction = instruction(&guest, Input::new("draw", vec![]));
    let done = run(&guest, &instruction, &["random"]);
    let recording = done.recording.expect("a recording");
    let mut parts = Vec::new();
    for part in &recording.trace.parts {
        let mut all = homestar_effects::all().iter();
        let effect = all.find(|effect| cid_of_file(effect.bytes) == part.component);
        parts.push(match effect {
            Some(effect) => effect.bytes.to_vec(),
            None => std::fs::read(homestar_guests::fetch()).expect("a file"),
        });
    }
    let joined = engine()
        .load_as_traced(&parts, &recording.trace)
        .expect("a composition");
    let again = replay(&joined, &instruction, recording.clone()).expect("a replay");
    assert_eq!(again.outcome, done.outcome);
    parts.swap(1, 2);
    let error = engine()
        .load_as_traced(&parts, &recording.trace)
        .unwrap_err();
    assert!(matches!(error, LoadError::OtherParts), "{error}");
}

#[test]
fn an_effect_acts_within_the_grants_of_who_asks_unless_it_has_its_own() {
    let mut effects = built_in();
    let own = crate::replay::grants(&["random"]);
    assert!(effects.grant("random", &own) && !effects.grant("nobody", &own));
    let guest = homestar_guests::fetch();
    let guest = engine().load_file_with(guest, || effects).expect("a guest");
    ok_of(run_twice(&guest, "draw", vec![], &[]));
}

#[test]
fn bodies_stream_both_ways() {
    let body = "0123456789abcdef".repeat(100_000);
    let source = serve(answer(page(&body)));
    let sink = serve(|wire| {
        while let Some((_, body)) = read_request(wire) {
            let answer = page(&format!("got {}", body.len()));
            if wire.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let guest = homestar_guests::stream();
    let guest = engine().load_file_with(guest, built_in).expect("a guest");
    let source = format!("http://127.0.0.1:{source}/");
    let sink = format!("http://127.0.0.1:{sink}/");
    let granted = [format!("https={source}*"), format!("https={sink}*")];
    let granted: Vec<&str> = granted.iter().map(String::as_str).collect();

    let done = run_twice(&guest, "measure", vec![text(&source)], &granted);
    assert_eq!(field(&ok_of(done), "length"), &int(body.len() as u64));
    let args = vec![text(&sink), int(300_000)];
    let done = run_twice(&guest, "send-count", args, &granted);
    assert_eq!(
        field(&ok_of(done), "length"),
        &int("got 300000".len() as u64)
    );
    let args = vec![text(&source), text(&sink)];
    let done = run_twice(&guest, "relay", args, &granted);
    let recording = format!(
        "{:?}",
        done.recording.as_ref().map(|recording| &recording.trace)
    );
    assert_eq!(
        field(&ok_of(done), "length"),
        &int("got 1600000".len() as u64),
        "{recording}"
    );

    let refused = run_twice(&guest, "measure", vec![text(&source)], &[]);
    assert!(error_of(refused).message.contains("not granted"));
}

/// Components that know nothing of us use HTTP as they always do.
#[test]
fn wasi_http_goes_through_the_same_door() {
    let port = serve_tls(&["http/1.1"], answer(page("hello")));
    let url = vec![text(&format!("https://localhost:{port}/"))];
    let grant = format!("https=localhost:{port}");
    for guest in [homestar_guests::python_wasi_http, homestar_guests::js_fetch] {
        let Some(path) = homestar_guests::or_skip(guest()) else {
            continue;
        };
        let guest = load(&path);
        assert_eq!(guest.drivers_wired(), ["homestar:driver/http"]);
        let done = run_twice(&guest, "page", url.clone(), &[&grant]);
        assert_eq!(ok_of(done), text("200 hello"), "{}", path.display());
        error_of(run_twice(&guest, "page", url.clone(), &[]));
    }
}

/// One path, four bindings tools.
#[test]
fn guests_in_every_language_use_our_interfaces() {
    let port = serve_tls(&["http/1.1"], answer(page("hello")));
    let url = vec![text(&format!("https://localhost:{port}/"))];
    let grant = format!("https=localhost:{port}");
    for guest in [
        homestar_guests::python_fetch,
        homestar_guests::quickjs_fetch,
        homestar_guests::spidermonkey_fetch,
    ] {
        let Some(path) = homestar_guests::or_skip(guest()) else {
            continue;
        };
        let guest = engine().load_file_with(&path, built_in).expect("a guest");
        let done = run_twice(&guest, "fetch", url.clone(), &[&grant]);
        assert_eq!(ok_of(done), text("200 hello"), "{}", path.display());
        run_twice(&guest, "draw", vec![], &["random"]);
        run_twice(&guest, "hash-and-sign", vec![text("a")], &["crypto"]);
        error_of(run_twice(&guest, "fetch", url.clone(), &[]));
    }
}

#[test]
fn wasi_http_of_0_3_goes_through_the_same_door() {
    let body = "0123456789abcdef".repeat(20_000);
    let port = serve_tls(&["http/1.1"], answer(page(&body)));
    let guest = load(homestar_guests::web3());
    let authority = text(&format!("localhost:{port}"));
    let args = vec![authority, text("/a?b=c"), Ipld::Bool(false)];
    let grant = format!("https=GET localhost:{port}/a");
    let done = run_twice(&guest, "page", args.clone(), &[&grant]);
    assert_eq!(ok_of(done), text("200 320000"));
    let done = run_twice(&guest, "page", args, &[]);
    assert!(String::from_utf8_lossy(&done.log).contains("not granted"));
    assert!(error_of(done).message.contains("HttpRequestDenied"));
}

#[test]
fn an_oracle_draws_what_everybody_can_check() {
    let engine = engine_with(DriverSettings {
        node: Some(NodeKey::new(|| Ok(SigningKey::from_seed(&[7; 32])))),
        ..DriverSettings::default()
    });
    let oracle = effect_on(&engine, "oracle");
    let input = Ipld::Bytes(b"lottery 1".to_vec());
    let value = ok_of(run_twice(&oracle, "draw", vec![input.clone()], &["oracle"]));
    let again = ok_of(run_twice(&oracle, "draw", vec![input.clone()], &["oracle"]));
    assert_eq!(value, again);
    ok_of(run_twice(
        &oracle,
        "verify",
        vec![input, value.clone()],
        &[],
    ));
    let other = vec![Ipld::Bytes(b"lottery 2".to_vec()), value];
    assert!(
        error_of(run_twice(&oracle, "verify", other, &[]))
            .message
            .contains("proof")
    );
    let refused = run_twice(&oracle, "draw", vec![Ipld::Bytes(vec![])], &["random"]);
    assert!(error_of(refused).message.contains("oracle"));
}

/// The clocks and random numbers of WASI are virtual, until they are granted.
#[test]
fn what_wasi_shows_is_real_only_where_it_is_granted() {
    for guest in [homestar_guests::nosy(), homestar_guests::nosy3()] {
        let guest = load(guest);
        let pure = instruction(&guest, Input::new("random", vec![int(16)]));
        let first = run(&guest, &pure, &["clock"]);
        assert_eq!(ok_of(run(&guest, &pure, &[])), ok_of(first));
        assert!(guest.is_pure(&crate::replay::grants(&["crypto"])));

        let granted = run_twice(&guest, "random", vec![int(16)], &["random"]);
        let again = run_twice(&guest, "random", vec![int(16)], &["random"]);
        assert_ne!(ok_of(granted), ok_of(again));
        let slept = run_twice(&guest, "elapsed-of-sleep", vec![int(2)], &["clock"]);
        let Ipld::Integer(nanoseconds) = ok_of(slept) else {
            panic!("not a number");
        };
        assert!(nanoseconds >= 2_000_000, "{nanoseconds} ns");
        run_twice(&guest, "now", vec![], &["clock"]);
    }
}

/// Answers come in any order, and a replay hands them over in the order in which they came.
#[test]
fn sleeps_at_the_same_time_replay_in_their_order() {
    let guest = load(homestar_guests::nosy3());
    let sleeps = list([int(3), int(1), int(2)]);
    let Ipld::List(order) = ok_of(run_twice(
        &guest,
        "order-of-sleeps",
        vec![sleeps],
        &["clock"],
    )) else {
        panic!("not a list");
    };
    assert!((1..=3).all(|ms| order.contains(&int(ms))), "{order:?}");
}

#[test]
fn what_every_guest_may() {
    let folder = tempfile::tempdir().unwrap();
    let engine = keeping(&folder);
    let guest = homestar_guests::diary();
    let guest = engine.load_file_with(guest, built_in).expect("a guest");
    run_twice(&guest, "note", vec![text("b")], &["state=diary"]);
    let done = run_twice(&guest, "note", vec![text("a")], &["state=diary"]);
    assert_eq!(done.log, b"info: noted\n  a\n");
    assert_eq!(ok_of(done), list([text("a"), text("b")]));

    let instruction = instruction(&guest, Input::new("names", vec![]));
    let names = [instruction.link().to_string(), guest.cid().to_string()];
    let done = run(&guest, &instruction, &[]);
    assert_eq!(ok_of(done), list(names.map(|name| text(&name))));
}
