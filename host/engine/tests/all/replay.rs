//! Tasks that are wired to drivers: what they hear is recorded, and played back bit for bit.

use homestar_core::grant::{Grant, Grants};
use homestar_core::ipld::Ipld;
use homestar_core::outcome::Outcome;
use homestar_core::task::{Input, Instruction};
use homestar_core::trace::{Event, Events};
use homestar_engine::{Answers, Call, CallError, Component, Done, Effects, Recording};

use crate::*;

/// The effects that come with the program.
pub(crate) fn built_in() -> Effects {
    let mut effects = Effects::new();
    let all = homestar_effects::all();
    let all = all.iter().map(|effect| (effect.name, effect.bytes));
    effects.add_built_in(all).expect("effects that load");
    effects
}

/// One of the effects that come with the program, as a component of its own.
pub(crate) fn effect(name: &str) -> Component {
    effect_on(engine(), name)
}

pub(crate) fn effect_on(engine: &Engine, name: &str) -> Component {
    let all = homestar_effects::all();
    let effect = all.iter().find(|effect| effect.name == name).expect(name);
    engine.load_with(effect.bytes, built_in).expect(name)
}

pub(crate) fn grants(texts: &[&str]) -> Grants {
    let grants = texts.iter().map(|text| Grant::parse(text).expect(text));
    Grants::new(grants.collect())
}

/// Runs a task with the drivers.
pub(crate) fn run(component: &Component, instruction: &Instruction, granted: &[&str]) -> Done {
    let limits = limits();
    let mut call = Call::new(instruction, &limits);
    call.answers = Answers::Drivers(grants(granted));
    // Drivers are those of the engine that loaded the component.
    engine().call(component, call).expect("a task that runs")
}

/// Runs it again from what it heard.
pub(crate) fn replay(
    component: &Component,
    instruction: &Instruction,
    recording: Recording,
) -> Result<Done, CallError> {
    let limits = limits();
    let mut call = Call::new(instruction, &limits);
    call.answers = Answers::Recording(recording);
    engine().call(component, call)
}

/// Runs a task, runs it again from what it heard, and compares all that a receipt holds.
pub(crate) fn run_twice(
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
    granted: &[&str],
) -> Done {
    let instruction = instruction(component, Input::new(func, args));
    let done = run(component, &instruction, granted);
    let recording = done
        .recording
        .clone()
        .expect("a task that is wired to a driver");
    let parts = recording.trace.parts.clone();
    let again = replay(component, &instruction, recording).expect("a replay");
    assert_eq!(again.outcome, done.outcome);
    assert_eq!(again.fuel, done.fuel);
    assert_eq!(again.memory_peak, done.memory_peak);
    assert_eq!(again.log, done.log);
    assert_eq!(
        again.recording.expect("a replay is wired too").trace.parts,
        parts
    );
    done
}

fn value(done: &Done) -> &Ipld {
    match &done.outcome {
        Outcome::Ok(value) => value,
        Outcome::Error(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn random_values_are_random_and_replay() {
    let random = effect("random");
    let first = run_twice(&random, "uuid", vec![], &["random"]);
    let second = run_twice(&random, "uuid", vec![], &["random"]);
    assert_ne!(value(&first), value(&second));
    let many = run_twice(&random, "bytes", vec![int(100_000)], &["random"]);
    assert!(matches!(value(&many), Ipld::Bytes(bytes) if bytes.len() == 100_000));
    run_twice(&random, "shuffle", vec![int(1000)], &["random"]);
}

#[test]
fn what_is_not_granted_is_denied_by_the_interface() {
    let done = run_twice(&effect("random"), "u64", vec![], &["clock"]);
    let Outcome::Error(failure) = done.outcome else {
        panic!("{:?}", done.outcome);
    };
    assert!(
        failure.message.contains("denied") && failure.message.contains("random"),
        "{}",
        failure.message
    );
}

#[test]
fn a_changed_trace_is_caught() {
    let random = effect("random");
    let instruction = instruction(&random, Input::new("u64", vec![]));
    let recording = run(&random, &instruction, &["random"]).recording.unwrap();

    let events: Vec<_> = recording.trace.events.iter().collect();
    let with = |events: Vec<Event>| {
        let mut recording = recording.clone();
        recording.trace.events = Events::of(events).unwrap();
        recording
    };

    let mut changed = events.clone();
    let Event::Call(call) = &mut changed[0] else {
        panic!("{changed:?}");
    };
    call.args = list([int(9)]);
    let other_args = with(changed);
    let error = replay(&random, &instruction, other_args)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the trace has call 0") && error.contains("the run makes call 0"),
        "{error}"
    );

    let cut = with(vec![]);
    let error = replay(&random, &instruction, cut).unwrap_err().to_string();
    assert!(
        error.contains("the trace has ended where the run makes call 0"),
        "{error}"
    );

    let longer = with([&events[..], &events].concat());
    let error = replay(&random, &instruction, longer)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the run has ended where the trace goes on"),
        "{error}"
    );

    let other = effect("digest");
    let args = vec![text("sha256"), Ipld::Bytes(vec![])];
    let other_instruction = crate::instruction(&other, Input::new("hash", args));
    let error = replay(&other, &other_instruction, recording)
        .unwrap_err()
        .to_string();
    assert!(error.contains("of other components"), "{error}");
}

#[test]
fn digests_need_nothing_and_stay_pure() {
    let digest = effect("digest");
    let args = vec![text("sha256"), Ipld::Bytes(b"abc".to_vec())];
    let instruction = instruction(&digest, Input::new("hash", args));
    let done = run(&digest, &instruction, &[]);
    assert!(done.recording.is_none());
    let Ipld::Bytes(hash) = value(&done) else {
        panic!("{:?}", done.outcome);
    };
    // FIPS 180-4, the example of one block.
    assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
}
