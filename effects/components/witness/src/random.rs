use crate::bindings::exports::homestar::random::random::Guest;
use crate::bindings::homestar::random::random::{Error, bytes, range, shuffle, u64, uuid};
use crate::told::variant;
use crate::{Witness, tell};

variant!(Error {
    Denied(text) "denied"
    Budget(text) "budget"
    TooMany(most) "too-many"
});

impl Guest for Witness {
    fn bytes(length: u32) -> Result<Vec<u8>, Error> {
        let answer = bytes(length);
        tell("homestar:random/random.bytes", &[&length], &answer);
        answer
    }

    fn u64() -> Result<u64, Error> {
        let answer = u64();
        tell("homestar:random/random.u64", &[], &answer);
        answer
    }

    fn range(start: i64, end: i64) -> Result<i64, Error> {
        let answer = range(start, end);
        tell("homestar:random/random.range", &[&start, &end], &answer);
        answer
    }

    fn shuffle(length: u32) -> Result<Vec<u32>, Error> {
        let answer = shuffle(length);
        tell("homestar:random/random.shuffle", &[&length], &answer);
        answer
    }

    fn uuid() -> Result<String, Error> {
        let answer = uuid();
        tell("homestar:random/random.uuid", &[], &answer);
        answer
    }
}
