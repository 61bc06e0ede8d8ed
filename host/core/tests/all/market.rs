//! Whole networks in one process, from one seed: tasks that are run by other nodes, while messages are lost, late or twice,
//! nodes crash, are cut off, have clocks that run fast or slow, and some of them lie.
//!
//! `cargo xtask simulate 0 5000` simulates so many networks of each kind, and `cargo xtask simulate 7 1` that one.

mod event;
mod faults;
mod node;
mod numbers;
mod plan;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use self::plan::Plan;
use self::world::World;

/// How many networks an ordinary test simulates.
const SEEDS: u64 = 24;

/// Simulates networks that follow from seeds. One that breaks a rule is named.
fn simulate(plan: impl Fn(u64) -> Plan, check: impl Fn(&World)) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let (first, count) = match (number("HOMESTAR_SEED"), number("HOMESTAR_SEEDS")) {
        (first, Some(count)) => (first.unwrap_or(0), count),
        (Some(only), None) => (only, 1),
        (None, None) => (0, SEEDS),
    };
    let seeds = first..first.saturating_add(count);
    for seed in seeds {
        let run = || {
            let mut world = World::new(plan(seed));
            world.run();
            check(&world);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!(
                "seed {seed} breaks a rule; `cargo xtask simulate {seed} 1` simulates it again"
            );
            resume_unwind(panic);
        }
    }
}

#[test]
fn every_task_ends_and_nothing_false_is_believed_whatever_happens() {
    simulate(Plan::of_everything, |world| {
        let counts = world.counts();
        assert_eq!(counts.open, 0, "tasks have no end: {counts:?}");
        assert_eq!(counts.running, 0, "tasks run that nobody wants: {counts:?}");
        assert!(
            counts.pure_answered * 10 >= counts.pure * 8,
            "most pure tasks are run: {counts:?}"
        );
        assert!(
            counts.answered * 10 >= counts.all * 5,
            "most tasks are run: {counts:?}"
        );
    });
}

#[test]
fn where_nothing_fails_every_task_is_answered_and_few_messages_are_needed() {
    simulate(Plan::of_calm, |world| {
        let counts = world.counts();
        assert_eq!(counts.answered, counts.all, "{counts:?}");
        let each = counts.messages / counts.all;
        assert!(each <= 30, "{each} messages for each task: {counts:?}");
    });
}

#[test]
fn who_calls_back_what_has_begun_keeps_nobody_else_waiting() {
    simulate(Plan::of_fickle, |world| {
        let (few, _) = world.waits();
        assert!(few < 30_000, "those with few wait {few} ms");
        let counts = world.counts();
        assert_eq!((counts.open, counts.running), (0, 0), "{counts:?}");
        assert!(counts.stopped > 20, "many were ended early: {counts:?}");
    });
}

#[test]
fn who_has_few_tasks_is_not_kept_waiting_by_who_has_many() {
    simulate(Plan::of_crowd, |world| {
        let (few, many) = world.waits();
        // Nobody is stopped for somebody else, so everybody may wait for a task that runs.
        assert!(
            few < 4_000 || few * 3 < many,
            "those with few wait {few} ms, the one with many {many} ms"
        );
        assert_eq!(world.counts().open, 0);
    });
}
