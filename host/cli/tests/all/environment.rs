//! A home directory for one test, and what the program said in it.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The key of every test: the seed 0, 1, 2, … 31.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
    -----END PRIVATE KEY-----\n";

/// Passes on what the effect `random` says: a number, or the text of its error.
const DICE: &str = r#"
(component
    (import "homestar:random/types@0.1.0" (instance $types
        (type $cases (variant (case "denied" string) (case "budget" string) (case "too-many" u32)))
        (export "error" (type (eq $cases)))
    ))
    (alias export $types "error" (type $error))
    (import "homestar:random/random@0.1.0" (instance $random
        (alias outer 1 $error (type $outer))
        (export "error" (type $inner (eq $outer)))
        (type $answer (result u64 (error $inner)))
        (export "u64" (func (result $answer)))
    ))
    (core module $memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    )
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $bytes))
    (alias core export $memory "realloc" (core func $realloc))
    (alias export $random "u64" (func $u64))
    (core func $ask (canon lower (func $u64) (memory $bytes) (realloc $realloc)))
    (core module $dice
        (import "random" "u64" (func $ask (param i32)))
        (import "memory" "memory" (memory 1))
        (func (export "roll") (result i32)
            (call $ask (i32.const 16))
            (if (i32.load8_u (i32.const 16))
                ;; The text of an error lies behind the number of its case.
                (then (i64.store (i32.const 24) (i64.load (i32.const 28)))))
            (i32.const 16))
    )
    (core instance $dice (instantiate $dice
        (with "random" (instance (export "u64" (func $ask))))
        (with "memory" (instance $memory))
    ))
    (alias core export $dice "roll" (core func $roll))
    (func (export "roll") (result (result u64 (error string)))
        (canon lift (core func $roll) (memory $bytes)))
)"#;

/// A place where nothing is but what a test puts there. Compiled code is shared by all tests, as on a machine.
pub(crate) struct Environment {
    home: TempDir,
}

impl Environment {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        Self { home }
    }

    /// With these guests as `NAME.wasm`.
    pub(crate) fn with(guests: &[&str]) -> Self {
        let environment = Self::new();
        for name in guests {
            let (_, path) = homestar_guests::RUST
                .iter()
                .find(|(guest, _)| guest == name)
                .expect("a guest of this name");
            environment.put(&format!("{name}.wasm"), fs::read(path).unwrap());
        }
        environment
    }

    /// With these of the effects that come with the program as `NAME.wasm`.
    pub(crate) fn with_effects(self, effects: &[&str]) -> Self {
        for name in effects {
            let mut all = homestar_effects::all().iter();
            let effect = all.find(|effect| effect.name == *name).expect(name);
            self.put(&format!("{name}.wasm"), effect.bytes);
        }
        self
    }

    /// With a guest as `dice.wasm` whose function `roll` is that of the effect `random`.
    pub(crate) fn with_dice(self) -> Self {
        self.put("dice.wasm", wat::parse_str(DICE).expect("a component"));
        self
    }

    /// With a key that is the same every time.
    pub(crate) fn with_key(self) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = self.put(".config/homestar/key.pem", KEY);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Returns the program with these arguments, in this environment and without standard input.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.in_environment(env!("CARGO_BIN_EXE_homestar"), arguments)
    }

    /// Returns any program, in this environment and without standard input.
    pub(crate) fn in_environment(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env(
                "XDG_CACHE_HOME",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli"),
            )
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.said(&mut self.command(arguments))
    }

    /// With `input` on standard input, which is a pipe.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // It may end without reading all.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        self.of(output)
    }

    pub(crate) fn said(&self, command: &mut Command) -> Said {
        self.of(command.output().unwrap())
    }

    pub(crate) fn of(&self, output: std::process::Output) -> Said {
        let home = self.home.path().to_str().unwrap().to_owned();
        Said {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            home,
        }
    }
}

/// What the program said, and its exit code. Printed without what differs between two machines.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    home: String,
}

impl Said {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Returns standard output, which is one line of JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let text = self.stdout();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{self}");
        serde_json::from_str(text).unwrap()
    }

    fn neutral(&self, text: &str) -> String {
        text.replace(&self.home, "$HOME")
            .split_inclusive('\n')
            .map(neutral_line)
            .collect()
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(f, "{}", self.neutral(&stdout))?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr\n{}", self.neutral(&self.stderr))?;
        }
        write!(f, "--- exit code {}", self.code.unwrap_or(-1))
    }
}

/// Labels whose values depend on the compiler that built a guest, or on the machine.
const VARYING: [&str; 7] = [
    "fuel",
    "memory peak",
    "code",
    "start",
    "run",
    "size",
    "engine",
];

fn neutral_line(line: &str) -> String {
    for label in VARYING {
        let rest = line.strip_prefix(label).unwrap_or_default();
        let value = rest.trim_start();
        if rest.len() - value.len() >= 2 {
            let gap = &rest[..rest.len() - value.len()];
            return format!("{label}{gap}…\n");
        }
    }
    without_cids(line)
}

/// Returns `line` with every CID as its first letters and `…`. A file's are those of a raw block, also if it has several
/// blocks: how large components are is up to their compilers.
fn without_cids(line: &str) -> String {
    let is_part = |c: char| matches!(c, 'a'..='z' | '2'..='7');
    let mut text = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("baf") {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let shown = if end > 50 {
            format!("{}…", from[..5].replace("bafyb", "bafkr"))
        } else {
            from[..end].to_owned()
        };
        text += before;
        text += &shown;
        rest = &from[end..];
    }
    text + rest
}

/// Whether a program of the machine's is there; if not, says that what needs it was not tested.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("not tested: there is no `{program}` here");
    }
    found
}
