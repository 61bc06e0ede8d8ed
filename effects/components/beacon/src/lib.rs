//! The effect `homestar:random/beacon`: values of drand chains, fetched by `homestar:https` and
//! checked here.

use bindings::exports::homestar::random::beacon::{Chain, Error, Guest, Round};
use bindings::homestar::https::client;
use bindings::homestar::https::types::{Error as HttpsError, Options, Request, Response};

mod answer;
mod check;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/beacon-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

/// Largest answer that is read. A value has less than a thousand bytes.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

struct Effect;

impl Guest for Effect {
    fn quicknet() -> Chain {
        Chain {
            url: "https://api.drand.sh".into(),
            hash: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971".into(),
            public_key: "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b\
                         6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809\
                         bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
                .into(),
            scheme: "bls-unchained-g1-rfc9380".into(),
        }
    }

    fn latest(chain: Chain) -> Result<Round, Error> {
        fetch(&chain, None, get)
    }

    fn get(chain: Chain, number: u64) -> Result<Round, Error> {
        fetch(&chain, Some(number), get)
    }

    fn verify(chain: Chain, round: Round) -> Result<(), Error> {
        check::Chain::new(&chain)?.verify(&round)
    }
}

/// Gets a round, the newest if no number is given, and checks it.
fn fetch(
    chain: &Chain,
    number: Option<u64>,
    get: impl FnOnce(String) -> Result<Response, HttpsError>,
) -> Result<Round, Error> {
    let key = check::Chain::new(chain)?;
    let name = match number {
        // The API would give the newest.
        Some(0) => return Err(Error::Malformed("rounds are numbered from 1".into())),
        Some(number) => number.to_string(),
        None => "latest".into(),
    };
    let url = format!(
        "{}/{}/public/{name}",
        chain.url.trim_end_matches('/'),
        chain.hash
    );
    let response = get(url).map_err(Error::Https)?;
    if response.status != 200 {
        return Err(Error::Status(response.status));
    }
    let round = answer::parse(&response.body, key.is_chained())?;
    if number.is_some_and(|number| number != round.number) {
        return Err(Error::Malformed(format!(
            "the answer is about round {}, not {name}",
            round.number
        )));
    }
    key.verify(&round)?;
    Ok(round)
}

fn get(url: String) -> Result<Response, HttpsError> {
    client::send(&Request {
        method: "GET".into(),
        url,
        headers: vec![("accept".into(), "application/json".into())],
        body: Vec::new(),
        options: Some(Options {
            connect_timeout_ms: None,
            timeout_ms: None,
            redirects: None,
            max_bytes: Some(ANSWER_BYTES_MAX),
        }),
    })
}

#[cfg(test)]
mod tests;
