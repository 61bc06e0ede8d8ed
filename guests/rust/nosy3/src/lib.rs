//! Looks at the clocks and random numbers of WASI 0.3.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use wasi::clocks::{monotonic_clock, system_clock};
use wasi::random::{insecure_seed, random};

wit_bindgen::generate!({ generate_all });

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

struct Nosy3;

impl Guest for Nosy3 {
    fn now() -> (i64, u32) {
        let now = system_clock::now();
        (now.seconds, now.nanoseconds)
    }

    async fn elapsed_of_sleep(ms: u64) -> u64 {
        let start = monotonic_clock::now();
        sleep(ms).await;
        monotonic_clock::now() - start
    }

    async fn order_of_sleeps(ms: Vec<u64>) -> Vec<u64> {
        let order = RefCell::new(Vec::new());
        let sleeps = ms.into_iter().map(|ms| {
            let order = &order;
            async move {
                sleep(ms).await;
                order.borrow_mut().push(ms);
            }
        });
        all(sleeps).await;
        order.into_inner()
    }

    fn random(n: u32) -> Vec<u8> {
        random::get_random_bytes(n.into())
    }

    fn hash_seed() -> (u64, u64) {
        insecure_seed::get_insecure_seed()
    }
}

async fn sleep(ms: u64) {
    monotonic_clock::wait_for(ms * NANOSECONDS_PER_MILLISECOND).await;
}

/// Ends when all `futures` have.
async fn all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut waiting: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    poll_fn(|context: &mut Context<'_>| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

export!(Nosy3);
