//! Whole processes: from a command line to a printed value.

use std::path::{Path, PathBuf};
use std::process::Command;

use homestar_core::ipld::Ipld;
use homestar_core::outcome::Outcome;
use homestar_core::task::{Input, Instruction, Limits, Nonce};
use homestar_engine::{Call, Config, Engine};
use tempfile::TempDir;

use crate::Error;
use crate::ancestor;
use crate::measure::{Effort, Measurement, Program, programs};
use crate::peers::{homestar_command, run, wasmtime_command};

/// The first argument of this program when it is started by itself, to run one call with the engine alone.
pub(crate) const ALONE: &str = "--engine-alone";

/// One call of one component, as it is typed.
struct Asked {
    component: PathBuf,
    /// In WAVE, which both command lines take.
    call: String,
}

impl Asked {
    fn new(component: &Path, call: &str) -> Self {
        Self {
            component: component.to_owned(),
            call: call.to_owned(),
        }
    }

    /// Returns the call with the name of the component, for people.
    fn name(&self) -> String {
        let component = self.component.file_stem().unwrap_or_default();
        let function = self.call.split('(').next().unwrap_or_default();
        format!("{} `{function}`", component.display())
    }
}

/// The smallest picture there is: one grey pixel, as PNG.
const PICTURE: &[u8] = &[
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0,
    0, 0, 58, 126, 155, 85, 0, 0, 0, 10, 73, 68, 65, 84, 120, 156, 99, 104, 0, 0, 0, 130, 0, 129,
    119, 205, 114, 182, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
];

/// The programs of a run, and a folder for what they keep.
struct Programs {
    homestar: Result<PathBuf, Error>,
    wasmtime: Result<PathBuf, Error>,
    folder: TempDir,
}

impl Programs {
    fn find() -> Result<Self, Error> {
        Ok(Self {
            homestar: homestar_command(),
            wasmtime: wasmtime_command(),
            folder: TempDir::new()?,
        })
    }

    /// Returns `program` in an environment where all that it keeps is below `folder`.
    fn command(&self, program: &Path, folder: &str) -> Command {
        let home = self.folder.path().join(folder);
        let mut command = Command::new(program);
        command
            .env("HOME", &home)
            .env("HOMESTAR_HOME", &home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"));
        command
    }

    fn homestar(&self, program: &Path, folder: &str, asked: &Asked) -> Command {
        let mut command = self.command(program, folder);
        command.arg("run").arg(&asked.component).arg(&asked.call);
        command
    }

    fn wasmtime(&self, program: &Path, options: &[&str], asked: &Asked) -> Command {
        let mut command = self.command(program, "wasmtime");
        command.arg("run").args(options);
        command
            .args(["--invoke", &asked.call])
            .arg(&asked.component);
        command
    }

    /// Empties `folder`, so that what comes next is the first of its kind.
    fn forget(&self, folder: &str) -> Result<(), Error> {
        let folder = self.folder.path().join(folder);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(std::fs::create_dir_all(folder)?)
    }

    /// Returns lines on programs that can't be had here.
    fn missing(&self) -> Vec<String> {
        let reasons = [("homestar", &self.homestar), ("wasmtime", &self.wasmtime)];
        let missing = reasons.into_iter().filter_map(|(name, program)| {
            let error = program.as_ref().err()?;
            Some(format!("left out, since there is no {name}: {error}"))
        });
        missing.collect()
    }
}

/// A process whose component was compiled before: what all runs but the first cost.
pub(crate) fn kept(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let all = Programs::find()?;
    let mut found = Vec::new();
    for asked in [
        Asked::new(homestar_guests::add(), "add(1, 2)"),
        Asked::new(homestar_guests::hello(), "greet(\"world\")"),
    ] {
        let compiled = compiled(&all, &asked)?;
        let mut sides = Vec::new();
        if let Ok(program) = &all.homestar {
            sides.push(Program::new("homestar run", || {
                Ok(all.homestar(program, "homestar", &asked))
            }));
        }
        sides.push(Program::new("the engine in a bare program", || {
            engine_alone(&all, &asked)
        }));
        if let Ok(program) = &all.wasmtime {
            sides.push(Program::new("wasmtime run -C cache=y", || {
                Ok(all.wasmtime(program, &["-C", "cache=y"], &asked))
            }));
        }
        if let (Ok(program), Some(compiled)) = (&all.wasmtime, &compiled) {
            sides.push(Program::new("wasmtime run --allow-precompiled", || {
                Ok(all.wasmtime(program, &["--allow-precompiled"], compiled))
            }));
        }
        sides.push(Program::new("true", || Ok(Command::new("true"))));
        let name = format!("cold: {}, code kept", asked.name());
        found.extend(with_missing(
            programs(&name, effort.rounds(50), sides)?,
            "≤ 0.8 of wasmtime, going for 0.25",
            &all,
        ));
    }
    Ok(found)
}

/// A process on a machine that never saw the component.
pub(crate) fn first(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let all = Programs::find()?;
    let rotate = format!("rotate90({PICTURE:?})");
    let mut asked = vec![
        (Asked::new(homestar_guests::add(), "add(1, 2)"), 20),
        (Asked::new(homestar_guests::hello(), "greet(\"world\")"), 20),
        (Asked::new(homestar_guests::image(), &rotate), 5),
    ];
    match homestar_guests::python() {
        Ok(path) => asked.push((Asked::new(&path, "reverse([1, 2, 3])"), 2)),
        Err(error) => eprintln!("left out: {error}"),
    }
    let mut found = Vec::new();
    for (asked, rounds) in asked {
        let mut sides = Vec::new();
        if let Ok(program) = &all.homestar {
            sides.push(Program::new("homestar run", || {
                all.forget("homestar")?;
                Ok(all.homestar(program, "homestar", &asked))
            }));
        }
        if let Ok(program) = &all.wasmtime {
            sides.push(Program::new("wasmtime run -C cache=y", || {
                all.forget("wasmtime")?;
                Ok(all.wasmtime(program, &["-C", "cache=y"], &asked))
            }));
        }
        if sides.is_empty() {
            return Err(all.missing().join("; ").into());
        }
        let name = format!("first: {}, nothing kept", asked.name());
        let measured = programs(&name, effort.rounds(rounds), sides)?;
        found.extend(with_missing(measured, "≤ 1", &all));
    }
    Ok(found)
}

/// From nothing to the value of one task, against the Homestar of 2024.
pub(crate) fn against_2024(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let ancestor = match ancestor::program() {
        Ok(ancestor) => ancestor,
        Err(error) => {
            eprintln!("left out, since there is no Homestar of 2024: {error}");
            return Ok(Vec::new());
        }
    };
    let all = Programs::find()?;
    let program = all.homestar.as_ref().map_err(ToString::to_string)?;
    let asked = Asked::new(homestar_guests::add(), "add(1, 2)");
    let sides = vec![
        Program::new("homestar run", || {
            all.forget("homestar")?;
            Ok(all.homestar(program, "homestar", &asked))
        }),
        Program::new("Homestar 0.3.0: start a node, run a workflow", || {
            all.forget("2024")?;
            let folder = all.folder.path().join("2024");
            ancestor::tasks(&ancestor, &asked.component, &folder, 1)
        }),
    ];
    let name = "2024: from nothing to the value of add(1, 2)";
    Ok(programs(name, effort.rounds(5), sides)?.into())
}

fn with_missing(
    found: [Measurement; 2],
    goal: &'static str,
    all: &Programs,
) -> impl Iterator<Item = Measurement> {
    let missing = all.missing();
    found.into_iter().map(move |measurement| {
        let notes = missing.iter();
        notes.fold(measurement.goal(goal), |found, note| found.note(note))
    })
}

/// Returns `asked` of a file that wasmtime's command line compiled beforehand.
fn compiled(all: &Programs, asked: &Asked) -> Result<Option<Asked>, Error> {
    let Ok(program) = &all.wasmtime else {
        return Ok(None);
    };
    let stem = asked.component.file_stem().unwrap_or_default();
    let compiled = all.folder.path().join(stem).with_extension("cwasm");
    let mut command = all.command(program, "wasmtime");
    run(command
        .arg("compile")
        .arg(&asked.component)
        .arg("-o")
        .arg(&compiled))?;
    Ok(Some(Asked::new(&compiled, &asked.call)))
}

/// Returns this program, to run `asked` by [`alone`].
fn engine_alone(all: &Programs, asked: &Asked) -> Result<Command, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(ALONE)
        .arg(all.folder.path().join("alone"))
        .arg(&asked.component)
        .args(
            asked
                .call
                .split(['(', ')', ','])
                .map(str::trim)
                .filter(|part| !part.is_empty()),
        );
    Ok(command)
}

/// Runs one call and prints its value: the least that a program with this engine does.
pub(crate) fn alone(arguments: &[&str]) -> Result<(), Error> {
    let [cache, component, function, args @ ..] = arguments else {
        return Err("the arguments are: CACHE COMPONENT FUNCTION ARGUMENT…".into());
    };
    let engine = Engine::new(Config {
        cache: Some(cache.into()),
        ..Config::default()
    })?;
    let component = engine.load_file(Path::new(component))?;
    let arg = |text: &&str| match text.parse() {
        Ok(number) => Ipld::Integer(number),
        Err(_) => Ipld::String(text.trim_matches('"').to_owned()),
    };
    let input = Input::new(*function, args.iter().map(arg).collect());
    let instruction = Instruction::new(*component.cid(), input, Nonce::EMPTY)?;
    let limits = Limits::default();
    match engine
        .call(&component, Call::new(&instruction, &limits))?
        .outcome
    {
        Outcome::Ok(value) => println!("{value:?}"),
        Outcome::Error(failure) => return Err(failure.message.into()),
    }
    Ok(())
}
