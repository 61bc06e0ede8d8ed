//! The effect `homestar:std/state`: small values that stay after the task, over its driver.

use bindings::exports::homestar::std::state::Guest;
use bindings::homestar::driver::state as driver;
use bindings::homestar::std::types::StateError;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/state-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

struct Effect;

impl Guest for Effect {
    fn get(bucket: String, key: String) -> Result<Option<Vec<u8>>, StateError> {
        driver::get(&bucket, &key)
    }

    fn set(bucket: String, key: String, value: Vec<u8>) -> Result<(), StateError> {
        driver::set(&bucket, &key, &value)
    }

    fn delete(bucket: String, key: String) -> Result<(), StateError> {
        driver::delete(&bucket, &key)
    }

    fn list(bucket: String) -> Result<Vec<String>, StateError> {
        driver::list(&bucket)
    }
}
