//! An effect in front of `homestar:https/client`: asks again when a request failed for a moment.
//!
//! Only requests that may be sent twice are (RFC 9110, 9.2.2), and one request at most [`ATTEMPTS`] times.

use bindings::exports::homestar::https::client::Guest;
use bindings::homestar::https::client;
use bindings::homestar::https::types::{Error, Request, Response};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package acme:retry;

            world middleware {
                import homestar:https/client@0.1.0;
                export homestar:https/client@0.1.0;
            }
        ",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

/// How often a request is sent at most.
const ATTEMPTS: u32 = 3;

/// Methods of which a second request changes no more than the first.
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

struct Effect;

impl Guest for Effect {
    fn get(url: String) -> Result<Response, Error> {
        retry(ATTEMPTS, || client::get(&url))
    }

    fn send(request: Request) -> Result<Response, Error> {
        let idempotent = IDEMPOTENT.contains(&request.method.as_str());
        let attempts = if idempotent { ATTEMPTS } else { 1 };
        retry(attempts, || client::send(&request))
    }
}

/// What the last attempt gave: the first that is not to be repeated, or the one after which there is no more.
fn retry(
    attempts: u32,
    mut attempt: impl FnMut() -> Result<Response, Error>,
) -> Result<Response, Error> {
    for _ in 1..attempts {
        let result = attempt();
        if !is_for_a_moment(&result) {
            return result;
        }
    }
    attempt()
}

/// Whether another attempt may give something else. What is denied or malformed stays so.
fn is_for_a_moment(result: &Result<Response, Error>) -> bool {
    match result {
        Ok(response) => matches!(response.status, 502..=504),
        Err(error) => matches!(error, Error::Connection(_) | Error::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Result<Response, Error> {
        Ok(Response {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            url: String::new(),
        })
    }

    /// The last answer that was asked for, and how many were. After the answers comes status 200.
    fn asked(
        attempts: u32,
        answers: Vec<Result<Response, Error>>,
    ) -> (Result<Response, Error>, u32) {
        let mut answers = answers.into_iter();
        let mut count = 0;
        let last = retry(attempts, || {
            count += 1;
            answers.next().unwrap_or_else(|| status(200))
        });
        (last, count)
    }

    #[test]
    fn what_fails_for_a_moment_is_repeated() {
        let broken = Err(Error::Connection("reset".into()));
        let (last, count) = asked(3, vec![status(503), broken]);
        assert_eq!((last.unwrap().status, count), (200, 3));
        let (last, count) = asked(3, vec![Err(Error::Timeout)]);
        assert_eq!((last.unwrap().status, count), (200, 2));
    }

    #[test]
    fn attempts_are_bounded() {
        let (last, count) = asked(3, vec![status(502), status(503), status(504), status(200)]);
        assert_eq!((last.unwrap().status, count), (504, 3));
        let (last, count) = asked(1, vec![status(503)]);
        assert_eq!((last.unwrap().status, count), (503, 1));
    }

    #[test]
    fn other_answers_pass() {
        for number in [200, 302, 404, 500, 501, 505] {
            let (last, count) = asked(3, vec![status(number)]);
            assert_eq!((last.unwrap().status, count), (number, 1));
        }
        let (last, count) = asked(3, vec![Err(Error::Denied("no".into()))]);
        assert!(matches!(last, Err(Error::Denied(text)) if text == "no"));
        assert_eq!(count, 1);
    }
}
