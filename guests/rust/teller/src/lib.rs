//! Counts by `wasi:keyvalue`, itself and through `acme:vault`.

use acme::vault::vault;
use wasi::keyvalue::atomics::{self, Cas, CasError};
use wasi::keyvalue::batch;
use wasi::keyvalue::store::{self, Bucket, Error};

wit_bindgen::generate!({ generate_all });

struct Teller;

impl Guest for Teller {
    fn add(bucket: String, key: String, delta: i64) -> Result<i64, String> {
        atomics::increment(&open(&bucket)?, &key, delta).map_err(said)
    }

    fn vault_adds(bucket: String, key: String, delta: i64) -> Result<i64, String> {
        vault::add(&bucket, &key, delta)
    }

    fn vault_adds_to_ours(bucket: String, key: String, delta: i64) -> Result<i64, String> {
        vault::add_to(&open(&bucket)?, &key, delta)
    }

    fn add_to_vaults(bucket: String, key: String, delta: i64) -> Result<i64, String> {
        let bucket = vault::hand_out(&bucket)?;
        atomics::increment(&bucket, &key, delta).map_err(said)
    }

    fn vault_finishes(bucket: String, key: String, value: Vec<u8>) -> Result<bool, String> {
        let cas = Cas::new(&open(&bucket)?, &key).map_err(said)?;
        vault::finish(cas, &value)
    }

    fn swap(
        bucket: String,
        key: String,
        meanwhile: Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, String> {
        let bucket = open(&bucket)?;
        let mut cas = Cas::new(&bucket, &key).map_err(said)?;
        if let Some(value) = meanwhile {
            bucket.set(&key, &value).map_err(said)?;
        }
        let mut seen = Vec::new();
        loop {
            let value = cas.current().map_err(said)?.unwrap_or_default();
            let next = [&value[..], b"+"].concat();
            seen.push(value);
            match atomics::swap(cas, &next) {
                Ok(()) => return Ok(seen),
                Err(CasError::CasFailed(newer)) => cas = newer,
                Err(CasError::StoreError(error)) => return Err(said(error)),
            }
        }
    }

    fn all(bucket: String) -> Result<Vec<(String, Option<Vec<u8>>)>, String> {
        let bucket = open(&bucket)?;
        let mut keys = bucket.list_keys(None).map_err(said)?.keys;
        keys.push("no such key".into());
        batch::get_many(&bucket, &keys).map_err(said)
    }
}

fn open(name: &str) -> Result<Bucket, String> {
    store::open(name).map_err(said)
}

fn said(error: Error) -> String {
    format!("{error:?}")
}

export!(Teller);
