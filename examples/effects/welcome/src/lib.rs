//! A guest that asks `acme:greetings` for greetings, whatever language that is written in.

use acme::greetings::greet::greet;

wit_bindgen::generate!({
    path: ["../greetings/wit", "wit"],
    world: "acme:welcome/welcome",
    generate_all,
});

struct Welcome;

impl Guest for Welcome {
    fn welcome(names: Vec<String>, language: String) -> Result<Vec<String>, Error> {
        names.iter().map(|name| greet(name, &language)).collect()
    }
}

export!(Welcome);
