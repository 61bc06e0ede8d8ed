//! Looks at everything outside that WASI 0.2 offers.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

wit_bindgen::generate!({ generate_all });

struct Nosy;

impl Guest for Nosy {
    fn now() -> (u64, u32) {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        (since.as_secs(), since.subsec_nanos())
    }

    fn elapsed_of_sleep(ms: u64) -> u64 {
        let start = Instant::now();
        thread::sleep(Duration::from_millis(ms));
        start.elapsed().as_nanos() as u64
    }

    fn random(n: u32) -> Vec<u8> {
        wasi::random::random::get_random_bytes(n.into())
    }

    fn hash_seed() -> u64 {
        RandomState::new().build_hasher().finish()
    }

    fn read_file(path: String) -> Result<String, String> {
        fs::read_to_string(path).map_err(text)
    }

    fn write_file(path: String, text: String) -> Result<(), String> {
        fs::write(path, text).map_err(self::text)
    }

    fn env(name: String) -> Option<String> {
        env::var(name).ok()
    }

    fn all_env() -> Vec<(String, String)> {
        env::vars().collect()
    }

    fn arguments() -> Vec<String> {
        env::args().collect()
    }

    /// Not called `connect`: an export of the world is a C symbol of that name, and libc has one.
    fn connect_to(address: String) -> Result<(), String> {
        TcpStream::connect(address).map(drop).map_err(text)
    }

    fn resolve(name: String) -> Result<Vec<String>, String> {
        let addresses = name.to_socket_addrs().map_err(text)?;
        Ok(addresses.map(|address| address.ip().to_string()).collect())
    }

    fn read_input() -> Result<Vec<u8>, String> {
        let mut input = Vec::new();
        io::stdin().read_to_end(&mut input).map_err(text)?;
        Ok(input)
    }

    /// Doesn't mind if nobody listens, as `println!` would.
    fn print(text: String) {
        let _ = writeln!(io::stdout(), "{text}");
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn text(error: io::Error) -> String {
    error.to_string()
}

export!(Nosy);
