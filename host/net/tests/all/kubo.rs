//! kubo, from a Python environment in which somebody has installed `tests/kubo/requirements.txt`; the variable
//! `HOMESTAR_KUBO` names its interpreter. Without, its tests are skipped, but in CI they fail.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::helia::skip;

/// A peer that runs kubo, until it is dropped.
pub(crate) struct Kubo {
    /// Where it is: by TCP, and by QUIC.
    pub(crate) addresses: Vec<String>,
    /// Where files are for it.
    pub(crate) folder: tempfile::TempDir,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Kubo {
    /// Starts it. None if it isn't installed and the test may be skipped.
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("HOMESTAR_KUBO").map(PathBuf::from) else {
            skip(
                "kubo: HOMESTAR_KUBO should name a Python in which tests/kubo/requirements.txt is installed",
            );
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(python)
            .args(["-c", include_str!("../kubo/peer.py")])
            .arg(folder.path().join("repository"))
            // It keeps a log in the working directory.
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python");
        let mut kubo = Self {
            addresses: Vec::new(),
            folder,
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
        };
        let places = kubo.wait("at");
        kubo.addresses = places.split(' ').map(str::to_owned).collect();
        kubo.addresses.sort();
        Some(kubo)
    }

    /// Has it do something, and returns what it says behind `word`.
    pub(crate) fn ask(&mut self, command: &str, word: &str) -> String {
        writeln!(self.input, "{command}").expect("it listens");
        self.wait(word)
    }

    fn wait(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("it speaks");
            assert!(line.ends_with('\n'), "kubo ended");
            if let Some(rest) = line.trim().strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        // It doesn't hear other signals while it waits for a block.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
