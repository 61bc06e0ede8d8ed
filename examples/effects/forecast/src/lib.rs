//! A guest that asks `acme:weather` for a forecast.

use acme::weather::forecast::today;

wit_bindgen::generate!({
    path: ["../weather/wit", "wit"],
    world: "acme:forecast/forecast",
    generate_all,
});

struct Advisor;

impl Guest for Advisor {
    fn advice(server: String, place: String) -> Result<String, String> {
        match today(&server, &place) {
            Ok(today) if today.chance_of_rain > 0.5 => Ok("take an umbrella".into()),
            Ok(today) if today.temperature < 10.0 => Ok("take a coat".into()),
            Ok(_) => Ok("go as you are".into()),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

export!(Advisor);
