//! Workflows of many small tasks: whole processes, every receipt durable, against others that keep what they do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Error;
use crate::ancestor;
use crate::measure::{Effort, Measurement, Program, programs};
use crate::peers::{folder, homestar_command, run};

/// A workflow of tasks that add.
struct Shape {
    name: &'static str,
    tasks: usize,
    /// Which task each awaits, if it does.
    awaits: fn(usize) -> Vec<usize>,
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "independent",
        tasks: 10_000,
        awaits: |_| vec![],
    },
    Shape {
        name: "chain",
        tasks: 1_000,
        awaits: |at| at.checked_sub(1).into_iter().collect(),
    },
    Shape {
        name: "100 × 100 fan-in",
        tasks: 10_100,
        // Each hundred is followed by one that awaits the last two of it, since adding takes two.
        awaits: |at| match at % 101 {
            100 => vec![at - 1, at - 2],
            _ => vec![],
        },
    },
    Shape {
        name: "random",
        tasks: 10_000,
        awaits: |at| match (at, mix(at as u64)) {
            (0, _) => vec![],
            (at, chance) if chance % 3 == 0 => vec![(chance >> 8) as usize % at],
            (at, chance) if chance % 3 == 1 => {
                vec![(chance >> 8) as usize % at, (chance >> 32) as usize % at]
            }
            _ => vec![],
        },
    },
];

/// SplitMix64.
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Shape {
    /// Writes it as JSON. One of so many tasks is another than without that.
    fn text(&self, changed_every: Option<usize>) -> String {
        let mut text = r#"{"defaults": {"component": "add.wasm"}, "tasks": {"#.to_owned();
        for at in 0..self.tasks {
            let awaited = (self.awaits)(at);
            let mut args = awaited
                .iter()
                .map(|it| format!(r#"{{"await/ok": "t{it}"}}"#));
            let is_changed = changed_every.is_some_and(|every| at % every == 0);
            let own = at + usize::from(is_changed) * 500_000;
            let first = args.next().unwrap_or_else(|| own.to_string());
            let second = args.next().unwrap_or_else(|| "1".to_owned());
            let comma = if at == 0 { "" } else { ", " };
            let _ = write!(
                text,
                r#"{comma}"t{at}": {{"call": "add", "args": [{first}, {second}]}}"#
            );
        }
        text + "}}"
    }

    /// Writes it as a program for others: what each task awaits.
    fn edges(&self) -> String {
        let edges = (0..self.tasks).map(|at| {
            let awaits = (self.awaits)(at);
            awaits
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        });
        edges.collect::<Vec<_>>().join("\n")
    }
}

impl Shape {
    /// The same as JSON.
    fn edges_json(&self) -> String {
        let edges: Vec<_> = (0..self.tasks).map(self.awaits).collect();
        serde_json::json!(edges).to_string()
    }
}

/// Where workflows lie, and their stores.
struct Place {
    folder: TempDir,
    homestar: PathBuf,
}

impl Place {
    fn new() -> Result<Self, Error> {
        let folder = TempDir::new()?;
        fs::copy(homestar_guests::add(), folder.path().join("add.wasm"))?;
        Ok(Self {
            homestar: homestar_command()?,
            folder,
        })
    }

    fn put(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Returns what runs a workflow with the store `store`, which is empty at first if it is `new`.
    fn run(&self, workflow: &Path, store: &str, is_new: bool) -> Result<Command, Error> {
        let home = self.folder.path().join("home");
        let store = self.folder.path().join(store);
        if is_new && store.exists() {
            fs::remove_dir_all(&store)?;
        }
        let mut command = Command::new(&self.homestar);
        command
            .env("HOMESTAR_HOME", home)
            .arg("run")
            .arg(workflow)
            .arg("--store")
            .arg(store);
        Ok(command)
    }

    /// Runs once, so that something is there.
    fn fill(&self, workflow: &Path, store: &str) -> Result<(), Error> {
        run(&mut self.run(workflow, store, true)?)
    }
}

/// Every task runs, and its receipt is durable.
pub(crate) fn workflows(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let place = Place::new()?;
    let (dask, dbos) = (python("dask"), python("dbos"));
    let mut all = Vec::new();
    for shape in SHAPES {
        let name = format!("{} tasks, {}", shape.tasks, shape.name);
        let workflow = place.put(&format!("{}.json", shape.name), &shape.text(None))?;
        let edges = place.put(&format!("{}.edges", shape.name), &shape.edges())?;
        let mut sides = vec![Program::new("homestar", || {
            place.run(&workflow, "first", true)
        })];
        let mut notes = Vec::new();
        if shape.name == "chain" {
            match restate() {
                Ok(program) => {
                    let edges = place.put("edges.json", &shape.edges_json())?;
                    let place = &place;
                    sides.push(Program::new("restate, a server and a service", move || {
                        program.run(&edges, &place.folder.path().join("restate"))
                    }));
                }
                Err(error) => notes.push(format!("restate: {error}")),
            }
        }
        for (name, python, script) in [
            ("dask, nothing kept", &dask, DASK),
            ("dbos, SQLite", &dbos, DBOS),
        ] {
            // It takes minutes where it keeps what it does.
            if script == DBOS && shape.name != "chain" {
                continue;
            }
            match python {
                Ok(python) => {
                    let (edges, place) = (edges.clone(), &place);
                    sides.push(Program::new(name, move || {
                        let mut command = Command::new(python);
                        let database = place.folder.path().join("dbos.sqlite");
                        if database.exists() {
                            fs::remove_file(&database)?;
                        }
                        command.args(["-c", script]).arg(&edges).arg(database);
                        Ok(command)
                    }));
                }
                Err(error) => notes.push(format!("{name}: {error}")),
            }
        }
        for found in programs(&name, effort.rounds(5), sides)? {
            let found = found.goal("40 µs of CPU a task");
            all.push(notes.iter().fold(found, |found, note| found.note(note)));
        }
    }
    all.extend(against_2024(&place, effort)?);
    Ok(all)
}

/// A chain that the Homestar of 2024 does within seconds: its node compiles the component for each task.
fn against_2024(place: &Place, effort: Effort) -> Result<Vec<Measurement>, Error> {
    let program = match ancestor::program() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("left out, since there is no Homestar of 2024: {error}");
            return Ok(Vec::new());
        }
    };
    let shape = Shape {
        name: "chain",
        tasks: 100,
        awaits: SHAPES[1].awaits,
    };
    let workflow = place.put("100.json", &shape.text(None))?;
    let sides = vec![
        Program::new("homestar", || place.run(&workflow, "first", true)),
        Program::new("Homestar 0.3.0, with a node that starts", || {
            let folder = place.folder.path().join("2024");
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            ancestor::tasks(&program, homestar_guests::add(), &folder, shape.tasks)
        }),
    ];
    Ok(programs("100 tasks, chain", effort.rounds(3), sides)?.into())
}

/// Nothing runs: everything is found. And a hundredth runs.
pub(crate) fn replays(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let place = Place::new()?;
    let shape = &SHAPES[0];
    let workflow = place.put("all.json", &shape.text(None))?;
    let changed = place.put("changed.json", &shape.text(Some(100)))?;
    place.fill(&workflow, "kept")?;
    let kept = place.folder.path().join("kept");
    let copy = place.folder.path().join("copy");
    let sides = vec![
        Program::new("all found", || place.run(&workflow, "kept", false)),
        Program::new("1% changed", || {
            if copy.exists() {
                fs::remove_dir_all(&copy)?;
            }
            run(Command::new("cp").arg("-a").arg(&kept).arg(&copy))?;
            place.run(&changed, "copy", false)
        }),
        Program::new("all run", || place.run(&workflow, "new", true)),
    ];
    let found = programs("10000 tasks again", effort.rounds(7), sides)?;
    Ok(found.map(|found| found.goal("50 ms")).into())
}

/// What a task costs must not grow with their number.
pub(crate) fn growth(effort: Effort) -> Result<Vec<Measurement>, Error> {
    let place = Place::new()?;
    let mut files = Vec::new();
    for tasks in [1_000, 10_000, 100_000] {
        let shape = Shape {
            name: "independent",
            tasks,
            awaits: SHAPES[0].awaits,
        };
        files.push(place.put(&format!("{tasks}.json"), &shape.text(None))?);
    }
    let [few, more, many] = &files[..] else {
        return Err("there are three".into());
    };
    let sides = vec![
        Program::new("1,000", || place.run(few, "few", true)),
        Program::new("10,000", || place.run(more, "more", true)),
        Program::new("100,000", || place.run(many, "many", true)),
    ];
    let found = programs(
        "independent tasks, by their number",
        effort.rounds(3),
        sides,
    )?;
    Ok(found
        .map(|found| found.goal("ten times the tasks, ten times the time"))
        .into())
}

/// Restate, from npm: a server, and what a service of it needs.
const RESTATE_PACKAGES: [&str; 2] = [
    "@restatedev/restate-server@1.7.12",
    "@restatedev/restate-sdk@1.17.2",
];

/// Restate's programs.
struct Restate {
    packages: PathBuf,
}

/// Returns Restate, installing it below the target folder if it isn't there.
fn restate() -> Result<Restate, Error> {
    let packages = folder()?.join("restate");
    let restate = Restate { packages };
    if !restate.server().exists() {
        fs::create_dir_all(&restate.packages)?;
        let options = ["--no-audit", "--no-fund", "--no-package-lock"];
        run(Command::new("npm")
            .arg("install")
            .args(options)
            .arg("--prefix")
            .arg(&restate.packages)
            .args(RESTATE_PACKAGES))?;
    }
    // It listens on ports that somebody else may have, so it gets a network of its own.
    run(Command::new("unshare").args(["--net", "--map-root-user", "true"]))?;
    Ok(restate)
}

impl Restate {
    fn server(&self) -> PathBuf {
        self.packages.join("node_modules/.bin/restate-server")
    }

    /// Returns what starts the server and the service in the empty `folder`, adds, and ends both.
    fn run(&self, edges: &Path, folder: &Path) -> Result<Command, Error> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        // Packages are looked for from where a script lies.
        let service = self.packages.join("service.mjs");
        fs::write(&service, RESTATE_SERVICE)?;
        let mut command = Command::new("unshare");
        command
            .current_dir(folder)
            .env("RESTATE_LOG_FILTER", "error")
            .args(["--net", "--map-root-user", "sh", "-c", RESTATE])
            .args([&self.server(), &service, edges]);
        Ok(command)
    }
}

/// What happens in the network of its own, with the server, the service and what each task awaits.
const RESTATE: &str = r#"
ip link set lo up
"$0" --no-logo > server.log 2>&1 & server=$!
node "$1" > service.log 2>&1 & service=$!
asked() { curl --silent --fail --output answer "$@"; }
json='content-type: application/json'
found=1
for attempt in $(seq 1000); do
    if asked localhost:9070/deployments -H "$json" -d '{"uri": "http://localhost:9080"}'; then
        asked localhost:8080/flow/run -H "$json" --data-binary "@$2" && found=0
        break
    fi
    sleep 0.01
done
kill $server $service
wait $server $service
exit $found
"#;

/// Adds in steps of one handler; the server keeps what each gave.
const RESTATE_SERVICE: &str = r#"
Promise.withResolvers ??= () => {
    const all = {};
    all.promise = new Promise((resolve, reject) => Object.assign(all, { resolve, reject }));
    return all;
};
const restate = await import("@restatedev/restate-sdk");
const run = async (ctx, edges) => {
    const known = [];
    for (const [at, awaits] of edges.entries()) {
        const [first, second] = [...awaits.map((it) => known[it]), at, 1];
        known.push(await ctx.run(`t${at}`, () => first + second));
    }
    return known.at(-1);
};
restate.serve({ services: [restate.service({ name: "flow", handlers: { run } })], port: 9080 });
"#;

/// Returns a Python in which `package` is installed.
fn python(package: &str) -> Result<PathBuf, Error> {
    let venv = folder()?.join(package);
    let python = venv.join("bin/python3");
    let has = || run(Command::new(&python).args(["-c", &format!("import {package}")]));
    if !python.exists() || has().is_err() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
        has()?;
    }
    Ok(python)
}

/// Adds on threads; keeps nothing.
const DASK: &str = r#"
import sys, dask
from dask.threaded import get
def add(a, b): return a + b
graph = {}
for at, line in enumerate(open(sys.argv[1]).read().split("\n")):
    awaits = [f"t{it}" for it in line.split(",") if it]
    args = (awaits + [at, 1])[:2] if awaits else [at, 1]
    graph[f"t{at}"] = (add, *args)
get(graph, list(graph))
"#;

/// Adds in steps of one workflow; keeps what each gave.
const DBOS: &str = r#"
import sys, logging
from dbos import DBOS, DBOSConfig
logging.disable(logging.CRITICAL)
DBOS(config={"name": "add", "system_database_url": f"sqlite:///{sys.argv[2]}"})
@DBOS.step()
def add(a, b): return a + b
@DBOS.workflow()
def flow(lines):
    known = []
    for at, line in enumerate(lines):
        awaits = [known[int(it)] for it in line.split(",") if it]
        args = (awaits + [at, 1])[:2] if awaits else [at, 1]
        known.append(add(*args))
    return known[-1]
DBOS.launch()
flow(open(sys.argv[1]).read().split("\n"))
DBOS.destroy()
"#;
