//! An effect that offers `acme:almanac/almanac`: what the weather is like on most days.

use exports::acme::almanac::almanac::{Guest, Weather};

wit_bindgen::generate!({ generate_all });

struct Almanac;

impl Guest for Almanac {
    fn today(place: String) -> Result<Weather, String> {
        let (temperature, chance_of_rain) = match place.as_str() {
            "Bergen" => (8.0, 0.7),
            "Cairo" => (28.0, 0.0),
            "nowhere" => panic!("there is no weather nowhere"),
            _ => return Err(format!("the almanac does not know {place}")),
        };
        Ok(Weather {
            temperature,
            chance_of_rain,
        })
    }
}

export!(Almanac);
