//! An effect in front of another: expects more rain than the almanac that it asks.

use acme::almanac::almanac;
use exports::acme::almanac::almanac::{Guest, Weather};

wit_bindgen::generate!({ generate_all });

struct Pessimist;

impl Guest for Pessimist {
    fn today(place: String) -> Result<Weather, String> {
        let expected = almanac::today(&place)?;
        Ok(Weather {
            temperature: expected.temperature - 5.0,
            chance_of_rain: (expected.chance_of_rain + 0.6).min(1.0),
        })
    }
}

export!(Pessimist);
