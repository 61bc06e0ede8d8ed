//! A guest that asks `acme:weather` for a forecast.

use acme::weather::forecast::today;

wit_bindgen::generate!({
    path: ["../weather/wit", "wit"],
    world: "acme:forecast/forecast",
    generate_all,
});

struct Forecast;

impl Guest for Forecast {
    fn advice(server: String, place: String) -> Result<String, Error> {
        let today = today(&server, &place)?;
        let advice = match (today.chance_of_rain, today.temperature) {
            (0.5.., _) => "take an umbrella",
            (_, ..10.0) => "take a coat",
            _ => "go as you are",
        };
        Ok(advice.into())
    }
}

export!(Forecast);
