//! Chores of this repository: `cargo xtask demo`, `cargo xtask torture`, `cargo xtask simulate`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Chores of this repository.

  cargo xtask demo                     build homestar and its guests, then run an image guest on a photograph
  cargo xtask torture [SEED [SEEDS]]   let a store crash at 100 points of each of SEEDS seeds (1000), from SEED (1) on,
                                       then kill processes that use one
  cargo xtask simulate [SEED [SEEDS]]  simulate networks of nodes that run each other's tasks, of SEEDS seeds (1000), from
                                       SEED (0) on; SEED 1 simulates one again
";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["demo"] => demo(),
        ["torture"] => torture("1", "1000"),
        ["torture", seed] => torture(seed, "1000"),
        ["torture", seed, seeds] => torture(seed, seeds),
        ["simulate"] => simulate("0", "1000"),
        ["simulate", seed] => simulate(seed, "1000"),
        ["simulate", seed, seeds] => simulate(seed, seeds),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("error: no such chore: {}\n\n{HELP}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the main job on real input, showing every command as a person would type it.
fn demo() -> io::Result<()> {
    let homestar = build()?;
    let folder = homestar.with_file_name("demo");
    fs::create_dir_all(&folder)?;
    for (guest, name) in [
        (homestar_guests::add(), "add.wasm"),
        (homestar_guests::image(), "image.wasm"),
        (homestar_guests::text(), "text.wasm"),
    ] {
        fs::copy(guest, folder.join(name))?;
    }
    for (file, name) in [
        ("image/cat.png", "cat.png"),
        ("image/pipeline.yaml", "pipeline.yaml"),
        ("text/declaration.txt", "declaration.txt"),
    ] {
        fs::copy(root().join("examples").join(file), folder.join(name))?;
    }
    let demo = Demo { homestar, folder };
    println!("\nIn {}:", demo.folder.display());
    demo.run(&["run", "add.wasm", "add(1, 2)"])?;
    demo.run(&["run", "text.wasm", "longest-word(@declaration.txt)"])?;
    demo.run(&[
        "run",
        "image.wasm",
        "grayscale(@cat.png)",
        "-o",
        "gray.png",
        "--receipt",
        "gray.receipt",
        "--stats",
    ])?;
    demo.run(&["receipt", "verify", "gray.receipt"])?;
    demo.run(&["run", "pipeline.yaml", "-o", "pictures"])?;
    println!(
        "\nThe picture is {}",
        demo.folder.join("gray.png").display()
    );
    Ok(())
}

/// Lets the tests of the store that never come to an end go on for long.
fn torture(seed: &str, seeds: &str) -> io::Result<()> {
    let mut test = Command::new(cargo());
    test.args(["test", "--release", "--package", "homestar-store"])
        .args(["--test", "torture", "--", "--seed", seed, "--seeds", seeds])
        .args(["--points", "100", "--rounds", "50"])
        .current_dir(root());
    succeed(test.status()?)
}

/// Simulates many networks in which everything goes wrong. A seed that breaks a rule is named.
fn simulate(seed: &str, seeds: &str) -> io::Result<()> {
    let mut test = Command::new(cargo());
    test.args(["test", "--release", "--package", "homestar-core"])
        .args(["--test", "all", "--", "market::"])
        .env("HOMESTAR_SEED", seed)
        .env("HOMESTAR_SEEDS", seeds)
        .current_dir(root());
    succeed(test.status()?)
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds everything, so that the tests find it built, and returns the program.
fn build() -> io::Result<PathBuf> {
    let mut build = Command::new(cargo());
    build.args(["build", "--workspace"]).current_dir(root());
    succeed(build.status()?)?;
    // This program lies beside the one it has built.
    Ok(env::current_exe()?.with_file_name(format!("homestar{}", env::consts::EXE_SUFFIX)))
}

struct Demo {
    homestar: PathBuf,
    folder: PathBuf,
}

impl Demo {
    fn run(&self, arguments: &[&str]) -> io::Result<()> {
        let typed = arguments.iter().map(|argument| quoted(argument));
        println!("\n$ homestar {}", typed.collect::<Vec<_>>().join(" "));
        succeed(
            Command::new(&self.homestar)
                .args(arguments)
                .current_dir(&self.folder)
                .status()?,
        )
    }
}

/// Returns `argument` as it is typed into a shell.
fn quoted(argument: &str) -> String {
    if argument.contains(['(', ' ', '@']) {
        format!("'{argument}'")
    } else {
        argument.to_owned()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository")
}

fn succeed(status: std::process::ExitStatus) -> io::Result<()> {
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the command failed: {status}")))
    }
}
