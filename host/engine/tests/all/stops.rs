//! Who waits no longer ends a call, wherever it is just then.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::outcome::Outcome;
use homestar_core::task::{Input, Limits};
use homestar_engine::{Blocks, BlocksError, Call, CallError, Component, Done, Stop};

use crate::{engine, instruction, int, limits, load};

fn call(
    component: &Component,
    func: &str,
    args: Vec<Ipld>,
    blocks: Option<Arc<dyn Blocks>>,
    stop: &Stop,
) -> Result<Done, CallError> {
    let instruction = instruction(component, Input::new(func, args));
    let limits = Limits {
        fuel: u64::MAX,
        ..limits()
    };
    let mut call = Call::new(&instruction, &limits);
    call.blocks = blocks;
    call.stop = Some(stop.clone());
    engine().call(component, call)
}

#[test]
fn an_endless_loop_ends_when_it_is_stopped() {
    let hostile = load(homestar_guests::hostile());
    let stop = Stop::new();
    let ends = thread::scope(|scope| {
        // All that were given the same.
        let spin = || call(&hostile, "spin", vec![], None, &stop);
        let calls = [scope.spawn(spin), scope.spawn(spin)];
        stop.stop();
        calls.map(|call| call.join().unwrap().unwrap_err())
    });
    for end in ends {
        assert!(matches!(end, CallError::Stopped), "{end}");
    }
    // What begins later ends at once, and who isn't stopped goes on.
    let late = call(&hostile, "spin", vec![], None, &stop);
    assert!(matches!(late, Err(CallError::Stopped)));
    let add = load(homestar_guests::add());
    let other = call(&add, "add", vec![int(1), int(2)], None, &Stop::new());
    assert!(matches!(
        other.unwrap().outcome,
        Outcome::Ok(Ipld::Integer(3))
    ));
}

/// A store that says that it is asked, and answers nothing until it is let go of.
#[derive(Debug)]
struct Silent {
    asked: Sender<()>,
    end: Mutex<Receiver<()>>,
}

impl Silent {
    fn wait(&self) -> BlocksError {
        let _ = self.asked.send(());
        let _ = self.end.lock().unwrap().recv();
        BlocksError::Host("it was let go of".to_owned())
    }
}

impl Blocks for Silent {
    fn get(&self, _: &Cid) -> Result<Block, BlocksError> {
        Err(self.wait())
    }

    fn put(&self, _: &[Block]) -> Result<(), BlocksError> {
        Err(self.wait())
    }
}

#[test]
fn who_waits_for_content_or_for_the_store_ends_when_it_is_stopped() {
    let pipe = load(homestar_guests::pipe());
    let cid = *Block::raw(vec![1]).cid();
    for (func, args) in [
        ("pipe", vec![Ipld::Link(cid)]),
        ("zeros", vec![int(1_000_000_000)]),
    ] {
        let (asked, is_asked) = channel();
        let (end, ended) = channel();
        let silent = Arc::new(Silent {
            asked,
            end: Mutex::new(ended),
        });
        let stop = Stop::new();
        thread::scope(|scope| {
            let running = scope.spawn(|| call(&pipe, func, args, Some(silent), &stop));
            is_asked.recv().unwrap();
            stop.stop();
            let done = running.join().unwrap();
            assert!(matches!(done, Err(CallError::Stopped)), "{func}: {done:?}");
        });
        drop(end);
    }
}
