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

/// Returns the files of our packages that `wit` names, and of those that they name in turn, each with its path in a folder
/// of WIT.
///
/// ```
/// let files = homestar_templates::contracts("world mine { import homestar:https/client@0.1.0; }");
/// assert_eq!(files[0].0, "deps/homestar-https/https.wit");
/// ```
#[must_use]
pub fn contracts(wit: &str) -> Vec<(&'static str, &'static str)> {
    let mut named: Vec<&File> = Vec::new();
    let mut texts = vec![wit];
    while let Some(text) = texts.pop() {
        for file in CONTRACTS {
            let is_known = named.iter().any(|known| known.path == file.path);
            if !is_known && text.contains(&package(file)) {
                named.push(file);
                texts.push(file.text);
            }
        }
    }
    named.sort_by_key(|file| file.path);
    named.iter().map(|file| (file.path, file.text)).collect()
}

/// Returns the files of the packages that SDKs have modules for, each with its path in a folder of WIT.
///
/// ```
/// assert!(homestar_templates::effects().iter().any(|(path, _)| *path == "deps/homestar-dns/dns.wit"));
/// ```
#[must_use]
pub fn effects() -> Vec<(&'static str, &'static str)> {
    contracts("homestar:crypto/ homestar:dns/ homestar:https/ homestar:random/ homestar:std/")
}

/// Returns how the package in a file begins the names of its interfaces: `homestar:https/`.
fn package(file: &File) -> String {
    let folder = file.path.split('/').nth(1).unwrap_or_default();
    format!("{}/", folder.replacen('-', ":", 1))
}

fn filled(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{name_}}", &name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_come_with_those_that_they_name() {
        let paths = |wit: &str| -> Vec<_> {
            let files = contracts(wit).into_iter();
            files.map(|(path, _)| path).collect()
        };
        assert!(paths("world mine { import acme:weather/forecast; }").is_empty());
        let random = paths("import homestar:random/beacon@0.1.0;");
        assert!(
            random.contains(&"deps/homestar-random/random.wit"),
            "{random:?}"
        );
        assert_eq!(
            paths("import homestar:driver/http@0.1.0;").len(),
            CONTRACTS.len() - 1
        );
    }

    #[test]
    fn every_language_has_each_template_and_nothing_is_left_open() {
        for language in ["rust", "js", "ts", "python"] {
            for template in ["task", "effect", "stream", "workflow"] {
                let files = project(language, template, "two-words").expect(language);
                for (path, text) in files {
                    assert!(!text.contains("{{name"), "{language}: {path}");
                }
            }
        }
        assert!(project("rust", "nothing", "a").is_none());
    }
}
