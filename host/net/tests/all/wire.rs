//! Servers that answer with bytes of ours, and clients that say what they want.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Serves connections on `127.0.0.1`, a thread for each, and returns the URL.
pub(crate) fn serve(serve: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || {
                while let Some(head) = read_head(&mut stream) {
                    serve(&mut stream, &head);
                }
            });
        }
    });
    format!("http://{address}")
}

/// Answers each request with the same bytes, and closes.
pub(crate) fn answer(response: impl Into<Vec<u8>>) -> String {
    let response = response.into();
    serve(move |stream, _| {
        let _ = stream.write_all(&response);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    })
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).to_lowercase())
}

/// A response with a body and its length.
pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Waits until the other side goes away.
pub(crate) fn wait_for_end(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// Sends a request, and returns the answer's head, in lower case, and its body.
pub(crate) fn request(url: &str, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = connect(url);
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream
        .write_all(request.as_bytes())
        .expect("a request that is sent");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let at = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
    (head, bytes.split_off(at + 4))
}

pub(crate) fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).expect("a connection")
}
