use std::sync::Arc;

use super::simulation::{planned, receipt};
use super::*;
use crate::ipld::{Ipld, cid_of_raw};
use crate::outcome::Kind;
use crate::plan::{Arg, Need, Planned, Template};
use crate::task::{Input, Nonce};
use crate::workflow::Branch;

impl Schedule {
    /// A call ended, without a receipt to be signed and checked.
    pub(super) fn pass(&mut self, task: TaskId, outcome: &Outcome) {
        self.calls -= 1;
        let cid = self.instruction_cid(task).expect("it was called");
        self.at_work.remove(&cid);
        match outcome {
            Outcome::Ok(_) => self.pass_end(task, outcome),
            Outcome::Error(failure) => self.fail(task, failure.clone()),
        }
    }
}

/// A plan of equal tasks that need others of the plan.
pub(super) fn plan_of(count: usize, edges: &dyn Fn(usize) -> Vec<usize>) -> Plan {
    let how = Arc::new(How::default());
    let tasks = (0..count).map(|index| {
        let needs = edges(index).into_iter().map(|task| Need {
            task,
            branch: Branch::Ok,
        });
        let needs: Vec<Need> = needs.collect();
        let mut args: Vec<Arg> = needs.iter().map(|need| Arg::Await(*need)).collect();
        args.push(Arg::Plain(Ipld::Integer(index as i128)));
        Planned {
            label: format!("t{index}").into(),
            place: None,
            template: Template {
                resource: cid_of_raw(b"component").into(),
                func: "f".into(),
                args,
                stdin: None,
                nonce: Nonce::EMPTY,
            },
            promise: cid_of_raw(b"promise"),
            needs,
            how: how.clone(),
            catch: None,
            for_each: None,
            is_secret: false,
        }
    });
    Plan {
        name: None,
        workflow: cid_of_raw(b"workflow"),
        tasks: tasks.collect(),
        notes: vec![],
    }
}

fn text(tasks: &str) -> String {
    let component = cid_of_raw(b"component");
    format!(r#"{{"defaults": {{"component": "{component}"}}, "tasks": {{{tasks}}}}}"#)
}

/// Runs a workflow; what becomes of a task is said by its label's instruction.
fn run(tasks: &str, options: Options, outcome: impl Fn(&str, &Instruction) -> Outcome) -> Schedule {
    let mut schedule = Schedule::new(planned(&text(tasks)), options);
    finish(&mut schedule, outcome);
    schedule
}

fn finish(schedule: &mut Schedule, outcome: impl Fn(&str, &Instruction) -> Outcome) {
    for _ in 0..1_000 {
        match schedule.poll() {
            Some(Step::LookUp { task, .. }) => schedule.handle(Event::NotFound(task), Timestamp(0)),
            Some(Step::Call {
                task, instruction, ..
            }) => {
                let outcome = outcome(&schedule.label(task), &instruction);
                let receipt = receipt(&instruction, &outcome, None);
                schedule.handle(Event::Receipt(receipt, Source::Own), Timestamp(0));
            }
            Some(Step::Finished) => return,
            Some(_) => {}
            None => match schedule.deadline() {
                Some(due) => schedule.handle(Event::Tick, due),
                None => panic!("it hangs"),
            },
        }
    }
    panic!("it doesn't end");
}

fn ok(number: i128) -> Outcome {
    Outcome::Ok(Ipld::Integer(number))
}

fn fails(of: &str) -> impl Fn(&str, &Instruction) -> Outcome {
    move |label, _| match label == of {
        true => Outcome::error(Kind::Trap, "unreachable"),
        false => ok(1),
    }
}

fn lines(schedule: &Schedule) -> String {
    schedule.summary().to_string()
}

const CHAIN: &str = r#"
    "a": {"call": "sum", "args": [[], 1]},
    "b": {"call": "sum", "args": [[{"await/ok": "a"}], 2]},
    "c": {"call": "sum", "args": [[{"await/ok": "b"}], 3]},
    "d": {"call": "sum", "args": [[], 4]}"#;

#[test]
fn what_depends_on_a_failure_is_not_run_and_says_why() {
    let schedule = run(CHAIN, Options::default(), fails("a"));
    assert_eq!(
        lines(&schedule),
        "4 tasks: 1 ran, 1 failed, 2 not run\n\
         a: trap: unreachable\n\
         b: not run, since a failed\n\
         c: not run, since b ← a failed\n"
    );
    assert!(!schedule.summary().is_success());
    assert_eq!(
        lines(&run(CHAIN, Options::default(), fails("none"))),
        "4 tasks: 4 ran\n"
    );
}

#[test]
fn what_nobody_awaits_is_the_result() {
    let tasks = r#"
    "a": {"call": "sum", "args": [[], 1]},
    "b": {"call": "sum", "args": [[{"await/ok": "a"}], 2]},
    "c": {"call": "sum", "args": [[], 3], "catch": {"ok": 5}},
    "d": {"call": "sum", "args": [[], 4]},
    "e": {"call": "sum", "args": [[{"await/ok": "d"}], 5]},
    "g": {"call": "sum", "for-each": [7, 8], "args": [[], {"@each": "value"}]}"#;
    let fails = |label: &str, _: &Instruction| match label {
        "c" | "d" => Outcome::error(Kind::Guest, "no"),
        _ => ok(4),
    };
    let schedule = run(tasks, Options::default(), fails);
    let results = schedule.results();
    let results: Vec<_> = results
        .map(|(task, outcome)| (schedule.label(task), outcome.to_ipld()))
        .collect();
    let skipped = Outcome::error(Kind::Await, "not run: task `d` failed");
    let list = Outcome::Ok(Ipld::List(vec![Ipld::Integer(4); 2]));
    for (label, outcome) in [("b", ok(4)), ("c", ok(5)), ("e", skipped), ("g", list)] {
        assert!(
            results.contains(&(label.to_owned(), outcome.to_ipld())),
            "{results:?}"
        );
    }
    assert_eq!(results.len(), 4);
}

#[test]
fn fail_fast_starts_nothing_more() {
    let options = Options {
        fails_fast: true,
        ..Options::default()
    };
    let schedule = run(CHAIN, options, fails("a"));
    assert_eq!(schedule.counts().ran, 0);
    assert!(lines(&schedule).starts_with("4 tasks: 1 failed, 2 not run, 1 left\n"));
}

#[test]
fn the_other_branch_is_taken() {
    let tasks = r#"
        "a": {"call": "sum", "args": [[], 1]},
        "mourn": {"call": "mourn", "args": [[{"await/error": "a"}], 2]},
        "any": {"call": "any", "args": [[{"await/*": "a"}], 3]},
        "after": {"call": "sum", "args": [[{"await/ok": "mourn"}], 3]}"#;
    let seen = std::cell::RefCell::new(Vec::new());
    let look = |fails: bool| {
        seen.borrow_mut().clear();
        let schedule = run(tasks, Options::default(), |label, instruction| {
            let arg = crate::json::to_string(&instruction.input().args[0]).expect("prints");
            seen.borrow_mut().push(format!("{label}{arg}"));
            match fails && label == "a" {
                true => Outcome::error(Kind::Trap, "oh"),
                false => ok(1),
            }
        });
        (
            schedule.summary().is_success(),
            schedule.counts(),
            seen.borrow().join(" "),
        )
    };
    let (is_success, counts, seen) = look(true);
    assert!(is_success);
    assert_eq!((counts.handled, counts.failed, counts.ran), (1, 0, 3));
    let failure = r#"{"kind":"trap","message":"oh"}"#;
    assert_eq!(
        seen,
        format!(r#"a[] any[{{"error":{failure}}}] mourn[{failure}] after[1]"#)
    );
    let (is_success, counts, seen) = look(false);
    assert!(is_success);
    assert_eq!((counts.not_needed, counts.ran), (2, 2));
    assert_eq!(seen, r#"a[] any[{"ok":1}]"#);
}

#[test]
fn a_failure_is_caught() {
    let tasks = |catch: &str| {
        format!(
            r#""a": {{"call": "sum", "args": [[], 1], "catch": {catch}}},
            "b": {{"call": "sum", "args": [[{{"await/ok": "a"}}], 2]}},
            "other": {{"call": "sum", "args": [[], 3]}}"#
        )
    };
    let of_b = |catch: &str, answer: Option<Outcome>| {
        let seen = std::cell::RefCell::new(String::new());
        let schedule = run(
            &tasks(catch),
            Options::default(),
            |label, instruction| match label {
                "a" => Outcome::error(Kind::Trap, "oh"),
                "a (catch)" => {
                    let given = crate::json::to_string(&instruction.input().args[0]);
                    assert_eq!(
                        given.as_deref(),
                        Ok(r#"{"kind":"trap","message":"oh","task":"a","value":null}"#)
                    );
                    answer.clone().expect("a handler")
                }
                "b" => {
                    *seen.borrow_mut() =
                        crate::json::to_string(&instruction.input().args[0]).expect("prints");
                    ok(1)
                }
                _ => ok(5),
            },
        );
        (seen.into_inner(), lines(&schedule))
    };
    let map =
        |key: &str, value: Ipld| Some(Outcome::Ok(Ipld::Map([(key.to_owned(), value)].into())));
    assert_eq!(
        of_b(r#"{"ok": 7}"#, None),
        ("[7]".into(), "3 tasks: 2 ran, 1 caught\n".into())
    );
    assert_eq!(
        of_b(r#"{"rewire": "other"}"#, None),
        ("[5]".into(), "3 tasks: 2 ran, 1 caught\n".into())
    );
    let message = "a: trap: because\nb: not run, since a failed\n";
    assert!(of_b(r#"{"msg": "because"}"#, None).1.ends_with(message));

    let handler = r#"{"call": "catch", "rewire": ["other"]}"#;
    assert_eq!(of_b(handler, map("ok", Ipld::Integer(9))).0, "[9]");
    assert_eq!(
        of_b(handler, map("rewire", Ipld::String("other".into()))).0,
        "[5]"
    );
    assert!(
        of_b(handler, map("msg", Ipld::String("because".into())))
            .1
            .ends_with(message)
    );
    let left = "a: trap: oh\nb: not run, since a failed\n";
    for answer in [
        map("rewire", Ipld::String("b".into())),
        map("none", Ipld::Null),
        Some(ok(1)),
    ] {
        assert!(of_b(handler, answer).1.ends_with(left));
    }
    let (_, lines) = of_b(handler, Some(Outcome::error(Kind::Trap, "it too")));
    assert!(lines.ends_with(left), "{lines}");
}

#[test]
fn each_element_is_a_task_and_they_are_gathered() {
    let tasks = r#"
        "n": {"call": "sum", "args": [[], 10]},
        "each": {"call": "sum", "args": [[{"@each": "value"}, {"await/ok": "n"}], {"@each": "key"}], "for-each": [4, 5, 6]},
        "all": {"call": "sum", "args": [{"await/ok": "each"}, 2]},
        "any": {"call": "any", "args": [{"await/*": "each"}, 3]}"#;
    let value = |fails: bool| {
        move |label: &str, instruction: &Instruction| {
            let Ipld::List(of) = &instruction.input().args[0] else {
                panic!("a list")
            };
            match label {
                "each[1]" if fails => Outcome::error(Kind::Trap, "oh"),
                "n" => ok(10),
                "any" => ok(of.len() as i128),
                _ => Outcome::Ok(Ipld::Integer(
                    of.iter()
                        .map(|item| match item {
                            Ipld::Integer(item) => *item,
                            other => panic!("{other:?}"),
                        })
                        .sum(),
                )),
            }
        }
    };
    let options = Options {
        calls_max: 3,
        ..Options::default()
    };
    let schedule = run(tasks, options, value(false));
    assert_eq!(lines(&schedule), "7 tasks: 6 ran, 1 gathered\n");
    let schedule = run(tasks, options, value(true));
    assert_eq!(
        lines(&schedule),
        "7 tasks: 4 ran, 2 failed, 1 not run\n\
         each[1]: trap: oh\n\
         each: trap: oh\n\
         all: not run, since each failed\n"
    );
    let none = r#""each": {"call": "sum", "args": [[], 1], "for-each": []}"#;
    assert_eq!(
        lines(&run(none, options, value(false))),
        "1 task: 1 gathered\n"
    );
    let few = Options {
        elements_max: 2,
        ..options
    };
    assert!(lines(&run(tasks, few, value(false))).contains("given 3 elements, more than 2"));
}

#[test]
fn the_same_instruction_runs_once_at_a_time() {
    // Different as they are written, the same once their values are known.
    let tasks = r#"
        "a": {"call": "sum", "args": [[], 1]},
        "b": {"call": "sum", "args": [[], 2]},
        "x": {"call": "sum", "args": [[{"await/ok": "a"}], 0]},
        "y": {"call": "sum", "args": [[{"await/ok": "b"}], 0]}"#;
    let mut schedule = Schedule::new(
        planned(&text(tasks)),
        Options {
            calls_max: 4,
            ..Options::default()
        },
    );
    let mut calls = 0;
    loop {
        let steps: Vec<Step> = std::iter::from_fn(|| schedule.poll()).collect();
        for step in steps {
            match step {
                Step::LookUp { task, .. } => schedule.handle(Event::NotFound(task), Timestamp(0)),
                Step::Call { instruction, .. } => {
                    calls += 1;
                    let receipt = receipt(&instruction, &ok(1), None);
                    schedule.handle(Event::Receipt(receipt, Source::Own), Timestamp(0));
                }
                Step::Finished => {
                    let counts = schedule.counts();
                    return assert_eq!((calls, counts.ran, counts.memoised), (3, 3, 1));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let task = r#""a": {"call": "sum", "args": [[], 1], "retry": {"times": 2, "backoff": "1s"}}"#;
    let calls_of = |outcome: Outcome, trace: Option<Cid>| {
        let mut schedule = Schedule::new(planned(&text(task)), Options::default());
        let mut calls = 0;
        loop {
            match schedule.poll() {
                Some(Step::LookUp { task, .. }) => {
                    schedule.handle(Event::NotFound(task), Timestamp(0))
                }
                Some(Step::Call { instruction, .. }) => {
                    calls += 1;
                    let receipt = receipt(&instruction, &outcome, trace);
                    schedule.handle(Event::Receipt(receipt, Source::Own), Timestamp(0));
                }
                Some(Step::Finished) => return calls,
                Some(_) => {}
                None => schedule.handle(Event::Tick, schedule.deadline().expect("a deadline")),
            }
        }
    };
    let trace = Some(cid_of_raw(b"trace"));
    for kind in Kind::ALL {
        let failure = Outcome::error(kind, "oh");
        let passes = matches!(kind, Kind::Unavailable | Kind::Time);
        assert_eq!(
            calls_of(failure.clone(), None),
            if passes { 3 } else { 1 },
            "{kind}"
        );
        let passes = passes || matches!(kind, Kind::Guest | Kind::Exit | Kind::Trap);
        assert_eq!(
            calls_of(failure, trace),
            if passes { 3 } else { 1 },
            "{kind} with a trace"
        );
    }
    assert_eq!(calls_of(ok(1), trace), 1);
}

#[test]
fn only_what_counts_is_reused() {
    let task = |reuse: &str| format!(r#""a": {{"call": "sum", "args": [[], 1]{reuse}}}"#);
    let is_reused = |reuse: &str, outcome: Outcome, trace: Option<Cid>, source: Source| {
        let mut schedule = Schedule::new(planned(&text(&task(reuse))), Options::default());
        let Some(Step::LookUp { instruction, .. }) = schedule.poll() else {
            panic!("a look-up")
        };
        schedule.handle(
            Event::Receipt(receipt(&instruction, &outcome, trace), source),
            Timestamp(0),
        );
        !matches!(schedule.poll(), Some(Step::Call { .. }))
    };
    let (trace, hour) = (Some(cid_of_raw(b"trace")), Duration::from_secs(3600));
    let limit = || Outcome::error(Kind::Fuel, "");
    for (reuse, outcome, trace, source, expected) in [
        ("", ok(1), None, Source::Memo(None), true),
        ("", ok(1), None, Source::Foreign, true),
        (
            "",
            Outcome::error(Kind::Trap, ""),
            None,
            Source::Memo(None),
            true,
        ),
        ("", limit(), None, Source::Memo(None), false),
        ("", limit(), None, Source::Run, true),
        ("", ok(1), trace, Source::Memo(Some(hour)), false),
        ("", ok(1), trace, Source::Run, true),
        (
            r#", "reuse": "1h""#,
            ok(1),
            trace,
            Source::Memo(Some(hour)),
            true,
        ),
        (
            r#", "reuse": "59m""#,
            ok(1),
            trace,
            Source::Memo(Some(hour)),
            false,
        ),
        (
            r#", "reuse": "1h""#,
            ok(1),
            trace,
            Source::Memo(None),
            false,
        ),
        (r#", "reuse": "1h""#, ok(1), trace, Source::Foreign, false),
    ] {
        assert_eq!(
            is_reused(reuse, outcome.clone(), trace, source),
            expected,
            "{reuse} {outcome:?} {source:?}"
        );
    }
}

#[test]
fn an_answer_from_elsewhere_ends_a_call() {
    let task = r#""a": {"call": "sum", "args": [[], 1]}"#;
    let mut schedule = Schedule::new(
        planned(&text(task)),
        Options {
            looks_up: false,
            ..Options::default()
        },
    );
    let Some(Step::Call {
        task, instruction, ..
    }) = schedule.poll()
    else {
        panic!("a call")
    };
    let receipt = receipt(&instruction, &ok(3), None);
    schedule.handle(
        Event::Receipt(receipt.clone(), Source::Foreign),
        Timestamp(0),
    );
    assert!(matches!(schedule.poll(), Some(Step::Drop(dropped)) if dropped == task));
    assert!(matches!(schedule.poll(), Some(Step::Finished)));
    // Late, and again.
    schedule.handle(Event::Receipt(receipt, Source::Own), Timestamp(0));
    schedule.handle(Event::NotFound(task), Timestamp(0));
    assert!(schedule.poll().is_none());
    assert_eq!(lines(&schedule), "1 task: 1 memoised\n");
}

#[test]
fn a_call_that_was_not_begun_is_made_later_or_not_at_all() {
    for is_cancelled in [false, true] {
        let options = Options {
            looks_up: false,
            ..Options::default()
        };
        let mut schedule = Schedule::new(planned(&text(CHAIN)), options);
        let Some(Step::Call { task, .. }) = schedule.poll() else {
            panic!("nothing is called");
        };
        if is_cancelled {
            schedule.handle(Event::Cancel, Timestamp(0));
        }
        schedule.handle(Event::Returned(task), Timestamp(0));
        // Once is enough.
        schedule.handle(Event::Returned(task), Timestamp(0));
        match schedule.poll() {
            Some(Step::Finished) => assert!(is_cancelled),
            Some(Step::Call {
                task: again,
                attempt,
                ..
            }) => {
                assert_eq!((again, attempt, is_cancelled), (task, 1, false));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn secrets_flow_along_awaits_and_stay_out_of_the_summary() {
    let tasks = r#"
        "key": {"call": "sum", "args": [[], 1], "secret": true},
        "used": {"call": "sum", "args": [[{"await/ok": "key"}], 2]},
        "hashed": {"call": "sum", "args": [[{"await/ok": "used"}], 3], "secret": false},
        "shown": {"call": "sum", "args": [[{"await/ok": "hashed"}], 4]}"#;
    let schedule = run(tasks, Options::default(), fails("used"));
    let secret = schedule
        .plan()
        .tasks()
        .iter()
        .map(|task| (&*task.label, task.is_secret));
    assert_eq!(
        secret.collect::<Vec<_>>(),
        [
            ("key", true),
            ("used", true),
            ("hashed", false),
            ("shown", false)
        ]
    );
    assert!(lines(&schedule).contains("used: trap: (secret)\n"));
}

#[test]
fn further_tasks_are_bounded() {
    let body = |instruction: &Instruction, run: Vec<Link<Instruction>>| {
        let receipt = receipt(instruction, &ok(1), None);
        let mut body = receipt.body().clone();
        body.run = run;
        Receipt::sign(body, &crate::key::SigningKey::from_seed(&[3; 32])).expect("signs")
    };
    // Each asks for two more, without end.
    let child = |name: &str| {
        let input = Input::new("sum", vec![Ipld::String(name.into())]);
        Instruction::new(cid_of_raw(b"component"), input, Nonce::EMPTY).expect("an instruction")
    };
    let options = Options {
        asked_max: 5,
        asked_depth_max: 2,
        looks_up: false,
        ..Options::default()
    };
    let mut schedule = Schedule::new(
        planned(&text(r#""a": {"call": "sum", "args": [[], 1]}"#)),
        options,
    );
    let mut known: HashMap<Cid, Instruction> = HashMap::new();
    loop {
        match schedule.poll() {
            Some(Step::Load { task, instruction }) => {
                let instruction = known[instruction.cid()].clone();
                schedule.handle(Event::Loaded(task, instruction), Timestamp(0));
            }
            Some(Step::Call { instruction, .. }) => {
                let name = instruction.link().to_string();
                let children = ["l", "r"].map(|side| child(&format!("{name}{side}")));
                let links = children.iter().map(Instruction::link).collect();
                known.extend(children.map(|child| (*child.link().cid(), child)));
                let receipt = body(&instruction, links);
                schedule.handle(Event::Receipt(receipt, Source::Own), Timestamp(0));
            }
            Some(Step::Finished) => break,
            other => panic!("{other:?}"),
        }
    }
    let counts = schedule.counts();
    assert_eq!((counts.all, counts.ran), (6, 6));
    assert!(counts.refused > 0);
}

#[test]
fn nobody_waits_for_one_that_was_answered_meanwhile() {
    let task = r#""a": {"call": "sum", "args": [[], 1], "retry": 3}"#;
    let mut schedule = Schedule::new(
        planned(&text(task)),
        Options {
            looks_up: false,
            ..Options::default()
        },
    );
    let Some(Step::Call {
        task, instruction, ..
    }) = schedule.poll()
    else {
        panic!("a call")
    };
    let failure = Failure::new(Kind::Unavailable, "no answer");
    let failed = Event::Failed {
        task,
        failure,
        may_pass: true,
    };
    schedule.handle(failed, Timestamp(0));
    assert!(schedule.poll().is_none() && schedule.deadline().is_some());
    let receipt = receipt(&instruction, &ok(3), None);
    schedule.handle(Event::Receipt(receipt, Source::Foreign), Timestamp(1));
    assert_eq!(schedule.deadline(), None);
    assert!(matches!(schedule.poll(), Some(Step::Finished)));
}
