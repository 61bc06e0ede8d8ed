//! What only a program of its own can test: crashes by the thousand, and processes that are killed.
//!
//! Without arguments it takes some seconds, as a test should. `cargo xtask torture` lets it go on for longer.

mod crash;
mod disk;
mod processes;
mod random;
mod vfs;
mod work;

use std::process::ExitCode;
use std::thread;

/// What is explored: so many crash points of each of so many seeds.
#[derive(Clone, Copy, Debug)]
struct Amount {
    seed: u64,
    seeds: u64,
    points: u64,
    rounds: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [processes::CHILD, role, path, seed, count] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        let number = |text: &str| text.parse().expect("a number");
        return match processes::child(role, path, number(seed), number(count)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{role}: {error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let mut amount = Amount {
        seed: 0,
        seeds: 16,
        points: 40,
        rounds: 4,
    };
    for pair in arguments.windows(2) {
        let Ok(number) = pair[1].parse() else {
            continue;
        };
        match pair[0].as_str() {
            "--seed" => amount.seed = number,
            "--seeds" => amount.seeds = number,
            "--points" => amount.points = number,
            "--rounds" => amount.rounds = number,
            _ => {}
        }
    }
    if !explore(amount) {
        return ExitCode::FAILURE;
    }
    // A failed assertion ends the program, and with it the others.
    processes::shared(amount.seed, 12);
    processes::killed(amount.seed, amount.rounds);
    ExitCode::SUCCESS
}

/// Explores crash points, on two threads.
fn explore(amount: Amount) -> bool {
    let last = amount.seed + amount.seeds;
    let explored = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let seeds = (amount.seed..last).filter(move |seed| seed % 2 == half);
            scope.spawn(move || {
                seeds
                    .map(|seed| crash::explore(seed, amount.points))
                    .sum::<u64>()
            })
        });
        halves.map(|half| half.join().ok())
    });
    let all: Option<u64> = explored.into_iter().sum();
    match all {
        Some(points) => println!("{points} crash points: ok"),
        None => println!("crash points: FAILED"),
    }
    all.is_some()
}
