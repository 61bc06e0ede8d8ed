//! Adds two numbers: the smallest guest.

wit_bindgen::generate!();

struct Add;

impl Guest for Add {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
}

export!(Add);
