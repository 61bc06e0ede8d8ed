//! Whole runs in one process, from one seed: random workflows, a make-believe engine and store, answers in any
//! order, and a crash at any step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;
use std::sync::Mutex;
use std::time::Duration;

use super::slot::{End, State};
use super::{Event, Options, Schedule, Source, Step, Timestamp};
use crate::ipld::{Cid, Ipld, cid_of_raw};
use crate::key::SigningKey;
use crate::outcome::{Failure, Kind, Outcome};
use crate::plan::{Plan, Resources, Rules, Signatures};
use crate::receipt::{Body, Meta, Receipt};
use crate::task::Instruction;
use crate::wit::{Function, Type};
use crate::workflow::{Format, Workflow};

/// Numbers that follow from a seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

/// What the component exports, one function for each branch that may flow in.
pub(super) fn signatures() -> Signatures {
    let failure = || Type::record([("kind", Type::String), ("message", Type::String)]);
    let function = |name: &str, ty: Type| Function {
        interface: None,
        name: name.into(),
        params: vec![("of".into(), Type::list(ty)), ("nonce".into(), Type::U64)],
        result: Some(Type::U64),
        is_async: false,
    };
    let functions = vec![
        function("sum", Type::U64),
        function("mourn", failure()),
        function("any", Type::result(Some(Type::U64), Some(failure()))),
        Function {
            interface: None,
            name: "catch".into(),
            params: vec![("failure".into(), Type::option(Type::String))],
            result: Some(Type::U64),
            is_async: false,
        },
    ];
    BTreeMap::from([(cid_of_raw(b"component"), functions)])
}

/// From which number on a task says that it is tried again twice.
const PATIENT: usize = 20;

/// A workflow of random tasks that await random earlier ones.
fn workflow(numbers: &mut Numbers) -> String {
    let count = 1 + numbers.below(14);
    let mut tasks = Vec::new();
    for index in 0..count {
        let (call, branch) = [
            ("sum", "ok"),
            ("sum", "ok"),
            ("sum", "ok"),
            ("mourn", "error"),
            ("any", "*"),
        ][numbers.below(5)];
        let mut awaits = Vec::new();
        if index > 0 {
            for _ in 0..numbers.below(4) {
                let target = numbers.below(index);
                // Those with elements give lists, which `for-each` alone takes.
                if target % 5 != 4 || branch == "error" {
                    awaits.push(format!(r#"{{"await/{branch}": "t{target}"}}"#));
                }
            }
        }
        let mut more = String::new();
        if index % 5 == 4 {
            let list = match numbers.below(3) {
                0 if index >= 5 => format!(r#"{{"await/ok": "t{}"}}"#, index - 5),
                1 if numbers.one_in(2) => "[]".to_owned(),
                1 => format!(r#"[1, 2, {{"await/ok": "t{}"}}]"#, index - 1),
                _ => "[5, 6, 7]".to_owned(),
            };
            more += &format!(r#", "for-each": {list}"#);
            if call == "sum" {
                awaits.push(r#"{"@each": "value"}"#.into());
            }
        }
        let is_patient = numbers.one_in(2);
        if is_patient {
            more += &format!(
                r#", "retry": {{"times": {}, "backoff": "1s"}}"#,
                2 + numbers.below(2)
            );
        }
        match numbers.below(10) {
            0 => more += r#", "catch": {"ok": 7}"#,
            1 => more += r#", "catch": {"msg": "reworded"}"#,
            2 if index > 0 && (index - 1) % 5 != 4 => {
                more += &format!(r#", "catch": {{"rewire": "t{}"}}"#, index - 1);
            }
            3 => more += r#", "catch": {"call": "catch"}"#,
            _ => {}
        }
        let nonce = match index % 5 == 4 && numbers.one_in(2) {
            true => r#"{"@each": "key"}"#.to_owned(),
            // What says it is patient may be made to wait: see `outcome`.
            false => (numbers.below(PATIENT) + if is_patient { PATIENT } else { 0 }).to_string(),
        };
        tasks.push(format!(
            r#""t{index}": {{"call": "{call}", "nonce": "{index}", "args": [[{}], {nonce}]{more}}}"#,
            awaits.join(", ")
        ));
    }
    let component = cid_of_raw(b"component");
    format!(
        r#"{{"defaults": {{"component": "{component}"}}, "tasks": {{{}}}}}"#,
        tasks.join(", ")
    )
}

pub(super) fn planned(text: &str) -> Plan {
    let workflow = Workflow::parse(text, Format::Json)
        .unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    let plan = workflow.plan(&Resources::new(), &signatures(), &Rules::default());
    plan.unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

/// What is outside of a schedule and outlives it.
#[derive(Default)]
struct World {
    /// How often each instruction was run.
    runs: HashMap<Cid, u32>,
    /// The receipts of this run, as they were recorded.
    recorded: Vec<Receipt>,
    by_instruction: HashMap<Cid, Receipt>,
    /// What ended for good, and so must not run again.
    ended: HashSet<Cid>,
}

/// What an engine makes of an instruction. It follows from the instruction and from how often it was run; not from
/// that alone which task it ends, since those that aren't tried again are always told the same.
fn outcome(instruction: &Instruction, times: u32) -> Outcome {
    let digest = instruction.link().cid().hash().digest()[0];
    if instruction.input().func == "catch" {
        let answer = match digest % 4 {
            0 => ("ok", Ipld::Integer(3)),
            1 => ("msg", Ipld::String("worse".into())),
            2 => ("rewire", Ipld::String("t0".into())),
            _ => ("none", Ipld::Null),
        };
        return Outcome::Ok(Ipld::Map([(answer.0.to_owned(), answer.1)].into()));
    }
    match digest % 16 {
        0 => Outcome::error(Kind::Trap, "unreachable"),
        1 => Outcome::error(Kind::Fuel, "used up"),
        2 => Outcome::error(Kind::Unavailable, "never there"),
        3 | 4 if is_patient(instruction) && times < 1 + u32::from(digest >> 4) % 2 => {
            Outcome::error(Kind::Unavailable, "not yet there")
        }
        _ => Outcome::Ok(Ipld::Integer(i128::from(digest))),
    }
}

fn is_patient(instruction: &Instruction) -> bool {
    matches!(instruction.input().args.get(1), Some(Ipld::Integer(number)) if *number >= PATIENT as i128)
}

/// Signing costs more than all the rest, and the same is signed over and over.
static SIGNED: LazyLock<Mutex<HashMap<(Cid, String), Receipt>>> = LazyLock::new(Mutex::default);

pub(super) fn receipt(instruction: &Instruction, outcome: &Outcome, trace: Option<Cid>) -> Receipt {
    let key = (*instruction.link().cid(), format!("{outcome:?} {trace:?}"));
    let mut signed = SIGNED.lock().expect("no test panics in here");
    let made = signed.entry(key).or_insert_with(|| {
        let body = Body {
            ran: instruction.link(),
            outcome: outcome.clone(),
            run: vec![],
            meta: Meta {
                component: *instruction.resource().cid(),
                func: instruction.input().func.clone(),
                effects: vec![],
                trace,
                invocation: None,
                fuel: 1,
                memory_peak: 0,
                engine: "make-believe".into(),
            },
        };
        Receipt::sign(body, &SigningKey::from_seed(&[3; 32])).expect("signs")
    });
    made.clone()
}

/// What became of each task: how it ended, and its receipt.
type Ends = BTreeMap<String, (String, Option<Cid>)>;

/// Drives a schedule for at most so many steps; none is reached only if it doesn't end before.
fn drive(
    world: &mut World,
    schedule: &mut Schedule,
    numbers: &mut Numbers,
    steps_max: usize,
) -> Option<Ends> {
    let mut now = Timestamp(0);
    let mut pending: Vec<Step> = Vec::new();
    for _ in 0..steps_max {
        // Now and then steps are left where they are while something else is answered.
        while pending.len() < 4 || numbers.one_in(3) {
            match schedule.poll() {
                None => break,
                Some(Step::Finished) => {
                    assert!(pending.is_empty() && schedule.poll().is_none());
                    return Some(ends(schedule));
                }
                Some(step) => pending.push(step),
            }
        }
        if pending.is_empty() {
            let due = schedule.deadline().expect("something is waited for");
            assert!(due > now);
            now = due;
            schedule.handle(Event::Tick, now);
            continue;
        }
        let step = pending.swap_remove(numbers.below(pending.len()));
        if let Some(event) = answer(world, step) {
            schedule.handle(event, now);
        }
    }
    assert!(steps_max < 10_000, "it doesn't end");
    None
}

fn answer(world: &mut World, step: Step) -> Option<Event> {
    match step {
        Step::LookUp {
            task, instruction, ..
        } => {
            let found = world.by_instruction.get(instruction.link().cid());
            Some(match found {
                Some(receipt) => Event::Receipt(receipt.clone(), Source::Run),
                None => Event::NotFound(task),
            })
        }
        Step::Call {
            task, instruction, ..
        } => {
            let cid = *instruction.link().cid();
            assert!(!world.ended.contains(&cid), "what ended runs again");
            let times = world.runs.entry(cid).or_default();
            let outcome = outcome(&instruction, *times);
            *times += 1;
            if *times == 1 && is_patient(&instruction) && cid.hash().digest()[1] % 8 == 0 {
                // The host trips, once.
                *times = 2;
                let failure = Failure::new(Kind::Unavailable, "no room");
                return Some(Event::Failed {
                    task,
                    failure,
                    may_pass: true,
                });
            }
            let receipt = receipt(&instruction, &outcome, None);
            if !super::may_pass(&receipt) {
                world.ended.insert(cid);
            }
            world.recorded.push(receipt.clone());
            world.by_instruction.insert(cid, receipt.clone());
            Some(Event::Receipt(receipt, Source::Own))
        }
        Step::Load { .. } | Step::Drop(_) | Step::Finished => None,
    }
}

fn ends(schedule: &Schedule) -> Ends {
    let mut ends = Ends::new();
    for task in schedule.tasks() {
        let slot = &schedule.slots[task.index()];
        let end = match slot.state {
            // Whether it ran here or before the crash is no difference.
            State::Done(End::Ran | End::Memoised) => "ok".to_owned(),
            State::Done(End::Skipped { .. }) => "skipped".to_owned(),
            State::Done(End::NotNeeded { .. }) => "not needed".to_owned(),
            State::Done(end) => format!("{end:?}"),
            state => panic!("{} is left {state:?}", schedule.label(task)),
        };
        assert_eq!(
            (slot.held.is_some(), slot.instruction.is_some()),
            (schedule.result_slots.contains(&task.index()), false),
            "what nobody asks for any more is dropped"
        );
        ends.insert(schedule.label(task), (end, schedule.receipt_of(task)));
    }
    let counts = schedule.counts();
    assert_eq!(counts.ended(), counts.all);
    ends
}

fn options(numbers: &mut Numbers, seed: u64) -> Options {
    Options {
        calls_max: 1 + numbers.below(4),
        lookups_max: 1 + numbers.below(4),
        seed,
        ..Options::default()
    }
}

#[test]
fn every_run_ends_and_ends_the_same_after_a_crash_at_any_step() {
    for seed in 0..1_000 {
        let mut numbers = Numbers::new(seed);
        let plan = planned(&workflow(&mut numbers));

        // Those that never become available are tried as often as they say; in one run as in two.
        let mut whole = World::default();
        let mut schedule = Schedule::new(plan.clone(), options(&mut numbers, seed));
        let expected = drive(&mut whole, &mut schedule, &mut numbers, 10_000).expect("it ends");

        for _ in 0..3 {
            let mut world = World::default();
            let steps = numbers.below(60);
            let mut first = Schedule::new(plan.clone(), options(&mut numbers, seed));
            if drive(&mut world, &mut first, &mut numbers, steps).is_some() {
                continue;
            }
            drop(first);
            let mut second = Schedule::new(plan.clone(), options(&mut numbers, seed));
            if numbers.one_in(2) {
                for receipt in world.recorded.clone() {
                    second.handle(Event::Receipt(receipt, Source::Run), Timestamp(0));
                }
            }
            let found = drive(&mut world, &mut second, &mut numbers, 10_000).expect("it ends");
            assert_eq!(found, expected, "seed {seed}");
        }
    }
}

#[test]
fn a_run_that_is_cancelled_is_resumed() {
    for seed in 0..300 {
        let mut numbers = Numbers::new(seed + 1_000_000);
        let plan = planned(&workflow(&mut numbers));
        let mut world = World::default();
        let mut schedule = Schedule::new(plan.clone(), options(&mut numbers, seed));
        let steps = numbers.below(20);
        if drive(&mut world, &mut schedule, &mut numbers, steps).is_some() {
            continue;
        }
        schedule.handle(Event::Cancel, Timestamp(0));
        let started = world.recorded.len();
        // What was started is answered; what comes then is the end.
        let mut polled = Vec::new();
        while let Some(step) = schedule.poll() {
            assert!(!matches!(step, Step::Call { .. }), "something is started");
            polled.push(step);
        }
        assert!(world.recorded.len() == started && schedule.deadline().is_none());
        let mut second = Schedule::new(plan, options(&mut numbers, seed));
        assert!(drive(&mut world, &mut second, &mut numbers, 10_000).is_some());
    }
}

#[test]
fn the_cost_of_a_task_does_not_grow_with_their_number() {
    let per_task = |count: usize, edges: &dyn Fn(usize) -> Vec<usize>| {
        let plan = super::tests::plan_of(count, edges);
        let mut schedule = Schedule::new(
            plan,
            Options {
                calls_max: 8,
                ..Options::default()
            },
        );
        let outcome = Outcome::Ok(Ipld::Integer(1));
        let mut most_held = 0;
        while let Some(step) = schedule.poll() {
            match step {
                Step::LookUp { task, .. } => schedule.handle(Event::NotFound(task), Timestamp(0)),
                Step::Call { task, .. } => {
                    // The same as a receipt does, without the signature.
                    schedule.pass(task, &outcome);
                    most_held += 1;
                }
                _ => {}
            }
        }
        assert_eq!((schedule.counts().ended(), most_held), (count, count));
        schedule.work as f64 / count as f64
    };
    let chain = |task: usize| if task == 0 { vec![] } else { vec![task - 1] };
    let fan = |task: usize| {
        if task % 100 == 99 {
            (task - 99..task).collect()
        } else {
            vec![]
        }
    };
    let alone = |_: usize| vec![];
    for (edges, counts) in [
        (
            &chain as &dyn Fn(usize) -> Vec<usize>,
            [1_000, 10_000, 100_000],
        ),
        (&fan, [100, 1_000, 10_000]),
        (&alone, [100, 1_000, 10_000]),
    ] {
        let costs = counts.map(|count| per_task(count, edges));
        assert!(costs.iter().all(|cost| *cost < 10.0), "{costs:?}");
        assert!(costs[2] <= costs[0] * 1.01, "{costs:?}");
    }
}

#[test]
fn values_are_kept_no_longer_than_somebody_may_ask() {
    let chain = |task: usize| if task == 0 { vec![] } else { vec![task - 1] };
    let mut schedule = Schedule::new(super::tests::plan_of(1_000, &chain), Options::default());
    while let Some(step) = schedule.poll() {
        match step {
            Step::LookUp { task, .. } => schedule.handle(Event::NotFound(task), Timestamp(0)),
            Step::Call { task, .. } => schedule.pass(task, &Outcome::Ok(Ipld::Integer(1))),
            _ => {}
        }
        let held = schedule
            .slots
            .iter()
            .filter(|slot| slot.held.is_some() || slot.instruction.is_some());
        assert!(held.count() <= 2);
    }
}

#[test]
fn waits_are_over_when_they_are_said_to_be() {
    let text = format!(
        r#"{{"tasks": {{"a": {{"component": "{}", "call": "sum", "args": [[], 0], "retry": {{"times": 3, "backoff": "2s", "max": "3s"}}}}}}}}"#,
        cid_of_raw(b"component")
    );
    let mut schedule = Schedule::new(
        planned(&text),
        Options {
            looks_up: false,
            ..Options::default()
        },
    );
    let mut now = Timestamp(0);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let Some(Step::Call { task, .. }) = schedule.poll() else {
            panic!("a call")
        };
        assert!(schedule.poll().is_none());
        let failure = Failure::new(Kind::Unavailable, "no answer");
        schedule.handle(
            Event::Failed {
                task,
                failure,
                may_pass: true,
            },
            now,
        );
        if let Some(due) = schedule.deadline() {
            assert!(schedule.poll().is_none());
            schedule.handle(Event::Tick, Timestamp(due.0 - 1));
            assert!(schedule.poll().is_none());
            waits.push(Duration::from_millis(due.0 - now.0));
            now = due;
            schedule.handle(Event::Tick, now);
        }
    }
    assert!(matches!(schedule.poll(), Some(Step::Finished)));
    assert_eq!((waits.len(), schedule.counts().failed), (3, 1));
    assert!(waits[0] >= Duration::from_secs(1) && waits[0] <= Duration::from_secs(2));
}
