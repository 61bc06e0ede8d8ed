//! Measures Homestar against others and prints ratios.
//!
//! ```text
//! cargo run --release -p homestar-benches [-- [--quick] [--json] [NAME…]]
//! ```
//!
//! Everything that is compared is measured in one run, in turns (A, B, A, B, …), so that whatever else the machine
//! does meets all sides alike. Nothing here fails for being slow: the figures are for people to read, and
//! `docs/performance.md` says what they mean.

mod ancestor;
mod calls;
mod cold;
mod content;
mod effects;
mod files;
mod grants;
mod http;
mod live;
mod measure;
mod nodes;
mod peers;
mod streams;
mod ucan;
mod workflows;

use std::process::ExitCode;

use measure::{Effort, Measurement};

/// Something went wrong that has nothing to do with speed.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// What one benchmark adds to the report.
type Bench = fn(Effort) -> Result<Vec<Measurement>, Error>;

/// All benchmarks, in the order of the report, with what they are about.
const BENCHES: &[(&str, &str, Bench)] = &[
    ("cold", "a whole process, compiled code kept", cold::kept),
    ("first", "a whole process, nothing kept", cold::first),
    ("2024", "against the Homestar of 2024", cold::against_2024),
    ("start", "a fresh instance for one call", calls::start),
    ("call", "a call of an instance that runs", calls::call),
    ("swap", "until a changed effect counts", live::swap),
    ("bytes", "a megabyte in and out", calls::bytes),
    ("task", "from instruction to signed receipt", calls::task),
    ("effect", "a call into an effect", effects::effect),
    ("driver", "a call out through a driver", effects::driver),
    ("stream", "a stream through an effect", streams::stream),
    ("content", "a file through a guest", content::content),
    (
        "files",
        "a GiB into the store, through a guest, out",
        files::files,
    ),
    ("http", "pages from a server beside us", http::http),
    ("peers", "a file from another node", nodes::nodes),
    ("grant", "whether something is granted", grants::grant),
    (
        "workflow",
        "many tasks, each receipt durable",
        workflows::workflows,
    ),
    (
        "replay",
        "many tasks that have receipts",
        workflows::replays,
    ),
    ("growth", "more tasks, and more", workflows::growth),
    (
        "chain",
        "whether somebody may, by their tokens",
        ucan::chains,
    ),
    ("policy", "whether arguments meet a condition", ucan::policy),
    ("watchdog", "endless loops on all cores", calls::watchdog),
];

/// What was typed.
#[derive(Default)]
struct Options {
    effort: Effort,
    json: bool,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match &*words {
        [cold::ALONE, rest @ ..] => return ended(cold::alone(rest)),
        [files::FLOOR, hashes, path] => return ended(files::floor(hashes, path)),
        [files::PEAK, program, rest @ ..] => return ended(files::peak(program, rest)),
        [ancestor::BLOCK_SERVER, path] => return ended(ancestor::serve(path)),
        _ => {}
    }
    match options(arguments) {
        Ok(options) => ended(run(&options)),
        Err(words) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}

fn ended(result: Result<(), Error>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn options(arguments: Vec<String>) -> Result<Options, String> {
    let mut options = Options::default();
    for argument in arguments {
        match &*argument {
            "--quick" => options.effort = Effort::Quick,
            "--json" => options.json = true,
            name if BENCHES.iter().any(|(known, ..)| *known == name) => {
                options.names.push(argument);
            }
            _ => return Err(usage()),
        }
    }
    Ok(options)
}

fn usage() -> String {
    let mut words = "usage: homestar-benches [--quick] [--json] [NAME…]\n\nNames:".to_owned();
    for (name, about, _) in BENCHES {
        words += &format!("\n  {name:<10}{about}");
    }
    words
}

fn run(options: &Options) -> Result<(), Error> {
    let mut all = Vec::new();
    for (name, _, bench) in BENCHES {
        if !options.names.is_empty() && !options.names.iter().any(|wanted| wanted == name) {
            continue;
        }
        eprintln!("{name} …");
        let measurements = bench(options.effort).map_err(|error| format!("{name}: {error}"))?;
        if !options.json {
            measurements.iter().for_each(|found| println!("{found}"));
        }
        all.extend(measurements);
    }
    if options.json {
        let facts: Vec<_> = all.iter().map(Measurement::to_json).collect();
        println!("{:#}", serde_json::Value::Array(facts));
    }
    Ok(())
}
