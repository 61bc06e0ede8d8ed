//! An effect that hands streams on.

use acme::pipe::pipe;
use exports::acme::pipe::pipe::Guest;
use wit_bindgen::StreamReader;

wit_bindgen::generate!({ generate_all });

struct Funnel;

impl Guest for Funnel {
    async fn drain(bytes: StreamReader<u8>) -> u64 {
        pipe::drain(bytes).await
    }
}

export!(Funnel);
