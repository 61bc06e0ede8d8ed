//! Calls that don't fit, each of which the compiler refuses.

use crate::{image, text, zoo};
use homestar_sdk::flow::{File, workflow};

pub fn wrong() {
    workflow("wrong", || {
        let seven = zoo::echo_u32(7);
        let words = zoo::echo_string("words");
        let picture = image::grayscale(File::new("cat.png"));
        zoo::echo_u32("7"); // wrong
        zoo::echo_u32(&words); // wrong
        zoo::echo_string(&seven); // wrong
        zoo::echo_list_u32(vec!["7"]); // wrong
        zoo::echo_point(zoo::Color::Red); // wrong
        image::grayscale("cat.png"); // wrong
        image::grayscale(&seven); // wrong
        text::word_count(&picture); // wrong
        // These are fine.
        image::rotate90(&picture);
        zoo::echo_list_bytes(vec![vec![1_u8]]);
    });
}
