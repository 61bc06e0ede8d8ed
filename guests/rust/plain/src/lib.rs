//! A core module that carries its component type along, for hosts that turn it into a component.

wit_bindgen::generate!();

struct Plain;

impl Guest for Plain {
    fn multiply(a: u32, b: u32) -> u32 {
        a.wrapping_mul(b)
    }

    fn shout(text: String) -> String {
        text.to_uppercase()
    }
}

export!(Plain);
