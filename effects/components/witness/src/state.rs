use crate::bindings::exports::homestar::std::state::Guest;
use crate::bindings::homestar::std::state::{StateError, delete, get, list, set};
use crate::told::variant;
use crate::{Witness, tell};

variant!(StateError {
    Denied(text) "denied"
    Budget(text) "budget"
    Invalid(text) "invalid"
    TooLarge(most) "too-large"
    Failed(text) "failed"
});

impl Guest for Witness {
    fn get(bucket: String, key: String) -> Result<Option<Vec<u8>>, StateError> {
        let answer = get(&bucket, &key);
        tell("homestar:std/state.get", &[&bucket, &key], &answer);
        answer
    }

    fn set(bucket: String, key: String, value: Vec<u8>) -> Result<(), StateError> {
        let answer = set(&bucket, &key, &value);
        tell("homestar:std/state.set", &[&bucket, &key, &value], &answer);
        answer
    }

    fn delete(bucket: String, key: String) -> Result<(), StateError> {
        let answer = delete(&bucket, &key);
        tell("homestar:std/state.delete", &[&bucket, &key], &answer);
        answer
    }

    fn list(bucket: String) -> Result<Vec<String>, StateError> {
        let answer = list(&bucket);
        tell("homestar:std/state.list", &[&bucket], &answer);
        answer
    }
}
