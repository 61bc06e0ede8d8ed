//! HTTP with servers on this machine: what is sent, what comes back, and what goes wrong.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use homestar_core::grant::{Grants, Secrets};
use homestar_engine::drivers::http::{
    Error, Http, HttpError, HttpSettings, Pieces, Request, Response,
};
use homestar_engine::drivers::resolver::Resolver;

use super::net_server::*;

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// What is open to most tests: this machine.
fn local() -> Grants {
    grants(&[
        "https=localhost:*",
        "https=http://localhost:*",
        "https=http://127.0.0.1:*",
    ])
}

fn plain(port: u16) -> String {
    format!("http://localhost:{port}/")
}

async fn send(http: &Http, request: Request) -> Result<Response, Error> {
    http.send(&local().into(), &Secrets::default(), request)
        .await
}

/// Sends a request with a driver of its own.
fn once(request: Request) -> Result<Response, Error> {
    runtime().block_on(send(&http(Resolver::default()), request))
}

#[test]
fn a_response_is_as_it_comes() {
    let (sender, requests) = mpsc::channel();
    let port = serve(move |wire| {
        let _ = sender.send(read_request(wire));
        let head = b"HTTP/1.1 302 Found\r\nLocation: /else\r\nX-Twice: b\xfcr\r\nx-twice: 2\r\n\
            Set-Cookie: a=b\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nnot";
        let _ = wire.write_all(head);
    });
    let request = Request {
        headers: vec![
            ("X-Mine".into(), "b\u{fc}r".into()),
            ("Host".into(), "else".into()),
        ],
        body: b"hello".to_vec(),
        ..request("POST", &format!("{}a%20b?c=d#e", plain(port)))
    };
    let mut response = once(request).unwrap();
    assert_eq!(response.status, 302);
    let headers: Vec<_> = response
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let expected = [
        ("location", "/else"),
        ("x-twice", "b\u{fc}r"),
        ("x-twice", "2"),
        ("set-cookie", "a=b"),
        ("content-encoding", "gzip"),
        ("content-length", "3"),
    ];
    assert_eq!(headers, expected);
    assert_eq!(runtime().block_on(read(&mut response)), b"not");
    let (head, body) = requests.recv().unwrap().unwrap();
    assert!(head.starts_with("POST /a%20b?c=d HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: localhost:{port}\r\n")),
        "{head}"
    );
    assert!(
        head.contains("content-length: 5\r\n") && !head.contains("else"),
        "{head}"
    );
    for absent in ["user-agent", "referer", "cookie", "accept-encoding"] {
        assert!(!head.contains(absent), "{head}");
    }
    assert_eq!(body, b"hello");
}

#[test]
fn tls_takes_a_certificate_that_is_trusted() {
    let port = serve_tls(&["http/1.1"], answer(EMPTY));
    let url = format!("https://localhost:{port}/");
    assert_eq!(once(get(&url)).unwrap().status, 204);

    let other = authority_file(&make_authority());
    let settings = HttpSettings {
        authorities: vec![other.path().to_owned()],
    };
    let stranger = Http::new(&settings, Arc::new(Resolver::default())).unwrap();
    let error = runtime().block_on(send(&stranger, get(&url))).unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn tls_takes_the_name_that_was_asked_for() {
    let port = serve_tls(&["http/1.1"], answer(EMPTY));
    let url = format!("https://a.localhost:{port}/");
    let granted = grants(&["https=*.localhost:*"]);
    let http = http(Resolver::default());
    let secrets = Secrets::default();
    let permit = granted.into();
    let sent = http.send(&permit, &secrets, get(&url));
    let error = runtime().block_on(sent).unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn a_server_without_tls_is_not_talked_to() {
    let port = serve(|wire| {
        let _ = wire.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        wait_for_end(wire);
    });
    let error = once(get(&format!("https://localhost:{port}/"))).unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn files_without_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let new = |name: &str| {
        let settings = HttpSettings {
            authorities: vec![folder.path().join(name)],
        };
        Http::new(&settings, Arc::new(Resolver::default())).unwrap_err()
    };
    write(folder.path(), "empty.pem", "nothing here");
    write(
        folder.path(),
        "bad.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    assert!(matches!(new("absent.pem"), HttpError::Unreadable { .. }));
    assert!(matches!(new("empty.pem"), HttpError::Empty { .. }));
    assert!(matches!(new("bad.pem"), HttpError::Bad { .. }));
    assert!(new("empty.pem").to_string().contains("empty.pem"));
}

/// HTTP/2 by hand: settings, a head with the status 200 (the eighth of the static table), and two pieces.
#[test]
fn http_2_is_spoken_where_the_server_does() {
    let port = serve_tls(&["h2"], |wire| {
        let mut preface = [0; 24];
        wire.read_exact(&mut preface).unwrap();
        assert!(preface.starts_with(b"PRI * HTTP/2.0"));
        wire.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        loop {
            let mut frame = [0; 9];
            wire.read_exact(&mut frame).unwrap();
            let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
            let mut payload = vec![0; length as usize];
            wire.read_exact(&mut payload).unwrap();
            if frame[3] == 1 {
                break;
            }
        }
        wire.write_all(&[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]).unwrap();
        wire.write_all(&[0, 0, 2, 0, 0, 0, 0, 0, 1, b'o', b'k'])
            .unwrap();
        wire.write_all(&[0, 0, 1, 0, 1, 0, 0, 0, 1, b'!']).unwrap();
        wire.flush().unwrap();
        wait_for_end(wire);
    });
    let mut response = once(get(&format!("https://localhost:{port}/"))).unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(runtime().block_on(read(&mut response)), b"ok!");
}

#[test]
fn interim_responses_are_skipped() {
    let port = serve(answer(format!(
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{EMPTY}"
    )));
    assert_eq!(once(get(&plain(port))).unwrap().status, 204);
}

#[test]
fn a_server_that_never_answers_is_left() {
    let port = serve(wait_for_end);
    let request = Request {
        timeout_ms: Some(20),
        ..get(&plain(port))
    };
    assert_eq!(once(request).unwrap_err(), Error::Timeout);
    let silent = serve(wait_for_end);
    let request = Request {
        connect_timeout_ms: Some(20),
        ..get(&format!("https://localhost:{silent}/"))
    };
    assert_eq!(once(request).unwrap_err(), Error::Timeout);
}

#[test]
fn a_body_that_stops_is_left() {
    let port = serve(|wire| {
        read_request(wire);
        let _ = wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
        wait_for_end(wire);
    });
    let request = Request {
        timeout_ms: Some(500),
        ..get(&plain(port))
    };
    runtime().block_on(async {
        let mut response = send(&http(Resolver::default()), request).await.unwrap();
        assert_eq!(response.body.chunk().await, Ok(Some(Bytes::from("half"))));
        assert_eq!(response.body.chunk().await, Err(Error::Timeout));
        assert_eq!(response.body.chunk().await, Ok(None));
    });
}

#[test]
fn an_endless_body_ends_with_its_reader() {
    let (sender, ended) = mpsc::channel();
    let port = serve(move |wire| {
        read_request(wire);
        let _ = wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while wire.write_all(&[b'x'; 65536]).is_ok() {}
        let _ = sender.send(());
    });
    runtime().block_on(async {
        let mut response = send(&http(Resolver::default()), get(&plain(port)))
            .await
            .unwrap();
        for _ in 0..10 {
            let piece = response.body.chunk().await.unwrap().unwrap();
            assert!((1..=1 << 20).contains(&piece.len()));
        }
    });
    ended.recv().unwrap();
}

#[test]
fn nobody_there_is_no_connection() {
    let error = once(get("http://localhost:1/")).unwrap_err();
    assert!(
        matches!(&error, Error::Connection(text) if text.contains("refused")),
        "{error:?}"
    );
}

#[test]
fn what_is_not_http_is_told_from_what_broke() {
    let error = |response: &'static [u8]| {
        let port = serve(move |wire| {
            read_request(wire);
            let _ = wire.write_all(response);
        });
        runtime().block_on(async {
            let mut response = send(&http(Resolver::default()), get(&plain(port))).await?;
            while response.body.chunk().await?.is_some() {}
            Ok::<_, Error>(())
        })
    };
    for response in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let error = error(response).unwrap_err();
        let text = String::from_utf8_lossy(response);
        assert!(matches!(error, Error::Connection(_)), "{text:?}: {error:?}");
    }
    for response in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/1.1 2xx OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
    ] {
        let error = error(response).unwrap_err();
        let text = String::from_utf8_lossy(response);
        assert!(matches!(error, Error::Protocol(_)), "{text:?}: {error:?}");
    }
}

#[test]
fn heads_are_bounded() {
    for head in [
        "a: b\r\n".repeat(300),
        format!("a: {}\r\n", "b".repeat(70_000)),
        "c".repeat(1 << 20),
    ] {
        let port = serve(answer(format!("HTTP/1.1 200 OK\r\n{head}\r\n")));
        let error = once(get(&plain(port))).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    }
}

#[test]
fn a_body_is_sent_while_it_is_made() {
    let (sender, requests) = mpsc::channel();
    let port = serve(move |wire| {
        while let Some(request) = read_request(wire) {
            let _ = sender.send(request);
            let _ = wire.write_all(EMPTY.as_bytes());
        }
    });
    let http = http(Resolver::default());
    let send = |headers: &[(&str, &str)], pieces: Vec<Result<Bytes, Error>>| {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let request = Request {
            headers: headers.collect(),
            ..request("PUT", &plain(port))
        };
        runtime().block_on(async {
            let (sender, body) = Pieces::channel(1);
            let fill = tokio::spawn(async move {
                for piece in pieces {
                    match piece {
                        Ok(piece) => assert!(sender.send(piece).await),
                        Err(error) => return sender.fail(error),
                    }
                }
            });
            let sent = http
                .send_streaming(&local().into(), &Secrets::default(), &request, body)
                .await;
            fill.await.unwrap();
            sent.map(|response| response.status)
        })
    };
    let piece = |text: &'static str| Ok(Bytes::from(text));
    assert_eq!(send(&[], vec![piece("ab"), piece("c")]), Ok(204));
    let (head, body) = requests.recv().unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(body, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");

    let length = &[("content-length", "3")];
    assert_eq!(send(length, vec![piece("ab"), piece("c")]), Ok(204));
    let (head, body) = requests.recv().unwrap();
    assert!(
        head.contains("content-length: 3") && !head.contains("chunked"),
        "{head}"
    );
    assert_eq!(body, b"abc");

    for pieces in [vec![piece("ab")], vec![piece("ab"), piece("cd")]] {
        let error = send(length, pieces).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    }
    let failed = Error::Budget("no more bytes".to_owned());
    assert_eq!(
        send(&[], vec![piece("ab"), Err(failed.clone())]),
        Err(failed)
    );
}

/// Pieces come with a pause between them, each much shorter than the timeout, and all together longer.
#[test]
fn a_slow_upload_is_no_silent_server() {
    let port = serve(answer(EMPTY));
    let silent = serve(wait_for_end);
    let request = Request {
        timeout_ms: Some(1000),
        ..request("PUT", &plain(port))
    };
    let pause = Request {
        timeout_ms: Some(100),
        ..get(&plain(silent))
    };
    runtime().block_on(async {
        let (sender, body) = Pieces::channel(1);
        let fill = tokio::spawn(async move {
            let http = http(Resolver::default());
            for _ in 0..12 {
                assert_eq!(
                    send(&http, pause.clone()).await.unwrap_err(),
                    Error::Timeout
                );
                assert!(sender.send(Bytes::from("x")).await);
            }
        });
        let http = http(Resolver::default());
        let sent = http
            .send_streaming(&local().into(), &Secrets::default(), &request, body)
            .await;
        fill.await.unwrap();
        assert_eq!(sent.unwrap().status, 204);
    });
}

#[test]
fn secrets_go_out_and_do_not_come_back() {
    let (sender, requests) = mpsc::channel();
    let port = serve(move |wire| {
        let _ = sender.send(read_request(wire).unwrap().0);
        let head = b"HTTP/1.1 200 OK\r\nx-echo: <s3cr3t>\r\ncontent-length: 20\r\n\r\n";
        // In pieces that are cut within the value.
        let pieces: [&[u8]; 4] = [head, b"you sent s3", b"cr3", b"t, s3c"];
        for piece in pieces {
            let _ = wire.write_all(piece);
            let _ = wire.flush();
        }
        wait_for_end(wire);
    });
    let mut secrets = Secrets::default();
    secrets
        .insert(
            "T",
            "s3cr3t".to_owned(),
            &[format!("http://localhost:{port}")],
        )
        .unwrap();
    let request = Request {
        headers: vec![("authorization".into(), "Bearer {{secret:T}}".into())],
        ..get(&plain(port))
    };
    runtime().block_on(async {
        let http = http(Resolver::default());
        let mut response = http
            .send(&local().into(), &secrets, request.clone())
            .await
            .unwrap();
        assert_eq!(
            response.headers,
            [("x-echo".to_owned(), "<{{secret:T}}>".to_owned())]
        );
        assert_eq!(read(&mut response).await, b"you sent {{secret:T}}, s3c");
        assert!(
            requests
                .recv()
                .unwrap()
                .contains("authorization: Bearer s3cr3t\r\n")
        );

        let elsewhere = Request {
            url: format!("http://127.0.0.1:{port}/"),
            ..request
        };
        let denied = http
            .send(&local().into(), &secrets, elsewhere)
            .await
            .unwrap_err();
        let text = format!("the secret `T` is not bound to http://127.0.0.1:{port}");
        assert_eq!(denied, Error::Denied(text));
    });
}

/// A connection is free for the next request a moment after a body was read, so the next may be too early.
#[test]
fn connections_are_used_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    let port = serve(move |wire| {
        counter.fetch_add(1, Ordering::SeqCst);
        answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")(wire);
    });
    runtime().block_on(async {
        let http = http(Resolver::default());
        for sent in 1..1000 {
            let mut response = send(&http, get(&plain(port))).await.unwrap();
            assert_eq!(read(&mut response).await, b"ok");
            if connections.load(Ordering::SeqCst) < sent {
                return;
            }
        }
        panic!("each request had a connection of its own");
    });
}
