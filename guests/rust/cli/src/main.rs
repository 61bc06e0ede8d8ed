//! Counts lines, words and bytes of its standard input, as `wc` does.
//!
//! `cli` prints all three, `cli -l`, `-w`, `-c` or several of them just those. With an argument it
//! doesn't know it prints a message to standard error and ends with exit code 3, of which WASI 0.2
//! passes on only that it isn't 0.

use std::io::{self, Read};
use std::process;

fn main() {
    let columns = columns(std::env::args().skip(1)).unwrap_or_else(|message| fail(&message));
    let mut input = Vec::new();
    if let Err(error) = io::stdin().read_to_end(&mut input) {
        fail(&format!("can't read standard input: {error}"));
    }
    let counts: Vec<_> = columns
        .chars()
        .map(|column| count(column, &input))
        .collect();
    println!("{}", counts.join(" "));
}

/// Which counts to print, as letters, in `wc`'s order.
fn columns(arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let mut wanted = String::new();
    for argument in arguments {
        match argument.as_str() {
            "-l" | "-w" | "-c" => wanted += &argument[1..],
            _ => {
                return Err(format!(
                    "unknown argument {argument:?}, known are -l, -w and -c"
                ));
            }
        }
    }
    let all = "lwc".chars();
    Ok(all
        .filter(|column| wanted.is_empty() || wanted.contains(*column))
        .collect())
}

fn count(column: char, input: &[u8]) -> String {
    let words = || input.split(u8::is_ascii_whitespace);
    let count = match column {
        'l' => input.iter().filter(|byte| **byte == b'\n').count(),
        'w' => words().filter(|word| !word.is_empty()).count(),
        _ => input.len(),
    };
    count.to_string()
}

fn fail(message: &str) -> ! {
    eprintln!("cli: {message}");
    process::exit(3)
}
