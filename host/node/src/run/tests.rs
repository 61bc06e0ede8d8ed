use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use homestar_core::ipld::{Ipld, cid_of_raw};
use homestar_core::key::SigningKey;
use homestar_core::outcome::Outcome;
use homestar_core::plan::{Plan, Rules};
use homestar_core::receipt::{Body, Meta};
use homestar_core::schedule::{Options, Status};
use homestar_core::wit::{Function, Type};
use homestar_core::workflow::{Format, Workflow};
use homestar_store::Memory;

use super::*;

/// Adds, and remembers what it was asked. What would make more than `max` fails.
#[derive(Debug)]
struct Adder {
    key: SigningKey,
    max: i128,
    /// Whether it says that it heard from outside.
    hears: bool,
    asked: Mutex<Vec<String>>,
}

impl Adder {
    fn new(max: i128) -> Self {
        Self {
            key: SigningKey::from_seed(&[7; 32]),
            max,
            hears: false,
            asked: Mutex::default(),
        }
    }

    fn asked(&self) -> BTreeSet<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let distinct: BTreeSet<_> = asked.iter().cloned().collect();
        assert_eq!(distinct.len(), asked.len(), "asked twice: {asked:?}");
        distinct
    }
}

impl Execute for Adder {
    fn is_pure(&self, _: &Instruction, _: &How) -> bool {
        !self.hears
    }

    fn execute(&self, work: &Work) -> Result<Executed, Trouble> {
        self.asked.lock().unwrap().push(work.label.clone());
        let instruction = &work.instruction;
        let numbers = instruction.input().args.iter().map(|arg| match arg {
            Ipld::Integer(number) => *number,
            other => panic!("{other:?}"),
        });
        let sum: i128 = numbers.sum();
        let outcome = match sum > self.max {
            true => Outcome::error(Kind::Guest, "too much"),
            false => Outcome::Ok(Ipld::Integer(sum)),
        };
        let body = Body {
            ran: instruction.link(),
            outcome,
            run: vec![],
            meta: Meta {
                component: *instruction.resource().cid(),
                func: instruction.input().func.clone(),
                effects: vec![],
                trace: self.hears.then(|| cid_of_raw(b"heard")),
                invocation: None,
                fuel: 1,
                memory_peak: 0,
                engine: "adder".into(),
            },
        };
        Ok(Executed {
            receipt: Receipt::sign(body, &self.key).unwrap(),
            blocks: vec![instruction.block().clone()],
        })
    }

    fn is_answer(&self, _: &Instruction, _: &How, receipt: &Receipt) -> bool {
        receipt.meta().effects.is_empty()
    }
}

/// A chain of additions beside others that nobody awaits.
fn workflow(chain: usize, others: usize) -> Workflow {
    let mut text = "defaults: {component: math.wasm}\ntasks:\n".to_owned();
    text += "  chain-0: {call: add, args: [0, 1]}\n";
    for at in 1..chain {
        let before = at - 1;
        text += &format!("  chain-{at}: {{call: add, args: [{{await/ok: chain-{before}}}, 1]}}\n");
    }
    for at in 0..others {
        text += &format!("  other-{at}: {{call: add, args: [{at}, 1000]}}\n");
    }
    Workflow::parse(&text, Format::Yaml).unwrap()
}

fn plan(workflow: &Workflow) -> Plan {
    let component = cid_of_raw(b"math");
    let add = Function {
        interface: None,
        name: "add".to_owned(),
        params: vec![("a".to_owned(), Type::U32), ("b".to_owned(), Type::U32)],
        result: Some(Type::U32),
        is_async: false,
    };
    let resources = BTreeMap::from([("math.wasm".to_owned(), component.into())]);
    let signatures = BTreeMap::from([(component, vec![add])]);
    workflow
        .plan(&resources, &signatures, &Rules::default())
        .unwrap()
}

fn run(workflow: &Workflow, store: &Arc<Memory>) -> Run {
    let options = Options {
        calls_max: 4,
        ..Options::default()
    };
    let schedule = Schedule::new(plan(workflow), options);
    Run::new(schedule, store.clone(), 2)
}

fn ignore(_: &Schedule, _: News<'_>) {}

#[test]
fn everything_is_run_once_and_found_the_next_time() {
    let (store, adder) = (Arc::new(Memory::new()), Adder::new(1_000_000));
    let workflow = workflow(20, 30);
    let mut told = BTreeSet::new();
    let summary = run(&workflow, &store)
        .drive(&adder, &mut |_, news| {
            if let News::Recorded(receipts) = news {
                told.extend(receipts.iter().map(|(_, link)| *link.cid()));
            }
        })
        .unwrap();
    assert!(summary.is_success(), "{summary:?}");
    assert_eq!((summary.counts.ran, adder.asked().len()), (50, 50));
    assert_eq!(told.len(), 50);
    assert!(told.iter().all(|cid| store.has(cid).unwrap()));

    let mut found = 0;
    let summary = run(&workflow, &store)
        .drive(&adder, &mut |_, news| {
            found += usize::from(matches!(news, News::Found(..)))
        })
        .unwrap();
    assert!(summary.is_success());
    assert_eq!((summary.counts.memoised, found), (50, 50));
    assert_eq!(adder.asked(), BTreeSet::new());
}

#[test]
fn what_needs_a_failure_is_not_run_and_the_rest_is() {
    let (store, adder) = (Arc::new(Memory::new()), Adder::new(1_005));
    let mut run = run(&workflow(3, 10), &store);
    let summary = run.drive(&adder, &mut ignore).unwrap();
    assert!(!summary.is_success());
    assert_eq!((summary.counts.ran, summary.counts.failed), (9, 4));
    let failed = run.schedule().tasks();
    let failed = failed.filter(|task| run.schedule().status(*task) == Status::Failed);
    assert_eq!(failed.count(), 4);
    // A failed task has a receipt too.
    assert!(summary.failed.iter().all(|task| task.receipt.is_some()));
}

#[test]
fn a_run_that_was_cancelled_goes_on_where_it_was() {
    for hears in [false, true] {
        cancelled_and_resumed(hears);
    }
}

/// What was heard from outside counts for the run in which it was heard, and for no other.
fn cancelled_and_resumed(hears: bool) {
    let (store, mut adder) = (Arc::new(Memory::new()), Adder::new(1_000_000));
    adder.hears = hears;
    let workflow = workflow(200, 0);
    let (id, begun) = RunRecord::new(&workflow, 1, 7).unwrap();
    begun.begin(&*store, &id, &workflow).unwrap();
    let mut first = run(&workflow, &store);
    first.remember(&id).unwrap();
    let canceller = first.canceller();
    let mut ran = 0;
    let mut count = |_: &Schedule, news: News<'_>| {
        if let News::Ran(..) = news {
            ran += 1;
            if ran == 50 {
                canceller.cancel();
            }
        }
    };
    let summary = first.drive(&adder, &mut count).unwrap();
    assert!(!summary.is_success());
    let before = adder.asked();
    assert!((50..200).contains(&before.len()));

    let open = RunRecord::interrupted(&*store, workflow.cid()).unwrap();
    assert_eq!(open, [(id.clone(), begun.clone())]);
    let journal = Journal::open(&*store, &id).unwrap();
    assert_eq!(journal.receipts(&*store).unwrap().is_empty(), !hears);
    // How far it came is known.
    let so_far = begun.tasks(&*store, &id).unwrap();
    let (known, rest): (Vec<_>, Vec<_>) = so_far.iter().partition(|task| task.status == "ran");
    let known: BTreeSet<_> = known.iter().map(|task| task.label.clone()).collect();
    assert_eq!(known, before);
    assert!(rest.iter().all(|task| task.status == "waiting"));
    assert_eq!(so_far.len(), 200);

    let mut second = run(&workflow, &store);
    second.remember(&id).unwrap();
    let summary = second.drive(&adder, &mut ignore).unwrap();
    assert!(summary.is_success());
    let after = adder.asked();
    assert!(before.is_disjoint(&after));
    assert_eq!(before.len() + after.len(), 200);

    let ended = begun
        .end(&*store, &id, second.schedule(), Ended::Well, 2)
        .unwrap();
    let latest = RunRecord::latest(&*store, 10).unwrap();
    assert_eq!(latest, [(id.clone(), ended.clone())]);
    let open = RunRecord::interrupted(&*store, workflow.cid()).unwrap();
    assert_eq!(open, []);
    assert!(
        store
            .names()
            .unwrap()
            .iter()
            .all(|(name, _)| name.starts_with("run/"))
    );
    let tasks = ended.tasks(&*store, &id).unwrap();
    assert_eq!(tasks.len(), 200);
    assert!(tasks.iter().all(|task| task.receipt.is_some()));

    // Another run finds what the instructions alone decided.
    let mut third = run(&workflow, &store);
    third.remember("other").unwrap();
    let summary = third.drive(&adder, &mut ignore).unwrap();
    let again = if hears { 200 } else { 0 };
    assert_eq!((summary.counts.ran, adder.asked().len()), (again, again));
}

#[test]
fn what_was_found_is_known_of_a_run_that_has_not_ended() {
    let (store, adder) = (Arc::new(Memory::new()), Adder::new(1_000_000));
    run(&workflow(10, 0), &store)
        .drive(&adder, &mut ignore)
        .unwrap();
    let longer = workflow(11, 0);
    let (id, begun) = RunRecord::new(&longer, 1, 7).unwrap();
    begun.begin(&*store, &id, &longer).unwrap();
    let mut second = run(&longer, &store);
    second.remember(&id).unwrap();
    second.drive(&adder, &mut ignore).unwrap();
    let tasks = begun.tasks(&*store, &id).unwrap();
    assert_eq!(tasks.len(), 11);
    for task in &tasks {
        let is_new = task.label == "chain-10";
        let status = if is_new { "ran" } else { "memoised" };
        assert_eq!(task.status, status, "{}", task.label);
    }
    assert!(tasks.iter().all(|task| task.receipt.is_some()));
}

#[test]
fn runs_do_not_pile_up() {
    let store = Arc::new(Memory::new());
    let workflow = workflow(1, 0);
    let begin = |at: u64| {
        let (id, begun) = RunRecord::new(&workflow, at, 7).unwrap();
        begun.begin(&*store, &id, &workflow).unwrap();
        (id, begun)
    };
    let (open, _) = begin(1);
    let mut ended = Vec::new();
    for at in 2..30 {
        let (id, begun) = begin(at);
        let run = run(&workflow, &store);
        begun
            .end(&*store, &id, run.schedule(), Ended::Well, at)
            .unwrap();
        ended.insert(0, id);
    }
    // Many are forgotten little by little, and what has not ended is never.
    record::forget_oldest(&*store, 5).unwrap();
    let ids = RunRecord::ids(&*store).unwrap();
    assert_eq!(ids, [&ended[..12], std::slice::from_ref(&open)].concat());
    record::forget_oldest(&*store, 5).unwrap();
    let ids = RunRecord::ids(&*store).unwrap();
    assert_eq!(ids, [&ended[..5], std::slice::from_ref(&open)].concat());

    // Whoever starts reads no other runs, and neither does who asks for one or ends one.
    let gone = *Block::raw(b"gone".to_vec()).cid();
    store
        .set_name("run/00000000000000-gone", Some(&gone))
        .unwrap();
    let interrupted = RunRecord::interrupted(&*store, workflow.cid()).unwrap();
    assert_eq!(interrupted.len(), 1);
    assert!(RunRecord::open(&*store, &ended[0]).unwrap().is_some());
    assert_eq!(RunRecord::latest(&*store, 2).unwrap().len(), 2);
    record::forget_oldest(&*store, 5).unwrap();
    assert!(RunRecord::open(&*store, "gone").unwrap().is_none());

    assert!(RunRecord::forget(&*store, &open).unwrap());
    assert!(!RunRecord::forget(&*store, &open).unwrap());
    let interrupted = RunRecord::interrupted(&*store, workflow.cid()).unwrap();
    assert_eq!(interrupted, []);
}

#[test]
fn receipts_that_cannot_be_kept_end_the_run() {
    let (store, adder) = (Arc::new(Memory::with_quota(10_000)), Adder::new(1_000_000));
    let error = run(&workflow(1_000, 0), &store)
        .drive(&adder, &mut ignore)
        .unwrap_err();
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
    assert!(adder.asked().len() < 1_000);
}

#[test]
fn what_was_told_of_is_there_after_a_crash_at_any_receipt() {
    let workflow = workflow(10, 20);
    for crash in 0..30 {
        let (store, adder) = (Arc::new(Memory::new()), Adder::new(1_000_000));
        // Only what was recorded up to the crash is in the store then.
        let kept = Arc::new(Memory::new());
        let mut told = 0;
        let summary = run(&workflow, &store).drive(&adder, &mut |_, news| {
            if let News::Recorded(receipts) = news {
                for (_, link) in receipts {
                    if told < crash {
                        copy(&store, &kept, link);
                        told += 1;
                    }
                }
            }
        });
        assert!(summary.unwrap().is_success());
        let all = adder.asked();
        let summary = run(&workflow, &kept).drive(&adder, &mut ignore).unwrap();
        assert!(summary.is_success());
        assert_eq!(summary.counts.memoised, crash);
        assert_eq!(adder.asked().len(), all.len() - crash);
    }
}

fn copy(from: &Memory, to: &Memory, link: &Link<Receipt>) {
    let block = from.get(link.cid()).unwrap().unwrap();
    let receipt = Receipt::decode(block.bytes()).unwrap();
    let instruction = from.get(receipt.ran().cid()).unwrap().unwrap();
    let record = Record {
        receipt: &receipt,
        blocks: &[instruction],
        is_believed: true,
        at_ms: 0,
    };
    to.record(&[record]).unwrap();
}
