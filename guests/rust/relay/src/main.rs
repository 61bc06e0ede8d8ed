//! Passes its standard input on to its standard output, as `cat` does: what `wasmtime run` is measured with.

use std::io::{self, Read, Write};
use std::process;

/// How much is passed on at a time.
const STEP: usize = 64 * 1024;

fn main() {
    if let Err(error) = relay() {
        eprintln!("relay: {error}");
        process::exit(1);
    }
}

fn relay() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut buffer = vec![0; STEP];
    loop {
        match input.read(&mut buffer)? {
            0 => return output.flush(),
            length => output.write_all(&buffer[..length])?,
        }
    }
}
