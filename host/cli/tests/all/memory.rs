//! However large a file is, what it takes to pass it on stays the same.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::Stdio;

use crate::environment::{Environment, has};

/// Runs a program and says how many KiB of memory it took at most.
const MEASURE: &str = "import resource, subprocess, sys\n\
    code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n\
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
    sys.exit(code)";

/// A file of so many MiB in which no two blocks are the same.
fn put(it: &Environment, name: &str, mebibytes: u64) {
    let mut file = BufWriter::new(File::create(it.path(name)).unwrap());
    for line in 0..mebibytes << 15 {
        writeln!(file, "{line:031}").unwrap();
    }
    file.flush().unwrap();
}

/// The most memory of a command, in MiB.
fn peak(it: &Environment, arguments: &[&str]) -> u64 {
    let program = [&["-c", MEASURE, env!("CARGO_BIN_EXE_homestar")], arguments].concat();
    let mut command = it.in_environment("python3", &program);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let said = it.said(command.stderr(Stdio::piped()));
    assert_eq!(said.code, Some(0), "{said}");
    said.stdout().trim().parse::<u64>().unwrap() >> 10
}

#[test]
fn memory_stays_the_same_however_large_a_file_is() {
    if !has("python3") {
        return;
    }
    let it = Environment::with(&["lines"]).with_key();
    put(&it, "small", 1);
    put(&it, "large", 200);
    let cid = |name: &str| {
        let said = it.run(&["add", "-q", name]);
        said.stdout().trim_end().to_owned()
    };
    // Once before anything is measured: code is compiled, and the store is there.
    let [small, large] = ["small", "large"].map(cid);
    let filter = |cid: &str| format!("filter(@{cid}, \"9\")");
    let (few, many) = (filter(&small), filter(&large));
    it.run(&["run", "lines.wasm", &few]);
    for (what, small, large) in [
        ("add", &["add", "small"][..], &["add", "large"][..]),
        ("cat", &["cat", &small], &["cat", &large]),
        (
            "run",
            &["run", "lines.wasm", &few],
            &["run", "lines.wasm", &many],
        ),
    ] {
        let [little, much] = [small, large].map(|arguments| peak(&it, arguments));
        println!("{what}: {little} MiB for 1 MiB, {much} MiB for 200 MiB");
        assert!(much <= little + 64, "{what}: {little} MiB, then {much} MiB");
    }
}
