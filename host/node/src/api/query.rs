//! What stands behind `?`.

use super::fault::Fault;

/// Parameters of a request. Each is known, and stands once.
#[derive(Debug, Default)]
pub(super) struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    /// Reads parameters of these names.
    pub(super) fn parse(text: Option<&'a str>, names: &[&str]) -> Result<Self, Fault> {
        let mut query = Self::default();
        let parts = text.unwrap_or_default().split('&');
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !names.contains(&name) {
                return Err(Fault::usage(match names {
                    [] => format!("there is no parameter `{name}` here, nor any other"),
                    names => format!(
                        "there is no parameter `{name}` here; there are {}",
                        names.join(", ")
                    ),
                }));
            }
            if query.text(name).is_some() {
                return Err(Fault::usage(format!("`{name}` stands twice")));
            }
            query.0.push((name, value));
        }
        Ok(query)
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(it, _)| *it == name);
        found.map(|(_, value)| *value)
    }

    /// Returns a number between two, if it was given.
    pub(super) fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_digits);
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Fault::usage(format!(
                "`{name}` has to be a number from {least} to {most}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_known_and_stand_once() {
        let query = Query::parse(Some("limit=7&ran=x"), &["limit", "ran"]).unwrap();
        assert_eq!(query.text("ran"), Some("x"));
        assert_eq!(query.number("limit", 1, 10), Ok(Some(7)));
        assert_eq!(query.number("other", 1, 10), Ok(None));
        for text in ["more=1", "limit=1&limit=2", "Limit=1"] {
            assert!(Query::parse(Some(text), &["limit"]).is_err(), "{text}");
        }
        for text in [
            "",
            "-1",
            "+1",
            "0",
            "11",
            "1.0",
            "1e1",
            "%31",
            "99999999999999999999",
        ] {
            let text = format!("limit={text}");
            let query = Query::parse(Some(&text), &["limit"]).unwrap();
            assert!(query.number("limit", 1, 10).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks(text in "\\PC{0,80}") {
            if let Ok(query) = Query::parse(Some(&text), &["limit", "ran"]) {
                let number = query.number("limit", 1, 10);
                prop_assert!(number.is_err() || number.unwrap().is_none_or(|it| (1..=10).contains(&it)));
            }
        }
    }
}
