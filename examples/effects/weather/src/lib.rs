//! An effect that offers `acme:weather/forecast`: asks a server for it, over HTTPS.

use bindings::exports::acme::weather::forecast::{Error, Guest, Weather};
use bindings::homestar::https::client;
use bindings::homestar::https::types::{Error as HttpsError, Response};
use serde::Deserialize;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "wit"],
        inline: "
            package acme:weather-effect;

            world effect {
                import homestar:https/client@0.1.0;
                export acme:weather/forecast@0.1.0;
            }
        ",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

struct Effect;

impl Guest for Effect {
    fn today(server: String, place: String) -> Result<Weather, Error> {
        let url = format!("{server}/forecast/{}.json", escaped(&place));
        match client::get(&url) {
            Ok(response) => read(&response),
            Err(HttpsError::Denied(text)) => Err(Error::Denied(text)),
            Err(HttpsError::Connection(text)) => Err(Error::Unavailable(text)),
            Err(error) => Err(Error::Unavailable(format!("{error:?}"))),
        }
    }
}

/// A forecast as the server writes it.
#[derive(Deserialize)]
struct Forecast {
    temperature: f32,
    chance_of_rain: f32,
}

fn read(response: &Response) -> Result<Weather, Error> {
    match response.status {
        200 => {}
        404 => return Err(Error::UnknownPlace),
        status => return Err(Error::Unavailable(format!("status {status}"))),
    }
    let forecast: Forecast = serde_json::from_slice(&response.body)
        .map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(Weather {
        temperature: forecast.temperature,
        chance_of_rain: forecast.chance_of_rain,
    })
}

/// A segment of a path, in which everything but letters, digits and `-._~` is escaped (RFC 3986, 2.1).
fn escaped(segment: &str) -> String {
    let mut escaped = String::new();
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response {
            status,
            headers: Vec::new(),
            body: body.into(),
            url: "https://weather.example/forecast/Bergen.json".into(),
        }
    }

    #[test]
    fn a_forecast_is_read() {
        let body = r#"{"temperature": 8.5, "chance_of_rain": 0.75, "source": "a satellite"}"#;
        let weather = read(&answer(200, body)).unwrap();
        assert_eq!((weather.temperature, weather.chance_of_rain), (8.5, 0.75));
    }

    #[test]
    fn what_is_no_forecast_is_an_error() {
        assert!(matches!(read(&answer(404, "")), Err(Error::UnknownPlace)));
        assert!(matches!(
            read(&answer(503, "")),
            Err(Error::Unavailable(text)) if text == "status 503"
        ));
        for body in ["", "sunny", r#"{"temperature": "warm"}"#] {
            assert!(matches!(read(&answer(200, body)), Err(Error::Malformed(_))));
        }
    }

    #[test]
    fn a_place_stays_one_segment() {
        assert_eq!(escaped("Bergen"), "Bergen");
        assert_eq!(escaped("../São Paulo?"), "..%2FS%C3%A3o%20Paulo%3F");
    }
}
