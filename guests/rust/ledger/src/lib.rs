//! Keeps numbers by `wasi:keyvalue` and logs by `wasi:logging`.

use wasi::keyvalue::store::{self, Bucket, Error};
use wasi::keyvalue::{atomics, batch};
use wasi::logging::logging::{Level, log};

wit_bindgen::generate!({ generate_all });

struct Ledger;

impl Guest for Ledger {
    fn count(bucket: String, key: String) -> Result<u64, String> {
        let next = atomics::increment(&open(&bucket)?, &key, 1).map_err(said)?;
        log(Level::Info, "ledger", &format!("{key} is {next}"));
        Ok(next)
    }

    fn all(bucket: String) -> Result<Vec<(String, u64)>, String> {
        let bucket = open(&bucket)?;
        let keys = bucket.list_keys(None).map_err(said)?.keys;
        let pairs = batch::get_many(&bucket, &keys).map_err(said)?;
        let pairs = pairs.into_iter().flatten();
        Ok(pairs.map(|(key, value)| (key, number(&value))).collect())
    }

    fn forget(bucket: String, key: String) -> Result<bool, String> {
        let bucket = open(&bucket)?;
        let was_there = bucket.exists(&key).map_err(said)?;
        bucket.delete(&key).map_err(said)?;
        Ok(was_there)
    }
}

fn open(name: &str) -> Result<Bucket, String> {
    store::open(name).map_err(said)
}

fn number(digits: &[u8]) -> u64 {
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    digits.parse().unwrap_or_default()
}

fn said(error: Error) -> String {
    format!("{error:?}")
}

export!(Ledger);
