//! Our client with our server.

use homestar_core::car;
use homestar_core::ipld::{Block, Ipld};
use homestar_net::{
    EntityBytes, Fetch, FetchError, GatewayServer, Scope, ServerSettings, What, wait,
};

use crate::kept::{Kept, dag, directory, file, impatient, serve};
use crate::wire::{connect, request};

#[test]
fn a_block_goes_over() {
    let block = Block::raw(b"hello".to_vec());
    let (url, _server) = serve(Kept::new([block.clone()]));
    let gateways = impatient(&[&url]);
    assert_eq!(wait(gateways.block(block.cid())), Ok(block));
    let missing = *Block::raw(b"missing".to_vec()).cid();
    let Err(FetchError::Nowhere { cid, faults }) = wait(gateways.block(&missing)) else {
        panic!("found");
    };
    assert_eq!(cid, missing);
    assert_eq!(faults[0].what, What::Answered { status: 404 });
}

#[test]
fn a_block_of_the_largest_size_and_one_of_none_go_over() {
    for bytes in [vec![], vec![7; 1 << 20]] {
        let block = Block::raw(bytes);
        let (url, _server) = serve(Kept::new([block.clone()]));
        assert_eq!(wait(impatient(&[&url]).block(block.cid())), Ok(block));
    }
}

#[test]
fn a_file_goes_over_whole_and_in_part() {
    let blocks = file(250, 1000);
    let root = *blocks[0].cid();
    let (url, _server) = serve(Kept::new(blocks.clone()));
    let gateways = impatient(&[&url]);
    assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
    assert_eq!(dag(&gateways, &root, Scope::Entity).unwrap(), blocks);
    assert_eq!(dag(&gateways, &root, Scope::Block).unwrap(), blocks[..1]);
    // The last piece of the first node and the first of the second.
    let bytes = EntityBytes::try_from(99_999..100_001).unwrap();
    let part = dag(&gateways, &root, Scope::Bytes(bytes)).unwrap();
    let expected = [0, 1, 101, 102, 103].map(|at: usize| blocks[at].clone());
    assert_eq!(part, expected);
}

#[test]
fn many_blocks_come_in_any_order() {
    let blocks = file(50, 100);
    let (url, _server) = serve(Kept::new(blocks.clone()));
    let cids: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
    let mut taken = Vec::new();
    let mut take = |block: Block| {
        taken.push(*block.cid());
        std::ops::ControlFlow::Continue(())
    };
    wait(impatient(&[&url]).blocks(&cids, &mut take)).unwrap();
    taken.sort();
    let mut cids = cids;
    cids.sort();
    assert_eq!(taken, cids);
}

#[test]
fn what_a_car_file_leaves_out_comes_from_elsewhere() {
    let blocks = file(250, 1000);
    let root = *blocks[0].cid();
    let some = Kept::new(blocks.clone());
    some.remove(blocks[120].cid());
    let (first, _server) = serve(some);
    let (second, _other) = serve(Kept::new(blocks.clone()));
    let gateways = impatient(&[&first, &second]);
    assert_eq!(dag(&gateways, &root, Scope::All).unwrap(), blocks);
    let alone = dag(&impatient(&[&first]), &root, Scope::All).unwrap_err();
    assert!(
        alone.to_string().contains(&blocks[120].cid().to_string()),
        "{alone}"
    );
}

#[test]
fn the_same_block_over_and_over_comes_once() {
    let leaf = Block::raw(vec![0; 1 << 18]);
    let pieces = vec![(*leaf.cid(), 1 << 18); 100];
    let root = crate::kept::file_node(&pieces);
    let (url, _server) = serve(Kept::new([leaf.clone(), root.clone()]));
    let gateways = impatient(&[&url]);
    assert_eq!(
        dag(&gateways, root.cid(), Scope::All).unwrap(),
        [root.clone(), leaf.clone()]
    );
    let path = format!("/ipfs/{}?format=car", root.cid());
    let (_, body) = request(&url, "GET", &format!("{path}&car-dups=y"), "");
    assert!(body.len() > 100 << 18);
    let (_, body) = request(&url, "GET", &format!("{path}&car-dups=n"), "");
    assert!(body.len() < 2 << 18);
}

#[test]
fn the_head_is_as_the_specification_has_it() {
    let block = Block::raw(b"hello".to_vec());
    let cid = *block.cid();
    let (url, _server) = serve(Kept::new([block]));
    let (head, body) = request(&url, "GET", &format!("/ipfs/{cid}?format=raw"), "");
    assert_eq!(body, b"hello");
    for line in [
        "http/1.1 200 ok",
        "content-type: application/vnd.ipld.raw",
        "content-length: 5",
        "cache-control: public, max-age=29030400, immutable",
        "x-content-type-options: nosniff",
        &format!("etag: \"{cid}.raw\""),
        &format!("content-disposition: attachment; filename=\"{cid}.bin\""),
        &format!("x-ipfs-path: /ipfs/{cid}"),
        &format!("x-ipfs-roots: {cid}"),
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
    let (head, body) = request(&url, "HEAD", &format!("/ipfs/{cid}?format=raw"), "");
    assert!(
        head.contains("content-length: 5") && body.is_empty(),
        "{head}"
    );
    let known = format!("if-none-match: W/\"x\", \"{cid}.raw\"\r\n");
    let (head, body) = request(&url, "GET", &format!("/ipfs/{cid}?format=raw"), &known);
    assert!(
        head.starts_with("http/1.1 304") && body.is_empty(),
        "{head}"
    );
    // How clients ask whether this is a gateway.
    let (head, body) = request(&url, "GET", "/ipfs/bafkqaaa?format=raw", "");
    assert!(
        head.starts_with("http/1.1 200") && body.is_empty(),
        "{head}"
    );
}

#[test]
fn other_requests_are_refused() {
    let block = Block::raw(b"hello".to_vec());
    let cid = *block.cid();
    let (url, _server) = serve(Kept::new([block]));
    let missing = *Block::raw(vec![]).cid();
    for (method, path, status) in [
        ("GET", format!("/ipfs/{cid}"), 400),
        ("GET", format!("/ipfs/{cid}?format=html"), 406),
        ("GET", format!("/ipfs/{missing}?format=raw"), 404),
        ("HEAD", format!("/ipfs/{missing}?format=car"), 404),
        ("POST", format!("/ipfs/{cid}?format=raw"), 405),
        ("GET", format!("/ipfs/{cid}?format=car&entity-bytes=x"), 400),
        ("GET", format!("/ipfs/{}", "x".repeat(20_000)), 431),
    ] {
        let (head, _) = request(&url, method, &path, "");
        assert!(
            head.starts_with(&format!("http/1.1 {status}")),
            "{method} {path}: {head}"
        );
    }
}

#[test]
fn paths_lead_through_directories_and_values() {
    let leaf = Block::raw(b"leaf".to_vec());
    let value = Ipld::Map(
        [(
            "a".to_owned(),
            Ipld::List(vec![Ipld::Null, Ipld::Link(*leaf.cid())]),
        )]
        .into(),
    );
    let value = Block::of_dag_cbor(&value).unwrap();
    let root = directory(&[(value.cid(), "dir name"), (leaf.cid(), "z")]);
    let all = [root.clone(), value.clone(), leaf.clone()];
    let (url, _server) = serve(Kept::new(all.clone()));
    let car = |path: &str| {
        let (head, body) = request(
            &url,
            "GET",
            &format!("/ipfs/{}{path}", root.cid()),
            "connection: close\r\n",
        );
        (head, body)
    };
    let (head, body) = car("/dir%20name/a/1?format=car&dag-scope=block");
    let roots = all
        .each_ref()
        .map(|block| block.cid().to_string())
        .join(",");
    assert!(head.contains(&format!("x-ipfs-roots: {roots}")), "{head}");
    assert_eq!(
        car::Reader::new(&unchunk(&body))
            .unwrap()
            .collect::<Result<Vec<_>, _>>()
            .unwrap(),
        all
    );
    for path in ["/none", "/dir%20name/a/0", "/dir%20name/a/7", "/z/a"] {
        let (head, _) = car(&format!("{path}?format=car"));
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
    }
}

#[test]
fn paths_lead_through_sharded_directories() {
    use homestar_core::unixfs::{DirectoryWriter, Entry};
    let mut blocks = Vec::new();
    let mut put = |block: Block| {
        blocks.push(block);
        Ok::<(), std::convert::Infallible>(())
    };
    let mut writer = DirectoryWriter::new().shard_above(0);
    for at in 0..2000u32 {
        let leaf = Block::raw(at.to_le_bytes().to_vec());
        let entry = Entry {
            cid: *leaf.cid(),
            file_bytes: 4,
            total_bytes: 4,
        };
        writer.add(&format!("name {at}"), entry).unwrap();
        put(leaf).unwrap();
    }
    let root = writer.finish(&mut put).unwrap().cid;
    let shards = blocks.len() - 2000;
    let (url, _server) = serve(Kept::new(blocks));
    let (head, body) = request(
        &url,
        "GET",
        &format!("/ipfs/{root}/name%20777?format=car"),
        "",
    );
    let leaf = Block::raw(777u32.to_le_bytes().to_vec());
    assert!(
        head.contains(&format!("x-ipfs-roots: {root},{}\r", leaf.cid())),
        "{head}"
    );
    let found: Vec<_> = car::Reader::new(&unchunk(&body))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(found.last(), Some(&leaf));
    assert!((2..5).contains(&found.len()));
    // All of the list, and nothing that is in it.
    let list = dag(&impatient(&[&url]), &root, Scope::Entity).unwrap();
    assert_eq!(list.len(), shards);
    let (head, _) = request(&url, "GET", &format!("/ipfs/{root}/none?format=car"), "");
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

/// A body without its chunks.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let at = body
            .windows(2)
            .position(|window| window == b"\r\n")
            .unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&body[..at]).unwrap(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[at + 2..at + 2 + length]);
        body = &body[at + 4 + length..];
    }
}

#[test]
fn too_many_are_told_to_come_again() {
    let settings = ServerSettings {
        connections_max: 1,
        ..ServerSettings::default()
    };
    let (address, _server) = GatewayServer::spawn(settings, Kept::new([])).unwrap();
    let url = format!("http://{address}");
    let first = connect(&url);
    let (head, _) = request(&url, "GET", "/ipfs/bafkqaaa?format=raw", "");
    assert!(head.starts_with("http/1.1 503"), "{head}");
    drop(first);
}

#[test]
fn who_says_nothing_or_takes_nothing_is_dropped() {
    use std::io::{Read, Write};
    let blocks = file(100, 1 << 18);
    let short = std::time::Duration::from_millis(200);
    let settings = ServerSettings {
        head_timeout: short,
        write_timeout: short,
        ..ServerSettings::default()
    };
    let (address, server) = GatewayServer::spawn(settings, Kept::new(blocks.clone())).unwrap();
    let mut silent = connect(&address.to_string());
    silent.write_all(b"GET /ipfs/").unwrap();
    let mut said = Vec::new();
    let _ = silent.read_to_end(&mut said);
    // Nothing is read until the server has ended, and that waits for connections.
    let mut deaf = connect(&address.to_string());
    let request = format!(
        "GET /ipfs/{}?format=car HTTP/1.1\r\nhost: x\r\n\r\n",
        blocks[0].cid()
    );
    deaf.write_all(request.as_bytes()).unwrap();
    let mut first = [0];
    deaf.read_exact(&mut first).unwrap();
    server.shutdown();
    let mut rest = Vec::new();
    let _ = deaf.read_to_end(&mut rest);
    assert!(rest.len() < 100 << 18, "{}", rest.len());
}

#[test]
fn a_server_lets_answers_end() {
    use std::io::{Read, Write};
    let blocks = file(60, 1 << 18);
    let (url, server) = serve(Kept::new(blocks.clone()));
    let mut stream = connect(&url);
    let request = format!(
        "GET /ipfs/{}?format=car HTTP/1.1\r\nhost: x\r\n\r\n",
        blocks[0].cid()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 9];
    stream.read_exact(&mut first).unwrap();
    let ending = std::thread::spawn(move || server.shutdown());
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    ending.join().unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n") && rest.len() > 60 << 18);
    assert!(std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err());
}
