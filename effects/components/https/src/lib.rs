//! The effect `homestar:https/client`: whole requests and responses, made of the exchanges that the
//! driver carries out. Here redirects are followed and bodies decoded.

use bindings::exports::homestar::https::client::Guest;
use bindings::homestar::driver::http as driver;
use bindings::homestar::https::types::{Error, Request, Response};

mod body;
mod exchange;
#[cfg(test)]
mod tests;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/https-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

struct Effect;

impl Guest for Effect {
    fn get(url: String) -> Result<Response, Error> {
        Self::send(Request {
            method: "GET".into(),
            url,
            headers: Vec::new(),
            body: Vec::new(),
            options: None,
        })
    }

    fn send(request: Request) -> Result<Response, Error> {
        exchange::send(&Host, request)
    }
}

/// What the driver does, so that tests can do it in its place.
trait Driver {
    fn send(&self, request: &driver::Request) -> Result<driver::Response, driver::Error>;
    fn read(&self, body: u32, at_most: u32) -> Result<Vec<u8>, driver::Error>;
    fn close(&self, body: u32);
}

/// The driver of the host.
struct Host;

impl Driver for Host {
    fn send(&self, request: &driver::Request) -> Result<driver::Response, driver::Error> {
        driver::send(request)
    }

    fn read(&self, body: u32, at_most: u32) -> Result<Vec<u8>, driver::Error> {
        driver::read(body, at_most)
    }

    fn close(&self, body: u32) {
        driver::close(body);
    }
}

impl From<driver::Error> for Error {
    fn from(error: driver::Error) -> Self {
        use driver::Error as Driver;
        match error {
            Driver::Denied(text) => Self::Denied(text),
            Driver::Budget(text) => Self::Budget(text),
            Driver::Invalid(text) => Self::Invalid(text),
            Driver::Name(text) => Self::Name(text),
            Driver::Connection(text) => Self::Connection(text),
            Driver::Tls(text) => Self::Tls(text),
            Driver::Timeout => Self::Timeout,
            Driver::Protocol(text) => Self::Protocol(text),
            Driver::Closed => Self::Connection("the body is closed".into()),
        }
    }
}
