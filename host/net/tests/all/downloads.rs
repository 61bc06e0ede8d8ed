//! Files from where a URL says: of servers that are right, and of some that are wrong on purpose.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use homestar_core::ipld::Block;
use homestar_net::{
    AuthoritiesError, DownloadUrl, Downloads, DownloadsSettings, Fault, Fetch, FetchError, Gateway,
    Gateways, GatewaysSettings, What, wait,
};

use crate::strangers::Nginx;
use crate::tls::Authority;
use crate::wire::{self, answer, response, wait_for_end};

const BYTES_MAX: u64 = 1 << 30;

fn url(text: &str) -> DownloadUrl {
    text.parse().expect("a URL")
}

/// Somebody who doesn't wait long for who is silent.
fn impatient() -> DownloadsSettings {
    DownloadsSettings {
        answer_timeout: Duration::from_millis(300),
        stall_timeout: Duration::from_millis(300),
        ..DownloadsSettings::default()
    }
}

fn trusting(authority: &Authority) -> Downloads {
    let settings = DownloadsSettings {
        authorities: vec![authority.file()],
        ..DownloadsSettings::default()
    };
    Downloads::new(&settings).expect("downloads")
}

/// All bytes of a file, or what went wrong.
fn whole(downloads: &Downloads, at: &str, bytes_max: u64) -> Result<Vec<u8>, Box<Fault>> {
    let mut download = downloads.get(&url(at), bytes_max)?;
    let mut bytes = Vec::new();
    loop {
        match download.piece()? {
            piece if piece.is_empty() => return Ok(bytes),
            piece => bytes.extend_from_slice(&piece),
        }
    }
}

/// What went wrong with a file.
fn what(at: &str) -> What {
    let downloads = Downloads::new(&impatient()).expect("downloads");
    whole(&downloads, at, 100).expect_err("a fault").what
}

#[test]
fn a_file_comes_piece_by_piece() {
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let served = answer(response("200 OK", "", &content));
    let downloads = Downloads::new(&DownloadsSettings::default()).expect("downloads");
    assert_eq!(whole(&downloads, &served, BYTES_MAX).unwrap(), content);
    let mut download = downloads.get(&url(&served), BYTES_MAX).unwrap();
    assert_eq!(download.length(), Some(content.len() as u64));
    let mut read = Vec::new();
    download.read_to_end(&mut read).unwrap();
    assert_eq!(read, content);
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    let chunked = answer(chunked);
    assert_eq!(whole(&downloads, &chunked, 5).unwrap(), b"hello");
}

#[test]
fn a_part_is_never_the_whole() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n",
    ] {
        let broken = what(&answer(cut));
        assert!(
            matches!(broken, What::BrokeOff { bytes: 3, .. }),
            "{broken:?}"
        );
    }
    // It is said as often as somebody asks.
    let cut = answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
    let downloads = Downloads::new(&impatient()).expect("downloads");
    let mut download = downloads.get(&url(&cut), 100).unwrap();
    let mut bytes = Vec::new();
    let error = download.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(bytes, b"hel");
    assert!(
        error.to_string().contains("broke off after 3 bytes"),
        "{error}"
    );
    assert!(download.read(&mut [0; 9]).is_err());
}

#[test]
fn what_goes_wrong_is_named() {
    for status in [204, 206, 404, 500] {
        let url = answer(response(&format!("{status} No"), "", b""));
        assert_eq!(what(&url), What::Answered { status });
    }
    let silent = wire::serve(|stream, _| wait_for_end(stream));
    assert!(matches!(what(&silent), What::TimedOut(_)));
    let stalls = wire::serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
        wait_for_end(stream);
    });
    assert!(matches!(what(&stalls), What::Stalled { bytes: 2, .. }));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    assert!(matches!(what(&at), What::Unreachable(_)));
}

#[test]
fn more_than_was_asked_for_is_not_read() {
    let bytes_max = 100;
    let told = answer("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n");
    assert_eq!(what(&told), What::TooMuch { bytes_max });
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let endless = wire::serve(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[7; 65536]).is_ok() {
            counted.fetch_add(65536, Ordering::Relaxed);
        }
    });
    assert_eq!(what(&endless), What::TooMuch { bytes_max });
    // Besides that, what lies in buffers of the system.
    assert!(taken.load(Ordering::Relaxed) < 32 << 20);
    let exact = answer(response("200 OK", "", &[7; 100]));
    let downloads = Downloads::new(&impatient()).expect("downloads");
    assert_eq!(whole(&downloads, &exact, 100).unwrap(), [7; 100]);
}

#[test]
fn who_takes_slowly_is_waited_for_and_holds_little() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let served = wire::serve(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
        while stream.write_all(&[7; 65536]).is_ok() {
            counted.fetch_add(65536, Ordering::Relaxed);
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
    let downloads = Downloads::new(&impatient()).expect("downloads");
    let mut download = downloads.get(&url(&served), BYTES_MAX).unwrap();
    let mut first = [0; 1 << 20];
    download.read_exact(&mut first).unwrap();
    drop(download);
    assert!(sent.load(Ordering::Relaxed) < 32 << 20);
}

#[test]
fn who_is_slow_is_left() {
    let served = answer(response("200 OK", "", &[7; 50_000]));
    let settings = |rate_min, rate_grace| DownloadsSettings {
        rate_min,
        rate_grace,
        ..impatient()
    };
    // Nobody sends as fast as that, and anybody may in the beginning.
    let (fastest, hour) = (u64::MAX, Duration::from_secs(3600));
    let downloads = Downloads::new(&settings(fastest, Duration::ZERO)).unwrap();
    let fault = whole(&downloads, &served, BYTES_MAX).unwrap_err();
    assert_eq!(fault.what, What::TooSlow { rate_min: fastest });
    for (rate_min, grace) in [(fastest, hour), (0, Duration::ZERO)] {
        let downloads = Downloads::new(&settings(rate_min, grace)).unwrap();
        assert!(whole(&downloads, &served, BYTES_MAX).is_ok());
    }
    let block = Block::raw(vec![7; 50_000]);
    let gateways = Gateways::new(GatewaysSettings {
        gateways: vec![Gateway::parse(&served).unwrap()],
        rate_min: fastest,
        rate_grace: Duration::ZERO,
        ..GatewaysSettings::default()
    });
    let Err(FetchError::Nowhere { faults, .. }) = wait(gateways.unwrap().block(block.cid())) else {
        panic!("it isn't slow");
    };
    assert_eq!(faults[0].what, What::TooSlow { rate_min: fastest });
}

#[test]
fn redirects_lead_nowhere_closed() {
    let other = answer(response("200 OK", "", b"secret"));
    for to in [
        other.as_str(),
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "http://example.com/",
        "https://[::1]/",
        "file:///etc/passwd",
    ] {
        let moved = response("302 Found", &format!("location: {to}\r\n"), b"");
        let What::Redirected { to: named, .. } = what(&answer(moved)) else {
            panic!("{to}");
        };
        assert!(named.starts_with(to), "{named}");
    }
    let moved = answer(response("307 Again", "location: /again\r\n", b""));
    let What::Redirected { why, .. } = what(&moved) else {
        panic!("no end");
    };
    assert_eq!(why, "and on and on");
}

#[test]
fn the_server_is_the_one_of_its_certificate() {
    let authority = Authority::new("localhost");
    let served = authority.serve(|head| match head.starts_with("get /there?a=b ") {
        true => response("200 OK", "", b"hello"),
        false => response("301 Moved", "location: /there?a=b\r\n", b""),
    });
    assert_eq!(whole(&trusting(&authority), &served, 5).unwrap(), b"hello");
    // To nobody else it is somebody.
    let What::Unreachable(why) = what(&served) else {
        panic!("it is trusted");
    };
    assert!(why.contains("certificate"), "{why}");
    let other = Authority::new("localhost");
    let fault = whole(&trusting(&other), &served, 5).unwrap_err();
    assert!(matches!(fault.what, What::Unreachable(_)), "{fault}");
    // Under another name it is nobody to anyone.
    let by_address = served.replace("localhost", "127.0.0.1");
    let fault = whole(&trusting(&authority), &by_address, 5).unwrap_err();
    let What::Unreachable(why) = fault.what else {
        panic!("{fault}");
    };
    assert!(why.contains("not valid for name"), "{why}");
}

#[test]
fn a_gateway_is_the_one_of_its_certificate() {
    let authority = Authority::new("localhost");
    let block = Block::raw(b"hello".to_vec());
    let served = authority.serve(|_| response("200 OK", "", b"hello"));
    let gateways = |authorities| {
        Gateways::new(GatewaysSettings {
            gateways: vec![Gateway::parse(&served).unwrap()],
            authorities,
            ..GatewaysSettings::default()
        })
        .unwrap()
    };
    let trusted = gateways(vec![authority.file()]);
    assert_eq!(wait(trusted.block(block.cid())), Ok(block.clone()));
    let Err(FetchError::Nowhere { faults, .. }) = wait(gateways(vec![]).block(block.cid())) else {
        panic!("it is trusted");
    };
    assert!(matches!(faults[0].what, What::Unreachable(_)), "{faults:?}");
}

#[test]
fn authorities_that_are_none_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let new = |path: &std::path::Path| {
        Downloads::new(&DownloadsSettings {
            authorities: vec![path.to_owned()],
            ..DownloadsSettings::default()
        })
    };
    let error = new(&missing).unwrap_err();
    assert!(matches!(&error, AuthoritiesError::Unreadable { path, .. } if *path == missing));
    assert!(error.to_string().contains("missing.pem"), "{error}");
}

#[test]
fn nginx_serves_files_with_tls() {
    let authority = Authority::new("localhost");
    let Some(nginx) = Nginx::with_tls(&authority) else {
        return;
    };
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    nginx.put("large.bin", &content);
    let downloads = trusting(&authority);
    let at = |path: &str| format!("{}{path}", nginx.url());
    assert_eq!(
        whole(&downloads, &at("/large.bin"), BYTES_MAX).unwrap(),
        content
    );
    assert_eq!(
        whole(&downloads, &at("/moved/large.bin"), BYTES_MAX).unwrap(),
        content
    );
    let fault = whole(&downloads, &at("/nothing"), BYTES_MAX).unwrap_err();
    assert_eq!(fault.what, What::Answered { status: 404 });
    assert_eq!(*fault.provider, *at("/nothing"));
}
