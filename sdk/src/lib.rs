//! What `homestar new` writes: a template's files, and the SDK that they use.
//!
//! Templates lie in `templates/LANGUAGE/TEMPLATE` as they are written, but for `{{name}}`. An SDK is what the package of
//! its language holds, byte for byte; a project has it in `vendor/homestar-sdk`, so that a new one needs nothing that
//! isn't published.
//!
//! ```
//! let files = homestar_templates::project("python", "task", "words").unwrap();
//! assert!(files.iter().any(|(path, _)| path == "app.py"));
//! assert!(files.iter().any(|(path, _)| path == "vendor/homestar-sdk/homestar/__init__.py"));
//! ```

/// A file that this crate holds.
struct File {
    path: &'static str,
    text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Where the SDK lies in a project.
pub const VENDORED: &str = "vendor/homestar-sdk";

/// Returns the paths and texts of the files of a new project in `language` (`rust`, `js`, `ts` or `python`), or nothing
/// if there is no such template.
#[must_use]
pub fn project(language: &str, template: &str, name: &str) -> Option<Vec<(String, String)>> {
    let folder = format!("{language}/{template}/");
    let mut files: Vec<_> = TEMPLATES
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(&folder)?, file.text)))
        .map(|(path, text)| (path.to_owned(), filled(text, name)))
        .collect();
    if files.is_empty() {
        return None;
    }
    files.extend(sdk(language));
    Some(files)
}

/// Returns the files of the SDK for `language`, as they lie in a project.
fn sdk(language: &str) -> impl Iterator<Item = (String, String)> {
    let folder = match language {
        "ts" => "js/",
        "js" => "js/",
        "python" => "python/",
        _ => "rust/",
    };
    SDKS.iter().filter_map(move |file| {
        let path = file.path.strip_prefix(folder)?;
        Some((format!("{VENDORED}/{path}"), file.text.to_owned()))
    })
}

fn filled(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{name_}}", &name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_task_and_nothing_is_left_open() {
        for language in ["rust", "js", "ts", "python"] {
            let files = project(language, "task", "two-words").expect(language);
            for (path, text) in files {
                assert!(!text.contains("{{name"), "{language}: {path}");
            }
        }
        assert!(project("rust", "nothing", "a").is_none());
    }
}
