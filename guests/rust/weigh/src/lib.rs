//! Asks another component about a file.

use acme::scale::scale;

wit_bindgen::generate!({
    path: ["../../../wit", "../scale/wit", "wit"],
    world: "homestar:weigh/weigh",
    generate_all,
});

struct Weigh;

impl Guest for Weigh {
    fn weigh(file: &Blob) -> (u64, Blob) {
        let sum = scale::weigh(file);
        (sum, scale::note(&sum.to_string()))
    }
}

export!(Weigh);
