//! Servers of files on this machine, for as long as the tests run.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use crate::environment::Environment;

/// Gives the files of an environment.
pub(crate) struct Web {
    url: String,
}

impl Web {
    pub(crate) fn new(it: &Environment) -> Self {
        let folder: PathBuf = it.path("");
        let url = serve(move |path| {
            let (status, body) = match fs::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), &body].concat()
        });
        Self { url }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }
}

/// Answers with these bytes and closes. Returns the URL.
pub(crate) fn serve_once(answer: &'static [u8]) -> String {
    serve(|_| answer.to_vec())
}

/// Answers each request by its path, on a connection of its own.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if let Some(head) = head(&mut stream) {
                let path = head.split(' ').nth(1).unwrap_or_default();
                let _ = stream.write_all(&answer(path.trim_start_matches('/')));
            }
        }
    });
    format!("http://{address}")
}

fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}
