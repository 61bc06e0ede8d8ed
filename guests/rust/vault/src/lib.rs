//! An effect that offers `acme:vault/vault`: numbers in buckets of `wasi:keyvalue`.

use exports::acme::vault::vault::{Bucket, Cas, Guest};
use wasi::keyvalue::atomics::{self, CasError};
use wasi::keyvalue::store;

wit_bindgen::generate!({ generate_all });

struct Vault;

impl Guest for Vault {
    fn add(bucket: String, key: String, delta: i64) -> Result<i64, String> {
        Self::add_to(&Self::hand_out(bucket)?, key, delta)
    }

    fn hand_out(bucket: String) -> Result<Bucket, String> {
        store::open(&bucket).map_err(|error| format!("vault: {error:?}"))
    }

    fn add_to(bucket: &Bucket, key: String, delta: i64) -> Result<i64, String> {
        let sum = atomics::increment(bucket, &key, delta);
        sum.map_err(|error| format!("vault: {error:?}"))
    }

    fn finish(cas: Cas, value: Vec<u8>) -> Result<bool, String> {
        match atomics::swap(cas, &value) {
            Ok(()) => Ok(true),
            Err(CasError::CasFailed(_)) => Ok(false),
            Err(CasError::StoreError(error)) => Err(format!("vault: {error:?}")),
        }
    }
}

export!(Vault);
