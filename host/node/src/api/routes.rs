//! What there is to be asked, each under its name, and what one has to be let for it.

use homestar_net::ApiAnswer;

use super::fault::Fault;
use super::{About, Asked};

/// To look at everything: what the node knows, and what is in its store.
const READ: &str = "/homestar/node/read";
/// To have workflows run, and to look at one's own runs.
const RUN: &str = "/homestar/node/run";
/// To bring content.
const WRITE: &str = "/homestar/node/write";
/// To change what the node does.
const ADMIN: &str = "/homestar/node/admin";

/// Bytes of a body that says a few words.
const WORDS: usize = 64 << 10;
/// Bytes of a workflow.
const WORKFLOW: usize = 8 << 20;
/// Bytes of content. What is larger comes in pieces.
const PIECE: usize = 64 << 20;

/// Where blocks are.
pub(super) const CONTENT: &str = "/ipfs/";

/// Something that can be asked.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// Its path, in which one part may be `{…}`: a name.
    pub(super) path: &'static str,
    /// What one has to be let; nothing for what everybody may.
    pub(super) command: Option<&'static str>,
    /// Names of what may stand behind `?`.
    pub(super) query: &'static [&'static str],
    pub(super) body_bytes_max: usize,
    pub(super) answer: fn(&About, &Asked<'_>) -> Result<ApiAnswer, Fault>,
}

const fn get(
    path: &'static str,
    query: &'static [&'static str],
    answer: fn(&About, &Asked<'_>) -> Result<ApiAnswer, Fault>,
) -> Route {
    Route {
        method: "GET",
        path,
        command: Some(READ),
        query,
        body_bytes_max: 0,
        answer,
    }
}

const fn post(
    path: &'static str,
    command: &'static str,
    body_bytes_max: usize,
    answer: fn(&About, &Asked<'_>) -> Result<ApiAnswer, Fault>,
) -> Route {
    Route {
        method: "POST",
        path,
        command: Some(command),
        query: &[],
        body_bytes_max,
        answer,
    }
}

const fn of_runs(route: Route) -> Route {
    Route {
        command: Some(RUN),
        ..route
    }
}

/// All of them.
pub(super) static ROUTES: [Route; 21] = [
    Route {
        command: None,
        ..get("/v1/health", &[], About::health)
    },
    get("/v1/openapi.json", &[], About::openapi),
    get("/v1/metrics", &[], About::metrics),
    get("/v1/node", &[], About::node),
    get("/v1/peers", &[], About::peers),
    get("/v1/workers", &[], About::workers),
    get("/v1/effects", &[], About::effects),
    get("/v1/receipts", &["before", "limit", "ran"], About::receipts),
    get("/v1/receipts/{receipt}", &[], About::receipt),
    post("/v1/receipts", READ, WORDS, About::find_receipts),
    post("/v1/content", WRITE, PIECE, About::bring),
    post("/v1/content/missing", WRITE, WORDS, About::missing),
    Route {
        query: &["fail-fast", "jobs", "result"],
        ..post("/v1/runs", RUN, WORKFLOW, About::begin_run)
    },
    of_runs(get("/v1/runs", &["limit"], About::runs)),
    of_runs(get("/v1/runs/{run}", &["limit", "offset"], About::run)),
    of_runs(get("/v1/runs/{run}/events", &["after"], About::follow)),
    post("/v1/runs/{run}/cancel", RUN, 0, About::cancel),
    post("/v1/connect", ADMIN, WORDS, About::connect),
    post("/v1/shared", ADMIN, 0, About::share),
    post("/v1/stop", ADMIN, 0, About::stop),
    get(CONTENT, &[], About::content),
];

/// Finds what is asked, and the name in its path.
pub(super) fn find<'a>(method: &str, path: &'a str) -> Result<(&'static Route, &'a str), Fault> {
    let here = ROUTES
        .iter()
        .filter_map(|route| Some((route, name(route.path, path)?)));
    let here: Vec<_> = here.collect();
    let asked = |(route, _): &&(&'static Route, &'a str)| {
        route.method == method || (route.path == CONTENT && method == "HEAD")
    };
    match here.iter().find(asked) {
        Some(found) => Ok(*found),
        None if here.is_empty() => Err(Fault::nothing("there is nothing of that name")),
        None => {
            let allowed: Vec<_> = here.iter().map(|(route, _)| route.method).collect();
            Err(Fault::method(allowed.join(", ")))
        }
    }
}

/// Returns what one has to be let to make a request: a command of UCAN, or none if everybody may.
pub fn command_of(method: &str, path: &str) -> Result<Option<&'static str>, Fault> {
    find(method, path).map(|(route, _)| route.command)
}

/// Returns the name in a path if it is of that form, and nothing for a form without.
fn name<'a>(form: &str, path: &'a str) -> Option<&'a str> {
    if form == CONTENT {
        return path.strip_prefix(CONTENT);
    }
    let Some((before, rest)) = form.split_once('{') else {
        return (form == path).then_some("");
    };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use homestar_core::ipld::Ipld;
    use homestar_core::json;
    use proptest::prelude::*;

    use super::super::OPENAPI;
    use super::*;

    fn found(method: &str, path: &str) -> Option<(&'static str, String)> {
        let found = find(method, path).ok();
        found.map(|(route, name)| (route.path, name.to_owned()))
    }

    #[test]
    fn paths_have_names() {
        assert_eq!(found("GET", "/v1/runs"), Some(("/v1/runs", String::new())));
        for (path, route) in [
            ("/v1/runs/abc", "/v1/runs/{run}"),
            ("/v1/runs/abc/events", "/v1/runs/{run}/events"),
            ("/v1/receipts/abc", "/v1/receipts/{receipt}"),
        ] {
            assert_eq!(found("GET", path), Some((route, "abc".to_owned())));
        }
        for path in [
            "/v1/runs/",
            "/v1/runs//events",
            "/v1/runs/a/b",
            "/v1",
            "/",
            "/v1/Node",
        ] {
            assert_eq!(found("GET", path), None, "{path}");
        }
        assert!(found("HEAD", "/ipfs/bafkqaaa/a").is_some());
        let wrong = find("DELETE", "/v1/runs").err().map(Fault::answer).unwrap();
        assert_eq!(wrong.status, 405);
        assert!(wrong.headers.contains(&("allow", "POST, GET".to_owned())));
    }

    /// Nothing is answered to everybody but one thing.
    #[test]
    fn closed_but_for_health() {
        let open = ROUTES.iter().filter(|route| route.command.is_none());
        assert_eq!(open.map(|it| it.path).collect::<Vec<_>>(), ["/v1/health"]);
    }

    /// Every route stands in the description, with its parameters and what it takes to use it, and no other.
    #[test]
    fn the_description_has_them_all() {
        let described: Ipld = json::parse(OPENAPI).unwrap();
        let Ok(Some(Ipld::Map(paths))) = described.get("paths") else {
            panic!("no paths");
        };
        let mut there = BTreeSet::new();
        for (path, methods) in paths {
            let Ipld::Map(methods) = methods else {
                panic!("{path} has no methods")
            };
            for (method, operation) in methods.iter().filter(|(it, _)| *it != "parameters") {
                let names = parameters(operation);
                let command = match operation.get("x-command") {
                    Ok(Some(Ipld::String(command))) => Some(command.clone()),
                    _ => None,
                };
                let is_open = matches!(operation.get("security"), Ok(Some(Ipld::List(list))) if list.is_empty());
                assert_eq!(is_open, command.is_none(), "{method} {path}");
                there.insert((method.to_uppercase(), path.clone(), names, command));
            }
        }
        let routes = ROUTES.iter().filter(|route| route.path != CONTENT);
        let routes: BTreeSet<_> = routes
            .map(|route| {
                let names = route.query.iter().map(|name| (*name).to_owned());
                let command = route.command.map(str::to_owned);
                (
                    route.method.to_owned(),
                    route.path.to_owned(),
                    names.collect::<Vec<_>>(),
                    command,
                )
            })
            .collect();
        let content = |method: &str| {
            let path = format!("{CONTENT}{{cid}}");
            there.iter().any(|it| it.0 == method && it.1 == path)
        };
        assert!(content("GET") && content("HEAD"));
        let there: BTreeSet<_> = there
            .into_iter()
            .filter(|it| !it.1.starts_with(CONTENT))
            .collect();
        assert_eq!(there, routes);
    }

    /// Returns the names of what may stand behind `?`.
    fn parameters(operation: &Ipld) -> Vec<String> {
        let Ok(Some(Ipld::List(list))) = operation.get("parameters") else {
            return Vec::new();
        };
        let text = |it: &Ipld, name: &str| match it.get(name) {
            Ok(Some(Ipld::String(text))) => text.clone(),
            _ => String::new(),
        };
        let in_query = list.iter().filter(|it| text(it, "in") == "query");
        let mut names: Vec<_> = in_query.map(|it| text(it, "name")).collect();
        names.sort();
        names
    }

    proptest! {
        #[test]
        fn nothing_breaks(method in "[A-Z]{0,8}", path in "\\PC{0,80}") {
            let _ = find(&method, &path);
        }
    }
}
