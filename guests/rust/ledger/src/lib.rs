//! Keeps numbers by `wasi:keyvalue` and logs by `wasi:logging`.

use wasi::keyvalue::batch;
use wasi::keyvalue::store::{self, Bucket, Error};
use wasi::logging::logging::{Level, log};

wit_bindgen::generate!({ generate_all });

struct Ledger;

impl Guest for Ledger {
    fn count(bucket: String, key: String) -> Result<u32, String> {
        let bucket = open(&bucket)?;
        let kept = bucket.get(&key).map_err(said)?;
        let next = kept.as_deref().map_or(0, number) + 1;
        bucket.set(&key, &next.to_le_bytes()).map_err(said)?;
        log(Level::Info, "ledger", &format!("{key} is {next}"));
        Ok(next)
    }

    fn all(bucket: String) -> Result<Vec<(String, u32)>, String> {
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

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

fn said(error: Error) -> String {
    format!("{error:?}")
}

export!(Ledger);
