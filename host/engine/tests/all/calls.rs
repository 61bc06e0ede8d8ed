//! Exports are found by name, called, and end in an outcome.

use std::sync::{Arc, Mutex};

use homestar_core::ipld::Ipld;
use homestar_core::outcome::{Kind, Outcome};
use homestar_core::task::Input;
use homestar_core::wit::Value;
use homestar_engine::{Call, CallError, End, Setting};

use crate::{call, engine, failure, instruction, int, limits, list, load, ok, text};

#[test]
fn a_function_is_found_by_any_name_that_tells_it_apart() {
    let zoo = load(homestar_guests::zoo());
    for name in [
        "echo-u32",
        "echo_u32",
        "echo.echo-u32",
        "homestar:zoo/echo.echo-u32",
        "homestar:zoo/echo@0.1.0#echo-u32",
    ] {
        assert_eq!(ok(&zoo, name, vec![int(7)]), int(7), "{name}");
    }
    assert_eq!(ok(&zoo, "answer", vec![]), int(42));
}

#[test]
fn an_ambiguous_name_lists_the_candidates() {
    let zoo = load(homestar_guests::zoo());
    let error = call(&zoo, "twice", vec![int(1)]).unwrap_err().to_string();
    assert!(
        error.contains("homestar:zoo/numbers@0.1.0#twice"),
        "{error}"
    );
    assert!(error.contains("homestar:zoo/words@0.1.0#twice"), "{error}");
    assert_eq!(ok(&zoo, "numbers.twice", vec![int(4)]), int(8));
    assert_eq!(ok(&zoo, "words.twice", vec![text("ha")]), text("haha"));
}

#[test]
fn an_unknown_name_lists_what_there_is() {
    let add = load(homestar_guests::add());
    let error = call(&add, "substract", vec![]).unwrap_err().to_string();
    assert!(error.contains("add"), "{error}");
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let add = load(homestar_guests::add());
    let error = |args| call(&add, "add", args).unwrap_err().to_string();
    assert!(error(vec![int(1)]).contains("2"), "{}", error(vec![int(1)]));
    let found = error(vec![int(1), text("two")]);
    assert!(found.contains("`b`") && found.contains("u32"), "{found}");
}

#[test]
fn handles_are_refused_with_their_type() {
    let zoo = load(homestar_guests::zoo());
    let error = call(&zoo, "counters.open", vec![int(1)]).unwrap_err();
    assert!(matches!(error, CallError::Handle { .. }), "{error}");
    let error = call(&zoo, "counters.[method]counter.increment", vec![int(1)]).unwrap_err();
    assert!(matches!(error, CallError::Name(_)), "{error}");
}

#[test]
fn the_guests_own_error_is_an_outcome_with_its_value() {
    let zoo = load(homestar_guests::zoo());
    let failed = failure(&zoo, "fail", vec![text("no luck")], &limits());
    assert_eq!(
        (failed.kind, failed.value),
        (Kind::Guest, Some(text("no luck")))
    );
    assert_eq!(failed.message, "\"no luck\"");
    assert_eq!(
        ok(
            &zoo,
            "echo-result-both",
            vec![Ipld::Map([("ok".into(), int(3))].into())]
        ),
        int(3)
    );
}

#[test]
fn async_functions_return_in_every_way_there_is() {
    let guest = load(homestar_guests::asynchronous());
    assert_eq!(ok(&guest, "add", vec![int(1), int(2)]), int(3));
    let described = ok(
        &guest,
        "describe",
        vec![text("Ada"), int(36), Ipld::Float(1.65), Ipld::Bool(true)],
    );
    assert!(
        matches!(&described, Ipld::String(text) if text.contains("Ada")),
        "{described:?}"
    );
    assert_eq!(
        ok(&guest, "divide", vec![int(7), int(2)]),
        list([int(3), int(1)])
    );
    assert_eq!(
        failure(&guest, "divide", vec![int(7), int(0)], &limits()).kind,
        Kind::Guest
    );
    assert_eq!(ok(&guest, "yields", vec![int(10)]), int(10));
    assert_eq!(ok(&guest, "pause", vec![]), Ipld::Null);
    assert_eq!(ok(&guest, "sum", (1..=17).map(int).collect()), int(153));
    assert_eq!(
        ok(&guest, "plain", vec![int(5)]),
        ok(&guest, "plain", vec![int(5)])
    );
}

#[test]
fn a_core_module_with_a_component_type_runs() {
    let plain = load(homestar_guests::plain());
    assert_eq!(ok(&plain, "multiply", vec![int(6), int(7)]), int(42));
    assert_eq!(
        ok(&plain, "shout", vec![text("hey")]),
        ok(&plain, "shout", vec![text("hey")])
    );
}

fn command(args: &[&str], stdin: &str) -> (Outcome, String) {
    let component = load(homestar_guests::cli());
    let export = component.command().expect("a command");
    let mut input = Input::new(
        export.function().full_name(),
        args.iter().map(|arg| text(arg)).collect(),
    );
    input.stdin = (!stdin.is_empty()).then(|| stdin.as_bytes().to_vec());
    let instruction = instruction(&component, input);
    let done = engine()
        .call(&component, Call::new(&instruction, &limits()))
        .unwrap();
    (done.outcome, String::from_utf8(done.log).unwrap())
}

#[test]
fn a_command_has_arguments_and_standard_input_and_output() {
    let (outcome, log) = command(&["-w"], "one two three\n");
    let Outcome::Ok(Ipld::Bytes(stdout)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(String::from_utf8(stdout).unwrap().trim(), "3");
    assert_eq!(log, "");
}

#[test]
fn a_commands_failure_has_its_status_and_a_log() {
    let (outcome, log) = command(&["--nonsense"], "");
    let Outcome::Error(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(failure.kind, Kind::Exit);
    assert_eq!(failure.message, "exited with status 1");
    assert!(log.contains("--nonsense"), "{log}");
}

#[test]
fn output_is_heard_while_it_is_written() {
    let component = load(homestar_guests::nosy());
    let instruction = instruction(&component, Input::new("print", vec![text("hello")]));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    let limits = limits();
    let mut call = Call::new(&instruction, &limits);
    call.on_log = Some(Arc::new(move |bytes| {
        ear.lock().unwrap().extend_from_slice(bytes)
    }));
    let done = engine().call(&component, call).unwrap();
    assert_eq!(*heard.lock().unwrap(), done.log);
    assert!(String::from_utf8_lossy(&done.log).contains("hello"));
}

#[test]
fn standard_input_is_for_commands() {
    let add = load(homestar_guests::add());
    let mut input = Input::new("add", vec![int(1), int(2)]);
    input.stdin = Some(b"x".to_vec());
    let instruction = instruction(&add, input);
    let error = engine()
        .call(&add, Call::new(&instruction, &limits()))
        .unwrap_err();
    assert!(matches!(error, CallError::Stdin { .. }), "{error}");
}

#[test]
fn an_export_of_another_component_is_refused() {
    let (add, text) = (load(homestar_guests::add()), load(homestar_guests::text()));
    let mut instance = engine().start(&add, Setting::default(), &limits()).unwrap();
    let ended = instance.call(
        text.find("line-count").unwrap(),
        vec![Value::String("a".into())],
    );
    assert!(matches!(ended, Err(End::Host(_))), "{ended:?}");
    let sum = instance.call(add.find("add").unwrap(), vec![Value::U32(1), Value::U32(2)]);
    assert_eq!(sum, Ok(Some(Value::U32(3))));
}

#[test]
fn arguments_that_do_not_fit_never_reach_the_guest() {
    let add = load(homestar_guests::add());
    let mut instance = engine().start(&add, Setting::default(), &limits()).unwrap();
    let export = add.find("add").unwrap();
    for args in [
        vec![],
        vec![Value::U32(1)],
        vec![Value::U32(1), Value::U64(2)],
    ] {
        assert!(matches!(instance.call(export, args), Err(End::Host(_))));
    }
}
