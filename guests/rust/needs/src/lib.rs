//! Needs `acme:almanac/almanac`, which an effect has to provide.

use acme::almanac::almanac;

wit_bindgen::generate!({ generate_all });

struct Needs;

impl Guest for Needs {
    fn advice(place: String) -> String {
        match almanac::today(&place) {
            Ok(today) if today.chance_of_rain > 0.5 => "take an umbrella".into(),
            Ok(today) if today.temperature < 10.0 => "take a coat".into(),
            Ok(_) => "go as you are".into(),
            Err(reason) => format!("look out of the window: {reason}"),
        }
    }
}

export!(Needs);
