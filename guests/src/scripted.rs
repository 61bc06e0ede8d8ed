//! Guests in Python and JavaScript: built at first use, once, whichever process asks first.
//!
//! Tools go to `guests/<language>-<hash>`, named after what is to be installed, and a guest to a
//! folder in there, named after its sources. So a change of the sources doesn't install again, and
//! a change of a version doesn't meet old tools.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The effects and guests that stand for somebody else's.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/effects");

/// The interfaces that guests may import.
const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");

/// Why a guest can't be had on this machine: a tool is missing, or can't be installed.
#[derive(Debug)]
pub struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// The path of a guest, or none where tests may be skipped: a person without the tools can test the
/// rest. In CI (the environment variable `CI` is set) nothing is skipped.
///
/// ```
/// use homestar_guests::{or_skip, python};
///
/// # fn test() {
/// let Some(path) = or_skip(python()) else { return };
/// # }
/// ```
///
/// # Panics
///
/// In CI, if the guest is unavailable.
pub fn or_skip(guest: Result<PathBuf, Unavailable>) -> Option<PathBuf> {
    match guest {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Summarizes people, in Python. Its runtime imports all of WASI 0.2.
///
/// # Errors
///
/// Without `python3`, or if its package `componentize-py` can't be installed.
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn python() -> Result<PathBuf, Unavailable> {
    python_guest("people", &["people"], &["-d", "wit", "-w", "people"], &[])
}

/// Asks the outside through effects, in Python: what [`fetch`](crate::fetch) does in Rust. Imports no WASI.
///
/// # Errors
///
/// As those of [`python`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn python_fetch() -> Result<PathBuf, Unavailable> {
    // With several packages, a world has to be named in full.
    let world = ["-d", CONTRACTS, "-d", "wit", "-w", "homestar:fetch/fetch"];
    python_guest("fetch", &["fetch"], &world, &["--stub-wasi"])
}

/// Reads files and writes others, in Python. Imports no WASI.
///
/// # Errors
///
/// As those of [`python`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn python_scribe() -> Result<PathBuf, Unavailable> {
    let world = ["-d", CONTRACTS, "-d", "wit", "-w", "homestar:scribe/scribe"];
    python_guest("scribe", &["scribe"], &world, &["--stub-wasi"])
}

/// Takes and gives values of any shape, in Python: what [`shapes`](crate::shapes) does in Rust. Imports no WASI.
///
/// # Errors
///
/// As those of [`python`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn python_shapes() -> Result<PathBuf, Unavailable> {
    let world = ["-d", CONTRACTS, "-d", "wit", "-w", "homestar:shapes/shapes"];
    python_guest("shapes", &["shapes"], &world, &["--stub-wasi"])
}

/// Asks for a page with `urllib.request`, by way of `wasi:http` 0.2.
///
/// # Errors
///
/// As those of [`python`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn python_wasi_http() -> Result<PathBuf, Unavailable> {
    python_guest("web", &["web"], &["-d", "wit", "-w", "web"], &[])
}

/// The guest of `examples/effects` that asks `acme:weather`, in Python. Imports no WASI.
///
/// # Errors
///
/// As those of [`python`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn example_forecast() -> Result<PathBuf, Unavailable> {
    let world = ["-d", "../weather/wit", "-d", "wit"];
    let world = [&world[..], &["-w", "acme:forecast/forecast"]].concat();
    let sources = ["forecast", "weather"].map(|name| format!("{EXAMPLES}/{name}"));
    let sources = sources.each_ref().map(String::as_str);
    python_guest("forecast", &sources, &world, &["--stub-wasi"])
}

/// An effect of `examples/effects` that offers `acme:greetings/greet@0.1.0`, in Python. Imports no WASI.
///
/// # Errors
///
/// As those of [`python`].
///
/// # Panics
///
/// If the effect itself doesn't build.
pub fn example_greetings() -> Result<PathBuf, Unavailable> {
    let world = ["-d", "wit", "-w", "greetings"];
    let sources = format!("{EXAMPLES}/greetings");
    python_guest("greetings", &[&sources], &world, &["--stub-wasi"])
}

/// Builds the guest in the folder `name` of the folders `sources`, for a world and with options.
fn python_guest(
    name: &'static str,
    sources: &[&str],
    world: &[&str],
    options: &[&str],
) -> Result<PathBuf, Unavailable> {
    let version = version("python3")?;
    let tools = Tools::new("python", &["requirements.txt"], &version);
    let _lock = tools.lock();
    tools.install(|folder| {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder.join("venv")))?;
        run(Command::new(folder.join("venv/bin/python"))
            .args(["-m", "pip", "install", "--disable-pip-version-check", "-r"])
            .arg(tools.sources.join("requirements.txt")))
    })?;
    Ok(
        tools.build(name, sources, world.contains(&CONTRACTS), |folder, out| {
            run(Command::new(tools.folder.join("venv/bin/componentize-py"))
                .current_dir(folder.join(name))
                .args(world)
                .args(["componentize", "app"])
                .args(options)
                .arg("-o")
                .arg(out))
        }),
    )
}

/// Summarizes people, in JavaScript run by QuickJS: small, and quick to build.
///
/// # Errors
///
/// Without `node` and `npm`, or if the packages can't be installed.
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn quickjs() -> Result<PathBuf, Unavailable> {
    js("quickjs", "people", "quickjs")
}

/// Summarizes people, in JavaScript run by SpiderMonkey: the same source as [`quickjs`], another
/// engine.
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn spidermonkey() -> Result<PathBuf, Unavailable> {
    js("spidermonkey", "people", "spidermonkey")
}

/// An effect that offers `acme:almanac/almanac@0.1.0`, in JavaScript run by QuickJS.
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn quickjs_almanac() -> Result<PathBuf, Unavailable> {
    js("quickjs", "almanac", "quickjs-almanac")
}

/// Asks the outside through effects, in JavaScript run by QuickJS: what [`fetch`](crate::fetch) does in Rust.
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn quickjs_fetch() -> Result<PathBuf, Unavailable> {
    js("quickjs", "fetch", "quickjs-fetch")
}

/// Asks the outside through effects, in JavaScript run by SpiderMonkey: the same source as [`quickjs_fetch`].
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn spidermonkey_fetch() -> Result<PathBuf, Unavailable> {
    js("spidermonkey", "fetch", "spidermonkey-fetch")
}

/// Reads files and writes others, in JavaScript run by QuickJS.
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn quickjs_scribe() -> Result<PathBuf, Unavailable> {
    js("quickjs", "scribe", "quickjs-scribe")
}

/// Takes and gives values of any shape, in JavaScript run by QuickJS: what [`shapes`](crate::shapes) does in Rust.
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn quickjs_shapes() -> Result<PathBuf, Unavailable> {
    js("quickjs", "shapes", "quickjs-shapes")
}

/// Reads files and writes others, in JavaScript run by SpiderMonkey: the same source as [`quickjs_scribe`].
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn spidermonkey_scribe() -> Result<PathBuf, Unavailable> {
    js("spidermonkey", "scribe", "spidermonkey-scribe")
}

/// Takes and gives values of any shape, in JavaScript run by SpiderMonkey: the same source as [`quickjs_shapes`].
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn spidermonkey_shapes() -> Result<PathBuf, Unavailable> {
    js("spidermonkey", "shapes", "spidermonkey-shapes")
}

/// Asks for a page with the global `fetch`, which SpiderMonkey's runtime turns into `wasi:http` 0.2.
///
/// # Errors
///
/// As those of [`quickjs`].
///
/// # Panics
///
/// If the guest itself doesn't build.
pub fn js_fetch() -> Result<PathBuf, Unavailable> {
    js("spidermonkey", "web", "spidermonkey-web")
}

/// Builds the guest in the folder `guest` on `engine` into `NAME.wasm`.
fn js(engine: &str, guest: &str, name: &'static str) -> Result<PathBuf, Unavailable> {
    let version = version("node")?;
    let tools = Tools::new("js", &["package.json"], &version);
    let _lock = tools.lock();
    tools.install(|folder| {
        fs::copy(
            tools.sources.join("package.json"),
            folder.join("package.json"),
        )
        .map_err(|error| error.to_string())?;
        run(Command::new("npm").current_dir(folder).args([
            "install",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
        ]))
    })?;
    // These tools take one folder, so what a world imports has to be in it.
    let uses_contracts = ["fetch", "scribe", "shapes"].contains(&guest);
    // Sources are copied below the tools, so node finds `node_modules` on its way up.
    Ok(tools.build(
        name,
        &["build.mjs", guest],
        uses_contracts,
        |folder, out| {
            if uses_contracts {
                let wit = folder.join(guest).join("wit");
                copy(&Path::new(CONTRACTS).join("deps"), &wit.join("deps"))
                    .map_err(|error| error.to_string())?;
            }
            run(Command::new("node")
                .current_dir(folder)
                .args(["build.mjs", engine, guest])
                .arg(out))
        },
    ))
}

/// What a language needs to build its guests, in a folder of its own.
struct Tools {
    language: &'static str,
    sources: PathBuf,
    folder: PathBuf,
}

impl Tools {
    /// The tools that the files `wanted` ask for, to go with this `version` of the language.
    fn new(language: &'static str, wanted: &[&str], version: &str) -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join(language);
        let mut hasher = DefaultHasher::new();
        hasher.write(version.as_bytes());
        for file in wanted {
            hash(&sources.join(file), &mut hasher).expect("the sources can be read");
        }
        let name = format!("{language}-{:016x}", hasher.finish());
        let folder = Path::new(env!("HOMESTAR_GUESTS")).join(name);
        Self {
            language,
            sources,
            folder,
        }
    }

    /// Waits until no other process builds with these tools. The lock ends with the file.
    fn lock(&self) -> File {
        let open = || {
            fs::create_dir_all(env!("HOMESTAR_GUESTS"))?;
            let file = File::create(self.folder.with_extension("lock"))?;
            file.lock()?;
            Ok::<_, io::Error>(file)
        };
        open().expect("the target folder can be written and locked")
    }

    fn install(&self, install: impl Fn(&Path) -> Result<(), String>) -> Result<(), Unavailable> {
        let done = self.folder.join("installed");
        if done.exists() {
            return Ok(());
        }
        let unavailable = |reason| {
            Unavailable(format!(
                "the tools for {} can't be installed: {reason}",
                self.language
            ))
        };
        let fresh = || {
            if self.folder.exists() {
                fs::remove_dir_all(&self.folder)?;
            }
            fs::create_dir_all(&self.folder)
        };
        fresh().map_err(|error| unavailable(error.to_string()))?;
        install(&self.folder).map_err(unavailable)?;
        fs::write(done, "").map_err(|error| unavailable(error.to_string()))
    }

    /// Builds in a copy of `sources`, which may lie elsewhere too, unless that was done before with the same, and with
    /// the same contracts if the guest uses them.
    fn build(
        &self,
        guest: &str,
        sources: &[&str],
        uses_contracts: bool,
        build: impl Fn(&Path, &Path) -> Result<(), String>,
    ) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        let own = sources.iter().map(|source| self.sources.join(source));
        let contracts = uses_contracts.then(|| CONTRACTS.into());
        for path in own.chain(contracts) {
            hash(&path, &mut hasher).expect("the sources can be read");
        }
        let folder = self.folder.join(format!("{:016x}", hasher.finish()));
        let built = folder.join(format!("{guest}.wasm"));
        if !built.exists() {
            fs::create_dir_all(&folder).expect("the target folder can be written");
            for source in sources {
                let source = self.sources.join(source);
                let name = source.file_name().expect("sources have names");
                copy(&source, &folder.join(name)).expect("the target folder can be written");
            }
            let unfinished = folder.join(format!("{guest}.unfinished.wasm"));
            if let Err(reason) = build(&folder, &unfinished) {
                panic!("the guest {guest} doesn't build: {reason}");
            }
            fs::rename(unfinished, &built).expect("the target folder can be written");
        }
        built
    }
}

/// What `tool --version` says.
fn version(tool: &str) -> Result<String, Unavailable> {
    match Command::new(tool).arg("--version").output() {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => Err(Unavailable(format!("{tool} doesn't run here: {error}"))),
    }
}

/// Runs `command`; if it fails, the error is what it printed.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let failed = |reason: &str| format!("{}: {reason}", program.display());
    let output = command
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(failed(&format!(
        "{}\n{}",
        output.status,
        String::from_utf8_lossy(&said)
    )))
}

/// Adds names and contents of everything at `path`, in a fixed order.
fn hash(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    hasher.write(path.file_name().unwrap_or_default().as_encoded_bytes());
    if path.is_file() {
        hasher.write(&fs::read(path)?);
        return Ok(());
    }
    for entry in entries(path)? {
        hash(&entry, hasher)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in entries(from)? {
        copy(&entry, &to.join(entry.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// What is in a folder of sources, sorted, without what tools leave behind when run there by hand.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    const LEFT_BEHIND: &[&str] = &["__pycache__", "node_modules", ".venv", "package-lock.json"];
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !LEFT_BEHIND
            .iter()
            .any(|name| entry.file_name() == OsStr::new(name))
        {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}
