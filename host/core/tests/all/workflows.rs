//! Tables of files: workflows that are fine, with their plans beside, and others, with what is said about them.
//!
//! Adding a case is adding a file. With `HOMESTAR_REWRITE=1` what is found becomes what is expected, and the diff is
//! the review.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use homestar_core::grant::{Grant, Grants};
use homestar_core::ipld::{Cid, cid_of_raw};
use homestar_core::plan::{Found, Plan, Resources, Rules, Signatures};
use homestar_core::task::Limits;
use homestar_core::wit::{Function, Type};
use homestar_core::workflow::{Format, Problem, Workflow};

/// The files of a folder beside this one, by their names.
pub(crate) fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/workflow")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| Format::of_path(&path.to_string_lossy()).is_some())
        .map(|path| {
            (
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
                path,
            )
        })
        .collect();
    files.sort();
    files
}

pub(crate) fn parse(path: &Path) -> Result<Workflow, Vec<Problem>> {
    let format = Format::of_path(&path.to_string_lossy()).expect("one of three");
    Workflow::parse(&fs::read_to_string(path).expect("a text"), format)
}

pub(crate) fn resources() -> Resources {
    let file = |name: &str| {
        (
            name.to_owned(),
            Found::from(cid_of_raw(
                name.split('.').next().unwrap_or(name).as_bytes(),
            )),
        )
    };
    let photos = ["cat.png", "dog.png"].map(|name| (name.to_owned(), cid_of_raw(name.as_bytes())));
    let folder = Found {
        cid: cid_of_raw(b"photos"),
        entries: Some(photos.into()),
    };
    BTreeMap::from([
        file("math.wasm"),
        file("image.wasm"),
        file("command.wasm"),
        file("cat.png"),
        ("photos".to_owned(), folder),
    ])
}

fn function(name: &str, params: &[(&str, Type)], result: Option<Type>) -> Function {
    let (interface, name) = match name.split_once('#') {
        Some((interface, name)) => (Some(interface.to_owned()), name),
        None => (None, name),
    };
    Function {
        interface,
        name: name.to_owned(),
        params: params
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), ty.clone()))
            .collect(),
        result,
        is_async: false,
    }
}

pub(crate) fn signatures() -> Signatures {
    let bytes = || Type::list(Type::U8);
    let stream = || Type::Stream(Some(std::sync::Arc::new(Type::U8)));
    let failure = Type::record([
        ("kind", Type::String),
        ("message", Type::String),
        ("task", Type::option(Type::String)),
        ("value", Type::option(Type::String)),
    ]);
    let answer = Type::variant([
        ("ok", Some(Type::String)),
        ("rewire", Some(Type::String)),
        ("msg", Some(Type::String)),
    ]);
    let size = Type::record([("width", Type::U32), ("height", Type::U32)]);
    let math = vec![
        function(
            "acme:math/ops@0.1.0#add",
            &[("a", Type::U32), ("b", Type::U32)],
            Some(Type::U32),
        ),
        function("add-one", &[("a", Type::S32)], Some(Type::S32)),
        function(
            "half",
            &[("of", Type::U32)],
            Some(Type::result(Some(Type::U32), Some(Type::String))),
        ),
        function("mean", &[("of", Type::list(Type::U32))], Some(Type::F64)),
        function("greet", &[("name", Type::String)], Some(Type::String)),
        function(
            "explain",
            &[("failure", failure.clone())],
            Some(Type::String),
        ),
        function("on-error", &[("failure", failure)], Some(answer)),
        function("quiet", &[], None),
    ];
    let image = vec![
        function(
            "crop",
            &[("image", bytes()), ("x", Type::U32), ("y", Type::U32)],
            Some(bytes()),
        ),
        function(
            "thumb",
            &[("image", stream()), ("name", Type::String)],
            Some(stream()),
        ),
        function(
            "sheet",
            &[("images", Type::list(bytes())), ("size", size)],
            Some(bytes()),
        ),
    ];
    let command = vec![function(
        "wasi:cli/run@0.2.3#run",
        &[],
        Some(Type::result(None, None)),
    )];
    let named = |name: &str, functions| (cid_of_raw(name.as_bytes()), functions);
    let greet = vec![function(
        "greet",
        &[("name", Type::String)],
        Some(Type::String),
    )];
    BTreeMap::from([
        named("math", math),
        named("image", image),
        named("command", command),
        named("greet", greet),
    ])
}

fn rules() -> Rules {
    let grant = |text| Grant::parse(text).expect("a grant");
    Rules {
        max: Limits {
            memory_bytes: 2 << 30,
            time: Duration::from_secs(3600),
            fuel: 5_000_000_000_000,
            ..Limits::MAX
        },
        ceiling: Grants::new(vec![grant("random"), grant("https=*.example.com/v1/*")]),
        ..Rules::default()
    }
}

pub(crate) fn plan(workflow: &Workflow) -> Result<Plan, Vec<Problem>> {
    workflow.plan(&resources(), &signatures(), &rules())
}

/// Compares with the file beside, or rewrites it.
fn expect(path: &Path, ending: &str, found: &str) {
    let beside = PathBuf::from(format!("{}.{ending}", path.display()));
    if std::env::var_os("HOMESTAR_REWRITE").is_some() {
        return fs::write(&beside, found).expect("can be written");
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    assert!(
        expected == found,
        "{}\nexpected:\n{expected}\nfound:\n{found}",
        beside.display()
    );
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

#[test]
fn what_is_fine_has_a_plan() {
    for (name, path) in files("good") {
        let workflow =
            parse(&path).unwrap_or_else(|problems| panic!("{name}\n{}", lines(&problems)));
        let plan =
            plan(&workflow).unwrap_or_else(|problems| panic!("{name}\n{}", lines(&problems)));
        if name.ends_with(".json") {
            let notes = lines(plan.notes());
            let drawn = format!("{plan}\n{notes}\n{}\n{}", plan.to_dot(), plan.to_mermaid());
            expect(&path, "plan", &format!("{}\n\n{drawn}", workflow.cid()));
        }
    }
}

#[test]
fn a_workflow_has_one_cid_in_three_languages() {
    let mut cids: BTreeMap<String, BTreeMap<String, Cid>> = BTreeMap::new();
    for (name, path) in files("good") {
        let (stem, ending) = name.rsplit_once('.').expect("an ending");
        let cid = *parse(&path).expect("fine").cid();
        cids.entry(stem.to_owned())
            .or_default()
            .insert(ending.to_owned(), cid);
    }
    for (stem, by_language) in &cids {
        let distinct: BTreeSet<_> = by_language.values().collect();
        assert_eq!(distinct.len(), 1, "{stem} {by_language:#?}");
    }
    assert!(
        cids.values()
            .filter(|by_language| by_language.len() == 3)
            .count()
            >= 2
    );
}

#[test]
fn the_block_is_the_workflow() {
    for (name, path) in files("good") {
        let workflow = parse(&path).expect("fine");
        let again = Workflow::decode(workflow.block().bytes())
            .unwrap_or_else(|problems| panic!("{name}\n{}", lines(&problems)));
        assert_eq!(again.block(), workflow.block(), "{name}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    for (name, path) in files("fail") {
        let found = parse(&path).and_then(|workflow| plan(&workflow));
        let problems = found.map(|plan| plan.to_string()).expect_err(&name);
        expect(&path, "txt", &lines(&problems));
    }
}

#[test]
fn each_expectation_belongs_to_a_file() {
    for folder in ["good", "fail"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/workflow")
            .join(folder);
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            let text = path.to_string_lossy().into_owned();
            let of = text
                .strip_suffix(".txt")
                .or(text.strip_suffix(".plan"))
                .unwrap_or(&text);
            assert!(
                Path::new(of).exists() && Format::of_path(of).is_some(),
                "{text}"
            );
        }
    }
}
