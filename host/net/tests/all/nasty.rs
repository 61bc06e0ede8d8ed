//! Our client with servers that are wrong on purpose.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use homestar_core::car;
use homestar_core::ipld::{Block, Cid};
use homestar_net::{Fetch, FetchError, Scope, What, wait};

use crate::kept::{Kept, dag, file, impatient, serve};
use crate::wire::{self, answer, response, wait_for_end};

const RAW: &str = "content-type: application/vnd.ipld.raw\r\n";
const CAR: &str = "content-type: application/vnd.ipld.car; version=1; order=dfs; dups=y\r\n";

fn hello() -> Block {
    Block::raw(b"hello".to_vec())
}

/// What a gateway did that didn't give a block.
fn what(url: &str, cid: &Cid) -> What {
    match wait(impatient(&[url]).block(cid)) {
        Err(FetchError::Nowhere { mut faults, .. }) => faults.remove(0).what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_goes_wrong_is_named() {
    let cid = *hello().cid();
    let lie = answer(response("200 OK", RAW, b"jello"));
    assert_eq!(what(&lie, &cid), What::Lied { cid });
    let page = answer(response(
        "200 OK",
        "content-type: text/html; charset=utf-8\r\n",
        b"hello",
    ));
    assert!(matches!(what(&page, &cid), What::ContentType { .. }));
    for status in [404, 410, 500, 503] {
        let url = answer(response(&format!("{status} No"), "", b""));
        assert_eq!(what(&url, &cid), What::Answered { status });
    }
    let cut = answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
    assert!(matches!(what(&cut, &cid), What::BrokeOff { bytes: 3, .. }));
    let garbage = answer("garbage\r\n\r\n");
    assert!(matches!(
        what(&garbage, &cid),
        What::BrokeOff { bytes: 0, .. }
    ));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    assert!(matches!(what(&url, &cid), What::Unreachable(_)));
}

#[test]
fn who_is_silent_is_not_waited_for() {
    let cid = *hello().cid();
    let silent = wire::serve(|stream, _| wait_for_end(stream));
    assert!(matches!(what(&silent, &cid), What::TimedOut(_)));
    let stalls = wire::serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
        wait_for_end(stream);
    });
    assert!(matches!(
        what(&stalls, &cid),
        What::Stalled { bytes: 2, .. }
    ));
}

#[test]
fn more_than_a_block_is_not_read() {
    let cid = *hello().cid();
    let large = answer("HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n");
    assert!(matches!(what(&large, &cid), What::TooMuch { .. }));
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let endless = wire::serve(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[7; 65536]).is_ok() {
            counted.fetch_add(65536, Ordering::Relaxed);
        }
    });
    assert!(matches!(what(&endless, &cid), What::TooMuch { .. }));
    // Besides a block, what lies in buffers of the system.
    assert!(taken.load(Ordering::Relaxed) < 32 << 20);
}

#[test]
fn the_next_gives_what_one_does_not() {
    let block = hello();
    let (good, _server) = serve(Kept::new([block.clone()]));
    let silent = wire::serve(|stream, _| wait_for_end(stream));
    let broken = answer(response("500 No", "", b""));
    let gateways = impatient(&[&silent, &broken, &good]);
    assert_eq!(wait(gateways.block(block.cid())), Ok(block));
}

#[test]
fn a_liar_is_asked_once() {
    let (first, second) = (hello(), Block::raw(b"second".to_vec()));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let liar = wire::serve(move |stream, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        let _ = stream.write_all(&response("200 OK", RAW, b"jello"));
    });
    let (good, _server) = serve(Kept::new([first.clone(), second.clone()]));
    let gateways = impatient(&[&liar, &good]);
    assert_eq!(wait(gateways.block(first.cid())), Ok(first.clone()));
    assert_eq!(wait(gateways.block(second.cid())), Ok(second));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let dropped = gateways.standings()[0].dropped.clone().expect("a liar");
    let said = format!("{liar}/ sent other bytes than {}", first.cid());
    assert_eq!(dropped.to_string(), said);
    assert_eq!(gateways.standings()[1].dropped, None);
    let missing = *Block::raw(vec![]).cid();
    let error = wait(gateways.block(&missing)).unwrap_err().to_string();
    assert!(
        error.contains("isn't asked any more: it sent other bytes than"),
        "{error}"
    );
}

#[test]
fn redirects_lead_nowhere_else() {
    let cid = *hello().cid();
    let redirect = |to: &str| {
        let moved = response("302 Found", &format!("location: {to}\r\n"), b"");
        wire::serve(move |stream, _| {
            let _ = stream.write_all(&moved);
        })
    };
    for to in [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:22/",
        "https://example.com/ipfs/x",
        "file:///etc/passwd",
        "http://[::1]/",
    ] {
        let What::Redirected { to: named, .. } = what(&redirect(to), &cid) else {
            panic!("{to}");
        };
        assert_eq!(named, to);
    }
    // To itself, for ever.
    let What::Redirected { why, .. } = what(&redirect("/ipfs/again"), &cid) else {
        panic!("no end");
    };
    assert_eq!(why, "and on and on");
}

#[test]
fn a_redirect_on_the_same_host_is_followed() {
    let moved = wire::serve(|stream, head| {
        let answer = match head.starts_with("get /there ") {
            true => response("200 OK", RAW, b"hello"),
            false => response("301 Moved", "location: /there\r\n", b""),
        };
        let _ = stream.write_all(&answer);
    });
    assert_eq!(wait(impatient(&[&moved]).block(hello().cid())), Ok(hello()));
}

#[test]
fn who_asks_to_be_left_alone_is_asked_again_later() {
    let calls = Mutex::new(0);
    let busy = wire::serve(move |stream, _| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        let answer = match *calls {
            1 => response("429 Too Many Requests", "retry-after: 1\r\n", b""),
            _ => response("200 OK", RAW, b"hello"),
        };
        let _ = stream.write_all(&answer);
    });
    let gateways = impatient(&[&busy]);
    assert!(wait(gateways.block(hello().cid())).is_err());
    assert_eq!(wait(gateways.block(hello().cid())), Ok(hello()));
}

/// A gateway that answers a request for a CAR file with these bytes, and others with blocks of a source.
fn with_car(car: Vec<u8>, blocks: &[Block]) -> String {
    let blocks = blocks.to_vec();
    wire::serve(move |stream, head| {
        if head.contains("format=car") {
            let _ = stream.write_all(&response("200 OK", CAR, &car));
            return;
        }
        let found = blocks
            .iter()
            .find(|block| head.contains(&block.cid().to_string()));
        let answer = match found {
            Some(block) => response("200 OK", RAW, block.bytes()),
            None => response("404 Not Found", "", b""),
        };
        let _ = stream.write_all(&answer);
    })
}

#[test]
fn a_car_file_with_other_blocks_gives_none_of_them() {
    let blocks = file(20, 100);
    let root = *blocks[0].cid();
    let foreign: Vec<_> = (0..100u8).map(|at| Block::raw(vec![at; 9])).collect();
    for count in [3, 100] {
        let mut all = vec![blocks[0].clone()];
        all.extend_from_slice(&foreign[..count]);
        all.extend_from_slice(&blocks[1..]);
        let url = with_car(car::write(&[root], &all), &blocks);
        assert_eq!(dag(&impatient(&[&url]), &root, Scope::All).unwrap(), blocks);
    }
}

#[test]
fn a_car_file_that_is_cut_is_completed() {
    let blocks = file(20, 1000);
    let root = *blocks[0].cid();
    let whole = car::write(&[root], &blocks);
    for end in [0, 1, 30, 59, 200, 5000, whole.len() - 1] {
        let url = with_car(whole[..end].to_vec(), &blocks);
        assert_eq!(
            dag(&impatient(&[&url]), &root, Scope::All).unwrap(),
            blocks,
            "{end}"
        );
    }
}

#[test]
fn a_car_file_that_lies_ends_the_trust() {
    let blocks = file(20, 1000);
    let root = *blocks[0].cid();
    let mut lie = car::write(&[root], &blocks);
    let at = lie.len() - 5;
    lie[at] ^= 1;
    let liar = with_car(lie, &blocks);
    let (good, _server) = serve(Kept::new(blocks.clone()));
    let gateways = impatient(&[&liar, &good]);
    assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
    let last = *blocks.last().unwrap().cid();
    assert_eq!(
        gateways.standings()[0].dropped.as_ref().unwrap().what,
        What::Lied { cid: last }
    );
}

#[test]
fn who_knows_no_car_gives_blocks() {
    let blocks = file(20, 1000);
    let root = *blocks[0].cid();
    let kept = blocks.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    for answer_to_car in [
        response("406 Not Acceptable", "", b""),
        response("200 OK", RAW, blocks[0].bytes()),
    ] {
        let (kept, counted) = (kept.clone(), counted.clone());
        let url = wire::serve(move |stream, head| {
            let found = kept
                .iter()
                .find(|block| head.contains(&block.cid().to_string()));
            let answer = match head.contains("format=car") {
                true => {
                    counted.fetch_add(1, Ordering::Relaxed);
                    answer_to_car.clone()
                }
                false => response("200 OK", RAW, found.expect("a block").bytes()),
            };
            let _ = stream.write_all(&answer);
        });
        asked.store(0, Ordering::Relaxed);
        let gateways = impatient(&[&url]);
        assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
        assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_gateway_that_nobody_hears_of_is_an_error() {
    let cid = *hello().cid();
    assert_eq!(
        wait(impatient(&[]).block(&cid)),
        Err(FetchError::NoProvider { cid })
    );
}
