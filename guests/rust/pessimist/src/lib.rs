//! An effect in front of another: expects more rain than the forecast it asks for.

use acme::weather::forecast;
use exports::acme::weather::forecast::{Guest, Weather};

wit_bindgen::generate!({ generate_all });

struct Pessimist;

impl Guest for Pessimist {
    fn today(place: String) -> Result<Weather, String> {
        let expected = forecast::today(&place)?;
        Ok(Weather {
            temperature: expected.temperature - 5.0,
            chance_of_rain: (expected.chance_of_rain + 0.6).min(1.0),
        })
    }
}

export!(Pessimist);
