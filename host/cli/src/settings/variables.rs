//! Settings that environment variables say: `limits.max.memory` is `HOMESTAR_LIMITS_MAX_MEMORY`.
//!
//! They stand above the file. What people name themselves, effects, pins and secrets, stands in the file alone.

use toml::{Table, Value};

use super::file::File;

/// What every variable begins with.
const PREFIX: &str = "HOMESTAR_";

/// A setting that a variable may say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Where it stands, such as `limits.max.memory`.
    pub(crate) path: &'static str,
    form: Form,
}

/// How a variable says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it is.
    Text,
    /// A path, from the working directory.
    Path,
    /// `true` or `false`.
    Switch,
    Number,
    /// One text, or a list as in the file.
    List,
    /// The same of paths.
    Paths,
    /// A text that may be a list.
    Either,
}

const fn key(path: &'static str, form: Form) -> Key {
    Key { path, form }
}

/// All that there are, in the order in which people are shown them.
pub(crate) const KEYS: [Key; 37] = [
    key("ceiling", Form::List),
    key("grant", Form::List),
    key("gateways", Form::List),
    key("limits.fuel", Form::Text),
    key("limits.memory", Form::Text),
    key("limits.time", Form::Text),
    key("limits.output", Form::Text),
    key("limits.storage", Form::Text),
    key("limits.log", Form::Text),
    key("limits.calls", Form::Text),
    key("limits.call-bytes", Form::Text),
    key("limits.max.fuel", Form::Text),
    key("limits.max.memory", Form::Text),
    key("limits.max.time", Form::Text),
    key("limits.max.output", Form::Text),
    key("limits.max.storage", Form::Text),
    key("limits.max.log", Form::Text),
    key("limits.max.calls", Form::Text),
    key("limits.max.call-bytes", Form::Text),
    key("store.path", Form::Path),
    key("store.quota", Form::Text),
    key("network.listen", Form::List),
    key("network.peers", Form::List),
    key("network.trusted", Form::List),
    key("network.blocked", Form::List),
    key("network.allowed", Form::List),
    key("network.relays", Form::List),
    key("network.relay", Form::Switch),
    key("network.nearby", Form::Switch),
    key("network.believed", Form::List),
    key("network.share-receipts", Form::Switch),
    key("api.listen", Form::Text),
    key("api.hosts", Form::List),
    key("work.for", Form::List),
    key("work.jobs", Form::Number),
    key("https.ca", Form::Paths),
    key("dns.resolver", Form::Either),
];

impl Key {
    /// Returns the name of its variable.
    pub(crate) fn variable(&self) -> String {
        format!(
            "{PREFIX}{}",
            self.path.to_uppercase().replace(['.', '-'], "_")
        )
    }

    /// Reads what a variable says.
    fn value(&self, text: &str) -> Result<Value, String> {
        let is_list = text.trim_start().starts_with('[');
        match self.form {
            Form::Text => Ok(Value::String(text.to_owned())),
            Form::Path => path(text).map(Value::String),
            Form::Switch => match text {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err(format!("`{text}` is neither true nor false")),
            },
            Form::Number => {
                let number = text.parse().map(Value::Integer);
                number.map_err(|_| format!("`{text}` is no whole number"))
            }
            Form::List | Form::Either | Form::Paths if is_list => {
                let list: Value = text.parse().map_err(|error: toml::de::Error| {
                    format!("it is no list such as [\"…\", \"…\"]: {}", error.message())
                })?;
                match (self.form, list) {
                    (Form::Paths, Value::Array(paths)) => paths
                        .into_iter()
                        .map(absolute)
                        .collect::<Result<_, _>>()
                        .map(Value::Array),
                    (_, list) => Ok(list),
                }
            }
            Form::List => Ok(Value::Array(vec![Value::String(text.to_owned())])),
            Form::Paths => Ok(Value::Array(vec![Value::String(path(text)?)])),
            Form::Either => Ok(Value::String(text.to_owned())),
        }
    }
}

/// A path in a variable is relative to where the program runs, as a path in an option is.
fn path(text: &str) -> Result<String, String> {
    let path =
        std::path::absolute(text).map_err(|error| format!("`{text}` is no path: {error}"))?;
    path.into_os_string()
        .into_string()
        .map_err(|_| "the working directory has no name in UTF-8".to_owned())
}

fn absolute(value: Value) -> Result<Value, String> {
    match value {
        Value::String(text) => path(&text).map(Value::String),
        // What it should be is said by who reads the settings.
        other => Ok(other),
    }
}

/// A setting that a variable says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) key: &'static Key,
    pub(crate) value: Value,
}

/// Returns what the environment says, of which nothing was looked at closer than that it has the right form.
pub(super) fn said(variables: Vec<(String, Option<String>)>) -> Result<Vec<Said>, String> {
    let mut said = Vec::new();
    for (name, text) in variables {
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            match section(&name) {
                Some(section) => return Err(unknown(&name, section)),
                None => continue,
            }
        };
        let text = text.ok_or_else(|| format!("{name} is not UTF-8"))?;
        // A variable that is empty counts as one that isn't set.
        if !text.is_empty() {
            let value = key
                .value(&text)
                .map_err(|words| format!("{name}: {words}"))?;
            said.push(Said { key, value });
        }
    }
    said.sort_by_key(|said| KEYS.iter().position(|key| key == said.key));
    Ok(said)
}

/// Returns the section whose settings a variable's name begins like. Others may have variables that begin as ours do.
fn section(name: &str) -> Option<&'static str> {
    let sections = KEYS
        .iter()
        .filter_map(|key| key.path.split_once('.'))
        .map(|it| it.0);
    let mut sections = sections;
    sections.find(|section| name.starts_with(&format!("{PREFIX}{}_", section.to_uppercase())))
}

fn unknown(name: &str, section: &str) -> String {
    let of_section = KEYS
        .iter()
        .filter(|key| key.path.split('.').next() == Some(section));
    let names: Vec<_> = of_section.map(Key::variable).collect();
    format!("{name} is no setting; there are {}", names.join(", "))
}

/// Returns the file with what variables say in it.
pub(super) fn merged(mut table: Table, said: &[Said]) -> Result<File, String> {
    let mut file = None;
    for said in said {
        said.put(&mut table);
        let read: Result<File, _> = table.clone().try_into();
        file = Some(
            read.map_err(|error| format!("{}: {}", said.key.variable(), error.message().trim()))?,
        );
    }
    match file {
        Some(file) => Ok(file),
        None => table
            .try_into()
            .map_err(|error: toml::de::Error| error.message().to_owned()),
    }
}

impl Said {
    /// Puts the setting where it belongs, in a table that was understood.
    pub(super) fn put(&self, table: &mut Table) {
        let (sections, name) = match self.key.path.rsplit_once('.') {
            Some((sections, name)) => (sections, name),
            None => ("", self.key.path),
        };
        let mut within = table;
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let entry = within.entry(section);
            let Value::Table(inner) = entry.or_insert_with(|| Value::Table(Table::new())) else {
                return;
            };
            within = inner;
        }
        within.insert(name.to_owned(), self.value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::parse;

    fn says(pairs: &[(&str, &str)]) -> Result<File, String> {
        let pairs = pairs.iter();
        let variables = pairs.map(|&(name, text)| (name.to_owned(), Some(text.to_owned())));
        let file = "grant = [\"clock\"]\n[limits]\ncalls = 5\nfuel = 7";
        merged(file.parse().unwrap(), &said(variables.collect())?)
    }

    /// Returns the settings that the file may have in a section, which the error about one that it may not have lists.
    fn fields(section: &str) -> Vec<String> {
        let text = match section {
            "" => "nothing = 1".to_owned(),
            section => format!("[{section}]\nnothing = 1"),
        };
        let error = parse(&text).map(|_| ()).unwrap_err();
        let (_, listed) = error.split_once("expected").unwrap();
        let names = listed.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect()
    }

    #[test]
    fn every_setting_has_its_variable() {
        // Their names are people's own.
        let own = ["effect", "pin", "secret"];
        let mut sections = vec![String::new()];
        let mut keys = Vec::new();
        while let Some(section) = sections.pop() {
            for field in fields(&section) {
                let path = match section.as_str() {
                    "" => field.clone(),
                    section => format!("{section}.{field}"),
                };
                let is_section = parse(&format!("[{path}]")).is_ok();
                if own.contains(&field.as_str()) || path == "limits.max.max" {
                    continue;
                }
                match is_section {
                    true => sections.push(path),
                    false => keys.push(path),
                }
            }
        }
        let mut known: Vec<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        known.sort();
        keys.sort();
        assert_eq!(known, keys);
    }

    #[test]
    fn variables_stand_above_the_file_and_the_rest_of_it_stays() {
        let file = says(&[
            ("HOMESTAR_LIMITS_CALLS", "1k"),
            ("HOMESTAR_LIMITS_MAX_CALL_BYTES", "1MiB"),
            ("HOMESTAR_GRANT", "[\"random\", 'dns=*']"),
            ("HOMESTAR_CEILING", "random"),
            ("HOMESTAR_NETWORK_SHARE_RECEIPTS", "true"),
            ("HOMESTAR_WORK_JOBS", "3"),
            ("HOMESTAR_DNS_RESOLVER", "[\"192.0.2.1\"]"),
            ("HOMESTAR_STORE_PATH", "/srv/store"),
            ("HOMESTAR_STORE_QUOTA", ""),
            ("HOMESTAR_HOME", "/nowhere"),
        ]);
        let file = file.unwrap();
        assert_eq!(
            (file.limits.calls, file.limits.fuel),
            (Some(1_000), Some(7))
        );
        assert_eq!(file.limits.max.unwrap().call_bytes, Some(1 << 20));
        assert_eq!(file.grant.len(), 2);
        assert_eq!(file.ceiling.unwrap().len(), 1);
        assert!(file.network.share_receipts);
        assert_eq!(file.work.jobs.unwrap().get(), 3);
        assert_eq!(file.store.path.unwrap(), std::path::Path::new("/srv/store"));
        assert_eq!(file.store.quota, None);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_variable() {
        for (name, text, words) in [
            (
                "HOMESTAR_LIMITS_MEMORY",
                "much",
                "HOMESTAR_LIMITS_MEMORY: not a size such as",
            ),
            (
                "HOMESTAR_LIMITS_MEMROY",
                "1",
                "HOMESTAR_LIMITS_MEMROY is no setting; there are HOMESTAR_LIMITS_FUEL,",
            ),
            (
                "HOMESTAR_NETWORK_RELAY",
                "yes",
                "HOMESTAR_NETWORK_RELAY: `yes` is neither",
            ),
            (
                "HOMESTAR_WORK_JOBS",
                "many",
                "HOMESTAR_WORK_JOBS: `many` is no whole number",
            ),
            ("HOMESTAR_WORK_JOBS", "0", "HOMESTAR_WORK_JOBS: "),
            (
                "HOMESTAR_GRANT",
                "radnom",
                "HOMESTAR_GRANT: `radnom` is no grant",
            ),
            (
                "HOMESTAR_GRANT",
                "[\"random\"",
                "HOMESTAR_GRANT: it is no list such as",
            ),
            ("HOMESTAR_GRANT", "[1]", "HOMESTAR_GRANT: "),
            ("HOMESTAR_HTTPS_CA", "[1]", "HOMESTAR_HTTPS_CA: "),
        ] {
            let error = says(&[(name, text)]).map(|_| ()).unwrap_err();
            assert!(error.starts_with(words), "{name}={text}\n{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let unreadable = said(vec![("HOMESTAR_GRANT".to_owned(), None)]).unwrap_err();
        assert_eq!(unreadable, "HOMESTAR_GRANT is not UTF-8");
    }
}
