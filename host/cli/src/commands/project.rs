//! Projects: folders with the source of a component, and what is done with them.
//!
//! Each language builds with its own usual tools, which are called and not replaced. What the build of a project leaves
//! for the next one lies in `.homestar/`, and the component beside the project's file.

pub(crate) mod build;
pub(crate) mod dev;
pub(crate) mod new;

mod bound;
mod javascript;
mod python;
mod rust;
mod sources;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::error::{Caused, CommandError};
use crate::files;

/// What a project is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    /// JavaScript
    #[value(alias = "javascript")]
    Js,
    /// TypeScript
    #[value(alias = "typescript")]
    Ts,
    Python,
}

impl Language {
    /// Returns its word, as it is typed.
    fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Ts => "ts",
            Self::Python => "python",
        }
    }

    /// Returns its name, as it is written.
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Js => "JavaScript",
            Self::Ts => "TypeScript",
            Self::Python => "Python",
        }
    }
}

/// The files by which a project is known, with the language of each.
const MARKS: [(&str, Language); 5] = [
    ("Cargo.toml", Language::Rust),
    ("package.json", Language::Js),
    ("pyproject.toml", Language::Python),
    ("requirements.txt", Language::Python),
    ("app.py", Language::Python),
];

/// A file of TypeScript's beside `package.json` says that this is it.
const TYPESCRIPT: &str = "tsconfig.json";

/// Largest file of a project that is read for its name, in bytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// A folder with the source of a component.
#[derive(Debug)]
struct Project {
    folder: PathBuf,
    language: Language,
    /// What the component is called.
    name: String,
}

impl Project {
    /// Finds the project in `folder`, or in the nearest one around it.
    fn find(folder: &Path) -> Result<Self, CommandError> {
        let whole = folder.canonicalize().map_err(|error| {
            CommandError::input(Caused::new(
                format!("there is no {}", folder.display()),
                error,
            ))
        })?;
        for (level, around) in whole.ancestors().enumerate() {
            if let Some(language) = language_of(around)? {
                // Shown as short as it can be: it stands in what is printed.
                let folder = match level {
                    0 => folder.to_owned(),
                    _ => around.to_owned(),
                };
                let name = name_of(around, language)?;
                return Ok(Self {
                    folder,
                    language,
                    name,
                });
            }
        }
        let error = CommandError::input(format!(
            "no project in {}: no Cargo.toml, package.json, pyproject.toml, requirements.txt or app.py",
            folder.display()
        ));
        Err(error.hint("`homestar new NAME --lang python` makes one"))
    }

    /// Returns where the component is put.
    fn component(&self) -> PathBuf {
        let file = format!("{}.wasm", self.name);
        match self.folder == Path::new(".") {
            true => PathBuf::from(file),
            false => self.folder.join(file),
        }
    }

    /// Returns the folder of what is kept for the next build.
    fn kept(&self) -> Result<PathBuf, CommandError> {
        let folder = self.folder.join(".homestar");
        let made = fs::create_dir_all(&folder).and_then(|()| {
            let ignored = folder.join(".gitignore");
            match ignored.exists() {
                true => Ok(()),
                false => fs::write(ignored, "*\n"),
            }
        });
        made.map_err(|error| {
            CommandError::input(Caused::new(
                format!("can't write {}", folder.display()),
                error,
            ))
        })?;
        Ok(folder)
    }
}

/// Tells whether `path`, where nothing is, is where a project puts its component.
pub(super) fn makes(path: &Path) -> bool {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let project = Project::find(folder)
        .ok()
        .filter(|project| project.folder == folder);
    !path.exists() && project.is_some_and(|project| project.component() == path)
}

/// Returns the language of the project in `folder`, if there is one.
fn language_of(folder: &Path) -> Result<Option<Language>, CommandError> {
    let mut found = MARKS.iter().filter(|(file, _)| folder.join(file).is_file());
    let Some((file, language)) = found.next() else {
        return Ok(None);
    };
    if let Some((other, _)) = found.find(|(_, other)| other != language) {
        return Err(CommandError::input(format!(
            "{} holds {file} and {other}, and a project has one language",
            folder.display()
        ))
        .hint("put one of them into a folder of its own"));
    }
    let is_typed = *language == Language::Js && folder.join(TYPESCRIPT).is_file();
    Ok(Some(if is_typed { Language::Ts } else { *language }))
}

/// Returns what a project calls itself; without a word of its own, it is called like its folder.
fn name_of(folder: &Path, language: Language) -> Result<String, CommandError> {
    let own = match language {
        Language::Rust => toml_name(&folder.join("Cargo.toml"), "package")?,
        Language::Js | Language::Ts => json_name(&folder.join("package.json"))?,
        Language::Python if folder.join("pyproject.toml").is_file() => {
            toml_name(&folder.join("pyproject.toml"), "project")?
        }
        Language::Python => None,
    };
    let name = match (own, folder.file_name()) {
        (Some(own), _) => own,
        (None, Some(name)) => name.to_string_lossy().into_owned(),
        (None, None) => "component".to_owned(),
    };
    match fault_of(&name) {
        None => Ok(name),
        Some(fault) => Err(CommandError::input(format!(
            "the project in {} is called `{name}`, and {fault}",
            folder.display()
        ))),
    }
}

fn toml_name(path: &Path, table: &str) -> Result<Option<String>, CommandError> {
    let parsed: toml::Table = text(path)?
        .parse()
        .map_err(|error| malformed(path, error))?;
    let name = parsed.get(table).and_then(|table| table.get("name"));
    Ok(name.and_then(|name| name.as_str()).map(str::to_owned))
}

/// Returns the name of a package of npm without its scope.
fn json_name(path: &Path) -> Result<Option<String>, CommandError> {
    #[derive(serde::Deserialize)]
    struct Package {
        name: Option<String>,
    }
    let package: Package =
        serde_json::from_str(&text(path)?).map_err(|error| malformed(path, error))?;
    let bare = |name: String| name.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(package.name.map(bare))
}

fn text(path: &Path) -> Result<String, CommandError> {
    let bytes = files::read(path, MANIFEST_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|error| malformed(path, error))
}

fn malformed(
    path: &Path,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CommandError {
    CommandError::input(Caused::new(
        format!("{} can't be understood", path.display()),
        error,
    ))
}

/// Longest name of a project, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Names that mean something else to WIT, to cargo or to what is made of a project.
const TAKEN: &[&str] = &[
    "alloc",
    "app",
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "core",
    "enum",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "homestar",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "std",
    "stream",
    "string",
    "tasks",
    "test",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// Returns why a project can't be called `name`, if so. It is the name of a package in WIT too.
fn fault_of(name: &str) -> Option<String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.len() > NAME_BYTES_MAX {
        return Some(format!("a name has {NAME_BYTES_MAX} bytes at most"));
    }
    if !name.split('-').all(is_word) {
        return Some(
            "a name is made of words with `-` between, each of small letters and digits and begun \
             with a letter, such as `top-words`"
                .to_owned(),
        );
    }
    TAKEN
        .contains(&name)
        .then(|| "that name means something else".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_packages_in_wit() {
        for name in ["a", "top-words", "v2-of-it"] {
            assert_eq!(fault_of(name), None, "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            "-",
            "Words",
            "top_words",
            "a--b",
            "2nd",
            "a-2",
            "stream",
            &long,
            "é",
        ] {
            assert!(fault_of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_project_is_found_from_within_and_has_one_language() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("src/deep");
        fs::create_dir_all(&within).unwrap();
        fs::write(
            folder.path().join("package.json"),
            r#"{"name": "@acme/words", "version": "1.0.0"}"#,
        )
        .unwrap();
        let project = Project::find(&within).unwrap();
        assert_eq!((project.language, &*project.name), (Language::Js, "words"));
        fs::write(folder.path().join(TYPESCRIPT), "{}").unwrap();
        assert_eq!(Project::find(&within).unwrap().language, Language::Ts);
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let error = Project::find(&within).unwrap_err().message();
        assert!(
            error.ends_with("holds Cargo.toml and package.json, and a project has one language")
        );
    }
}
