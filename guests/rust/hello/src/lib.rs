//! Greets by name.

wit_bindgen::generate!();

struct Hello;

impl Guest for Hello {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

export!(Hello);
