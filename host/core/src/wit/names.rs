//! Which function a person means.

use std::fmt::{self, Display, Formatter};

use super::Function;
use super::brief::brief;
use super::suggest::{fold, nearest};

/// How many functions an error lists. A component may export hundreds.
const LISTED_MAX: usize = 20;

/// How much of what was typed an error repeats.
const TYPED_CHARS_MAX: usize = 80;

/// Returns the function that `typed` names.
///
/// A function may be written with as much of its interface as tells it apart: `add`, `ops.add`,
/// `acme:math/ops.add` or `acme:math/ops@0.1.0#add`, with `.` or `#` between the two, and in
/// kebab, snake or camel case. What is written exactly as the component has it goes before what is
/// only spelled alike, and a function of the world itself before one of an interface.
///
/// Functions of resources can be named but not called, because a handle can't be passed as data.
pub fn resolve<'a>(functions: &'a [Function], typed: &str) -> Result<&'a Function, NameError> {
    let function = find(functions, typed, str::to_owned)
        .or_else(|| find(functions, typed, fold))
        .unwrap_or_else(|| Err(unknown(functions, typed)))?;
    match function.handle() {
        Some(handle) if function.is_of_resource() => Err(NameError::Resource {
            function: function.full_name(),
            handle: handle.to_string(),
        }),
        _ => Ok(function),
    }
}

/// The function with this name, if there is one, where names are compared after `spelled`.
fn find<'a>(
    functions: &'a [Function],
    typed: &str,
    spelled: fn(&str) -> String,
) -> Option<Result<&'a Function, NameError>> {
    let wanted = spelled(typed.trim());
    let is_wanted = |name: String| spelled(&name) == wanted;
    let meant = |function: &&Function| names(function).into_iter().any(is_wanted);
    let found: Vec<&Function> = functions.iter().filter(meant).collect();
    let mut in_world = found.iter().filter(|function| function.interface.is_none());
    match (&found[..], in_world.next(), in_world.next()) {
        ([], ..) => None,
        ([function], ..) | (_, Some(function), None) => Some(Ok(function)),
        _ => Some(Err(NameError::Ambiguous {
            typed: brief(typed, TYPED_CHARS_MAX),
            candidates: Listed::of(found.iter().copied()),
        })),
    }
}

/// Every way to write this function, the shortest first.
fn names(function: &Function) -> Vec<String> {
    let mut locals = vec![function.name.clone()];
    // `[method]counter.increment` may be written without its mark.
    if let Some((_, unmarked)) = function.name.split_once(']') {
        locals.push(unmarked.to_owned());
    }
    let mut names = locals.clone();
    for interface in function
        .interface
        .iter()
        .flat_map(|name| interface_names(name))
    {
        for local in &locals {
            names.push(format!("{interface}.{local}"));
            names.push(format!("{interface}#{local}"));
            // WAVE puts the version last: `acme:math/ops.add@0.1.0`.
            if let Some((unversioned, version)) = interface.split_once('@') {
                names.push(format!("{unversioned}.{local}@{version}"));
            }
        }
    }
    names
}

/// Every way to write an interface: `ops`, `ops@0.1.0`, `acme:math/ops`, `acme:math/ops@0.1.0`.
fn interface_names(interface: &str) -> Vec<&str> {
    let unversioned = |name: &'_ str| name.find('@').unwrap_or(name.len());
    let short = &interface[interface.rfind('/').map_or(0, |slash| slash + 1)..];
    let mut names = vec![
        &short[..unversioned(short)],
        short,
        &interface[..unversioned(interface)],
        interface,
    ];
    names.dedup();
    names
}

fn unknown(functions: &[Function], typed: &str) -> NameError {
    let spellings: Vec<(String, &Function)> = functions
        .iter()
        .flat_map(|function| {
            names(function)
                .into_iter()
                .map(move |name| (name, function))
        })
        .collect();
    let near = nearest(typed.trim(), spellings.iter().map(|(name, _)| &name[..]));
    let meant = spellings.iter().find(|(name, _)| Some(&name[..]) == near);
    NameError::Unknown {
        typed: brief(typed, TYPED_CHARS_MAX),
        nearest: meant.map(|(_, function)| function.full_name()),
        available: Listed::of(functions.iter()),
    }
}

/// A name that does not lead to a function that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No function has that name.
    #[error("no function `{typed}`; there {available}{}", DidYouMean(nearest))]
    Unknown {
        /// What was typed.
        typed: String,
        /// The full name of the function that was perhaps meant.
        nearest: Option<String>,
        /// The functions that there are.
        available: Listed,
    },
    /// Several functions have that name.
    #[error("`{typed}` may mean any of {}", .candidates.names())]
    Ambiguous {
        /// What was typed.
        typed: String,
        /// The functions that have the name.
        candidates: Listed,
    },
    /// The function belongs to a resource, whose handles can't be passed.
    #[error("`{function}` takes or gives a `{handle}`, a handle that can't be passed as data")]
    Resource {
        /// The full name of the function.
        function: String,
        /// The type of the handle.
        handle: String,
    },
}

/// The full names of some functions: the first 20, and the number of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The first of them.
    pub first: Vec<String>,
    /// How many there are in all.
    pub count: usize,
}

impl Listed {
    fn of<'a>(functions: impl ExactSizeIterator<Item = &'a Function>) -> Self {
        Self {
            count: functions.len(),
            first: functions
                .take(LISTED_MAX)
                .map(Function::full_name)
                .collect(),
        }
    }

    /// Returns the names, such as "`a`, `b` and 3 more".
    fn names(&self) -> String {
        let names: Vec<String> = self.first.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        match self.count.saturating_sub(self.first.len()) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }
}

impl Display for Listed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => f.write_str("are none"),
            1 => write!(f, "is {}", self.names()),
            _ => write!(f, "are {}", self.names()),
        }
    }
}

struct DidYouMean<'a>(&'a Option<String>);

impl Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Type;
    use super::*;

    fn function(full_name: &str) -> Function {
        let (interface, name) = match full_name.split_once('#') {
            Some((interface, name)) => (Some(interface.to_owned()), name),
            None => (None, full_name),
        };
        let handle = Type::Borrow("counter".into());
        let params = name
            .contains("[method]")
            .then(|| ("self".to_owned(), handle));
        Function {
            interface,
            name: name.to_owned(),
            params: params.into_iter().collect(),
            result: None,
            is_async: false,
        }
    }

    fn functions() -> Vec<Function> {
        [
            "acme:math/ops@0.1.0#add",
            "acme:math/ops@0.1.0#to-base64-url",
            "acme:math/ops@0.1.0#run",
            "acme:text/case-ops@0.1.0#upper",
            "acme:text/case-ops@0.1.0#trim",
            "acme:text/case-ops@0.2.0#trim",
            "acme:math/counters@0.1.0#[method]counter.increment",
            "acme:math/counters@0.1.0#[static]counter.largest",
            "run",
        ]
        .map(function)
        .into()
    }

    #[test]
    fn a_function_is_found_by_any_name_that_tells_it_apart() {
        let functions = functions();
        let cases = [
            ("add", "acme:math/ops@0.1.0#add"),
            (" add ", "acme:math/ops@0.1.0#add"),
            ("ops.add", "acme:math/ops@0.1.0#add"),
            ("ops#add", "acme:math/ops@0.1.0#add"),
            ("acme:math/ops.add", "acme:math/ops@0.1.0#add"),
            ("acme:math/ops#add", "acme:math/ops@0.1.0#add"),
            ("acme:math/ops@0.1.0.add", "acme:math/ops@0.1.0#add"),
            ("acme:math/ops@0.1.0#add", "acme:math/ops@0.1.0#add"),
            ("acme:math/ops.add@0.1.0", "acme:math/ops@0.1.0#add"),
            ("to-base64-url", "acme:math/ops@0.1.0#to-base64-url"),
            ("to_base64_url", "acme:math/ops@0.1.0#to-base64-url"),
            ("toBase64Url", "acme:math/ops@0.1.0#to-base64-url"),
            ("case_ops.upper", "acme:text/case-ops@0.1.0#upper"),
            ("caseOps.upper", "acme:text/case-ops@0.1.0#upper"),
            (
                "acme:text/caseOps@0.2.0.trim",
                "acme:text/case-ops@0.2.0#trim",
            ),
            ("case-ops@0.1.0.trim", "acme:text/case-ops@0.1.0#trim"),
            ("run", "run"),
            ("ops.run", "acme:math/ops@0.1.0#run"),
            ("largest", "nothing"),
            (
                "counter.largest",
                "acme:math/counters@0.1.0#[static]counter.largest",
            ),
        ];
        for (typed, expected) in cases {
            match resolve(&functions, typed) {
                Ok(function) => assert_eq!(function.full_name(), expected, "{typed}"),
                Err(error) => assert_eq!(expected, "nothing", "{error}"),
            }
        }
    }

    #[test]
    fn every_function_is_found_by_its_full_name() {
        for function in &functions() {
            match resolve(&functions(), &function.full_name()) {
                Ok(found) => assert_eq!(found, function),
                Err(error) => assert!(matches!(error, NameError::Resource { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn a_name_that_leads_nowhere_is_explained() {
        let functions = functions();
        let few = &functions[..2];
        let message =
            |functions: &[Function], typed| resolve(functions, typed).unwrap_err().to_string();
        assert_eq!(
            message(few, "ad"),
            "no function `ad`; there are `acme:math/ops@0.1.0#add`, `acme:math/ops@0.1.0#to-base64-url`; did you mean `acme:math/ops@0.1.0#add`?"
        );
        assert_eq!(
            message(&few[..1], "subtract"),
            "no function `subtract`; there is `acme:math/ops@0.1.0#add`"
        );
        assert_eq!(message(&[], "add"), "no function `add`; there are none");
        assert_eq!(
            message(&functions, "trim"),
            "`trim` may mean any of `acme:text/case-ops@0.1.0#trim`, `acme:text/case-ops@0.2.0#trim`"
        );
        assert_eq!(
            message(&functions, "counter.increment"),
            "`acme:math/counters@0.1.0#[method]counter.increment` takes or gives a `borrow<counter>`, a handle that can't be passed as data"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let many: Vec<Function> = (0..50).map(|n| function(&format!("f{n}"))).collect();
        let message = resolve(&many, "other").unwrap_err().to_string();
        assert!(message.ends_with("`f19` and 30 more"), "{message}");
    }

    #[test]
    fn the_exact_spelling_goes_before_the_folded_one() {
        let functions = ["a:b/c#get_x", "get-x"].map(function);
        assert_eq!(resolve(&functions, "get_x").unwrap(), &functions[0]);
        assert_eq!(resolve(&functions, "getX").unwrap(), &functions[1]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(typed in any::<String>(), interface in any::<String>()) {
            let _ = resolve(&functions(), &typed);
            let mut function = function("f");
            function.interface = Some(interface);
            let full_name = function.full_name();
            let functions = [function];
            prop_assert!(resolve(&functions, &full_name).is_ok() || full_name.trim() != full_name);
        }
    }
}
