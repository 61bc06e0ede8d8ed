//! What the pages of reference show is what the command takes.

use std::collections::BTreeSet;
use std::fs;

use crate::environment::Environment;
use crate::projects::root;

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The blocks of code of a page that are in a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1);
    let blocks: Vec<_> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "no block of {language}");
    blocks
}

#[test]
fn settings_are_read_as_they_are_shown() {
    let it = Environment::with(&["add"]);
    let store = it.path("store").display().to_string();
    for name in ["config.md", "work.md"] {
        let page = page(name);
        for block in blocks(&page, "toml") {
            it.put(
                "settings.toml",
                block.replace("/srv/homestar/store", &store),
            );
            let run = ["run", "add.wasm", "add(1, 2)", "--config", "settings.toml"];
            let said = it.run(&run);
            assert_eq!(said.stdout(), "3\n", "{name}:\n{block}\n{said}");
        }
    }
}

/// The options in a line, without their values.
fn options(line: &str) -> BTreeSet<&str> {
    let words = line.split([' ', '(', ')', ',']);
    words.filter(|word| word.starts_with("--")).collect()
}

/// The commands that a line shows: `pin add|remove` are two. What follows is for the reader.
fn commands(line: &str) -> Vec<Vec<&str>> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '|';
    let is_command = |word: &&str| word.chars().all(is_letter);
    let shown = line.split("  ").next().unwrap_or_default();
    let words = shown.split(' ').skip(1).take_while(is_command);
    let mut all = vec![Vec::new()];
    for word in words {
        all = word
            .split('|')
            .flat_map(|one| all.iter().map(move |before| [&before[..], &[one]].concat()))
            .collect();
    }
    all
}

#[test]
fn commands_and_options_are_there_as_they_are_shown() {
    let it = Environment::new();
    for (name, language) in [("data.md", "text"), ("work.md", "sh")] {
        let page = page(name);
        let lines = blocks(&page, language).into_iter().flat_map(str::lines);
        let lines = lines.filter(|line| line.starts_with("homestar "));
        let mut count = 0;
        for line in lines {
            for command in commands(line) {
                count += 1;
                let said = it.run(&[&command[..], &["--help"]].concat());
                assert_eq!(said.code, Some(0), "{name}: {line}\n{said}");
                let usage = format!("Usage: homestar {}", command.join(" "));
                assert!(said.stdout().contains(&usage), "{name}: {line}\n{said}");
                for option in options(line) {
                    assert!(said.stdout().contains(option), "{name}: {line}\n{said}");
                }
            }
        }
        assert!(count > 1, "{name} shows nothing");
    }
}

#[test]
fn the_world_on_the_page_of_data_is_that_of_the_template() {
    let page = page("data.md");
    let files = homestar_templates::project("rust", "stream", "lines").unwrap();
    let (_, wit) = files
        .iter()
        .find(|(path, _)| path == "wit/lines.wit")
        .unwrap();
    let is_shown = |line: &&str| !line.trim_start().starts_with("///");
    for line in blocks(&page, "wit")[0].lines().filter(is_shown) {
        assert!(wit.lines().any(|other| other == line), "{line}\n{wit}");
    }
}
