//! Modules of a project that `homestar bind` wrote: they are those of the components that are there.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use homestar_engine::Config;

use super::super::bind;
use super::{Language, Project, build, sources, tools};
use crate::error::CommandError;
use crate::files;

/// Most bytes at the beginning of a file that say what it is.
const HEAD_BYTES_MAX: u64 = 512;

/// A module that `homestar bind` wrote.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    path: PathBuf,
    /// The component, as it names it.
    component: String,
    language: Language,
}

/// Writes each module of `project` anew whose component is another than it says, of those components that lie in the project
/// by the name that the module has for them. `built` has the project's own, which may not be in its place yet.
pub(super) fn write(project: &Project, built: &Path) -> Result<(), CommandError> {
    let own = project.component();
    for module in modules(project)? {
        let named = project.folder.join(&module.component);
        let place = match is_same(&named, &own) {
            true => built,
            false => &named,
        };
        if !place.is_file() {
            continue;
        }
        let bytes = files::read(place, Config::COMPONENT_BYTES_MAX)?;
        for (path, text) in bind::again(module.language, &module.component, &bytes, &module.path)? {
            if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                continue;
            }
            files::write(&path, text.as_bytes())?;
            let path = path.strip_prefix(&project.folder).unwrap_or(&path);
            tools::say(&format!(
                "writing {} anew, for {} is another",
                path.display(),
                module.component
            ));
        }
    }
    Ok(())
}

/// Whether two paths that needn't exist are the same, where they begin alike.
fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| -> PathBuf {
        let parts = path.components();
        parts.filter(|part| *part != Component::CurDir).collect()
    };
    whole(one) == whole(other)
}

/// Tells whether there is any, which the types of the project depend on.
pub(super) fn is_any(project: &Project) -> Result<bool, CommandError> {
    Ok(!modules(project)?.is_empty())
}

fn modules(project: &Project) -> Result<Vec<Module>, CommandError> {
    let files = sources::files(&project.folder).map_err(build::unreadable)?;
    let vendored = project.folder.join(homestar_templates::VENDORED);
    let files = files.unwrap_or_default().into_iter();
    let own = files.filter(|file| !file.starts_with(&vendored));
    Ok(own.filter_map(|file| module(&file)).collect())
}

/// Tells whether a file was written by `homestar bind`.
pub(super) fn is_made(path: &Path) -> bool {
    has_ending(path) && head(path).is_some_and(|head| bind::named_by(&head).is_some())
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("js" | "py" | "rs" | "ts"))
}

fn module(path: &Path) -> Option<Module> {
    let language = match path.file_name()?.to_str()?.rsplit_once('.')? {
        // It stands beside a module in JavaScript.
        (stem, "ts") if stem.ends_with(".d") => return None,
        (_, "ts") => Language::Ts,
        (_, "js") => Language::Js,
        (_, "py") => Language::Python,
        (_, "rs") => Language::Rust,
        _ => return None,
    };
    Some(Module {
        path: path.to_owned(),
        component: bind::named_by(&head(path)?)?.to_owned(),
        language,
    })
}

fn head(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEAD_BYTES_MAX).read_to_end(&mut head).ok()?;
    Some(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_known_by_their_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let line = "The functions of a/b.wasm, for workflows: made by `homestar bind`.";
        for (name, text, language) in [
            ("a.ts", format!("// {line}\n"), Language::Ts),
            ("a.js", format!("// {line}\n"), Language::Js),
            ("a.py", format!("\"\"\"{line}\"\"\"\n"), Language::Python),
            ("a.rs", format!("//! {line}\n"), Language::Rust),
        ] {
            let path = put(name, &text);
            assert!(is_made(&path), "{name}");
            let component = "a/b.wasm".to_owned();
            let expected = Module {
                path: path.clone(),
                component,
                language,
            };
            assert_eq!(module(&path), Some(expected));
        }
        let declared = put("a.d.ts", &format!("// {line}\n"));
        assert!(is_made(&declared) && module(&declared).is_none());
        for (name, text) in [
            ("b.ts", "// Mine. made by `homestar bind`\n"),
            ("c.ts", "// The functions of mine.\n"),
            ("d.ts", ""),
            ("e.md", &format!("// {line}\n")),
        ] {
            let path = put(name, text);
            assert!(!is_made(&path) && module(&path).is_none(), "{name}");
        }
    }
}
