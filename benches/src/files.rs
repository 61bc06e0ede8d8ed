//! A GiB of file into the store, through a guest from the store to the store, and out of it: whole programs.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use homestar_core::ipld::cid_of_raw;
use tempfile::TempDir;

use crate::Error;
use crate::measure::{Effort, Measurement, Program, memory_of_children, programs};
use crate::peers::{homestar_command, kubo_library, run, wasmtime_command};

/// The first argument of this program when it is started by itself to do the least that passing a file through takes.
/// With how often each byte is hashed, and the file.
pub(crate) const FLOOR: &str = "--two-copies";

/// The first argument of this program when it is started by itself to say how much memory another takes.
pub(crate) const PEAK: &str = "--peak";

/// Bytes of the file.
const BYTES: u64 = 1 << 30;

/// Bytes of the file when all that is asked is whether it works.
const BYTES_QUICK: u64 = 64 << 20;

/// As the store cuts it.
const CHUNK_BYTES: usize = 256 << 10;

/// kubo as a library: `k.py LIBRARY REPOSITORY init`, `add FILE` or `get CID FILE`.
const KUBO: &str = r#"
import ctypes, sys
library, repository, what, *rest = sys.argv[1:]
kubo = ctypes.CDLL(library)
kubo.AddFile.restype = ctypes.c_char_p
text = lambda value: ctypes.c_char_p(value.encode())
if what == "init":
    sys.exit(kubo.CreateRepo(text(repository)) < 0)
elif what == "add":
    print(kubo.AddFile(text(repository), text(rest[0]), ctypes.c_bool(False)).decode())
else:
    sys.exit(kubo.Download(text(repository), text(rest[0]), text(rest[1])) < 0)
"#;

/// A file, and a folder for what programs keep.
struct Place {
    folder: TempDir,
    homestar: PathBuf,
}

impl Place {
    fn new(bytes: u64) -> Result<Self, Error> {
        let place = Self {
            folder: TempDir::new()?,
            homestar: homestar_command()?,
        };
        let mut file = BufWriter::new(File::create(place.file())?);
        for number in 0..bytes / 32 {
            writeln!(file, "{number:031}")?;
        }
        file.flush()?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("file")
    }

    fn homestar(&self, arguments: &[&str]) -> Command {
        let mut command = quiet(&self.homestar, arguments);
        command
            .env("HOMESTAR_HOME", self.path("home"))
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Forgets what is in the store, so that it is written anew.
    fn forget(&self) -> Result<(), Error> {
        remove(&self.path("home"))
    }

    /// How much memory a command takes, in words.
    fn memory(&self, what: &str, command: &Command) -> Result<String, Error> {
        let mut peak = Command::new(std::env::current_exe()?);
        peak.arg(PEAK).arg(command.get_program());
        peak.args(command.get_args());
        for (name, value) in command.get_envs() {
            peak.env(name, value.unwrap_or_default());
        }
        let output = peak.stdin(Stdio::null()).output()?;
        let mebibytes = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match output.status.success() {
            true => Ok(format!("memory of {what}: {mebibytes} MiB at most")),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }
}

/// A program whose output goes nowhere: what is measured doesn't depend on who reads it.
fn quiet(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" > /dev/null"]);
    command.arg(program).args(arguments);
    command
}

fn remove(folder: &Path) -> Result<(), Error> {
    match folder.exists() {
        true => Ok(std::fs::remove_dir_all(folder)?),
        false => Ok(()),
    }
}

/// What a command prints.
fn printed(mut command: Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// Measures all three ways.
pub(crate) fn files(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let bytes = match effort {
        Effort::Full => BYTES,
        Effort::Quick => BYTES_QUICK,
    };
    let place = Place::new(bytes)?;
    let kubo = Kubo::new(&place);
    if let Err(error) = &kubo {
        eprintln!("left out, since there is no kubo: {error}");
    }
    let kubo = kubo.ok();
    let mut found = into_the_store(&place, kubo.as_ref(), effort)?;
    found.extend(through_a_guest(&place, effort)?);
    found.extend(out_of_the_store(&place, kubo.as_ref(), effort)?);
    Ok(found)
}

fn into_the_store(
    place: &Place,
    kubo: Option<&Kubo<'_>>,
    effort: Effort,
) -> Result<Vec<Measurement>, Error> {
    let file = place.file().display().to_string();
    let add = || place.homestar(&["add", "--quiet", &file]);
    let mut sides = vec![
        Program::new("homestar add", || {
            place.forget()?;
            Ok(add())
        }),
        Program::new("sha256sum", || Ok(quiet(Path::new("sha256sum"), &[&file]))),
    ];
    if let Some(kubo) = kubo {
        sides.push(Program::new("kubo's add, as a library", || {
            kubo.forget()?;
            Ok(kubo.command(&["add", &file]))
        }));
    }
    let measured = programs("files: into the store", effort.rounds(5), sides)?;
    place.forget()?;
    let memory = place.memory("homestar add", &add())?;
    let goal = "≤ 1.2 of sha256sum on the wall";
    Ok(measured.map(|it| it.goal(goal).note(&memory)).into())
}

fn through_a_guest(place: &Place, effort: Effort) -> Result<Vec<Measurement>, Error> {
    let file = place.file();
    let cid = added(place)?;
    let pipe = homestar_guests::pipe().display().to_string();
    let call = format!("pipe(@{cid})");
    let (this, path) = (std::env::current_exe()?, file.display().to_string());
    let piped = || place.homestar(&["run", &pipe, &call]);
    let idle = place.homestar(&["run", &pipe, "zeros(0)"]);
    let mut sides = vec![
        // What it writes is there already, and is hashed and compared all the same.
        Program::new("homestar run, from the store to the store", || Ok(piped())),
        // What is read is checked and what is written is named.
        Program::new("read, two copies, SHA-256 twice", || {
            Ok(quiet(&this, &[FLOOR, "2", &path]))
        }),
        Program::new("read, two copies, SHA-256 once", || {
            Ok(quiet(&this, &[FLOOR, "1", &path]))
        }),
    ];
    match wasmtime_command() {
        Ok(wasmtime) => sides.push(Program::new(
            "wasmtime run, from a file to a file",
            move || {
                let mut command = Command::new("sh");
                command.args(["-c", "exec \"$0\" run -C cache=y \"$1\" < \"$2\" > \"$3\""]);
                let relay = homestar_guests::relay();
                command
                    .arg(&wasmtime)
                    .arg(relay)
                    .arg(&file)
                    .arg(place.path("out"));
                Ok(command)
            },
        )),
        Err(error) => eprintln!("left out, since there is no wasmtime: {error}"),
    }
    let measured = programs("files: through a guest", effort.rounds(5), sides)?;
    let memory = [
        place.memory("homestar run", &piped())?,
        place.memory("the same of an empty file", &idle)?,
    ];
    let noted = measured.map(|it| {
        it.goal("≤ 1.4 of the copies")
            .note(&memory[0])
            .note(&memory[1])
    });
    Ok(noted.into())
}

fn out_of_the_store(
    place: &Place,
    kubo: Option<&Kubo<'_>>,
    effort: Effort,
) -> Result<Vec<Measurement>, Error> {
    let (file, cid) = (place.file().display().to_string(), added(place)?);
    let mut sides = vec![
        Program::new("homestar cat", || Ok(place.homestar(&["cat", &cid]))),
        Program::new("cat", || Ok(quiet(Path::new("cat"), &[&file]))),
        Program::new("sha256sum", || Ok(quiet(Path::new("sha256sum"), &[&file]))),
    ];
    if let Some(kubo) = kubo {
        kubo.forget()?;
        let cid = printed(kubo.loud(&["add", &file]))?;
        let out = place.path("kubo-out").display().to_string();
        sides.push(Program::new("kubo's get, as a library", move || {
            let _ = std::fs::remove_file(&out);
            Ok(kubo.command(&["get", &cid, &out]))
        }));
    }
    let measured = programs("files: out of the store", effort.rounds(5), sides)?;
    let memory = place.memory("homestar cat", &place.homestar(&["cat", &cid]))?;
    let noted = measured.map(|it| {
        it.goal("≤ 1 of sha256sum, since each block is checked")
            .note(&memory)
    });
    Ok(noted.into())
}

/// Puts the file into the store and returns its CID.
fn added(place: &Place) -> Result<String, Error> {
    let mut command = Command::new(&place.homestar);
    command.args(["add", "--quiet"]).arg(place.file());
    for (name, value) in place.homestar(&[]).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    printed(command)
}

/// kubo in a process of its own. It starts a node each time, which is on the wall and hardly in the CPU time.
struct Kubo<'a> {
    place: &'a Place,
    library: String,
    script: String,
}

impl<'a> Kubo<'a> {
    fn new(place: &'a Place) -> Result<Self, Error> {
        let script = place.path("kubo.py");
        std::fs::write(&script, KUBO)?;
        let kubo = Self {
            place,
            library: kubo_library()?.display().to_string(),
            script: script.display().to_string(),
        };
        kubo.forget()?;
        Ok(kubo)
    }

    /// Begins with an empty repository.
    fn forget(&self) -> Result<(), Error> {
        remove(&self.place.path("kubo"))?;
        run(&mut self.command(&["init"]))
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let repository = self.place.path("kubo").display().to_string();
        let mut all = vec![self.script.clone(), self.library.clone(), repository];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        all
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let all = self.arguments(arguments);
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        quiet(Path::new("python3"), &all)
    }

    fn loud(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.args(self.arguments(arguments));
        command
    }
}

/// Reads a file, copies each chunk twice and hashes it, once or twice: the least that passing it through a guest takes.
pub(crate) fn floor(hashes: &str, path: &str) -> Result<(), Error> {
    let is_checked = hashes == "2";
    let mut file = File::open(path)?;
    let (mut read, mut inside, mut outside) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        read.clear();
        Read::by_ref(&mut file)
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut read)?;
        if read.is_empty() {
            return Ok(());
        }
        if is_checked {
            std::hint::black_box(cid_of_raw(&read));
        }
        inside.clone_from(&read);
        outside.clone_from(&inside);
        std::hint::black_box(cid_of_raw(&outside));
    }
}

/// Runs a program and prints how many MiB of memory it took at most.
pub(crate) fn peak(program: &str, arguments: &[&str]) -> Result<(), Error> {
    run(Command::new(program).args(arguments).stdin(Stdio::null()))?;
    println!("{}", memory_of_children()?);
    Ok(())
}
