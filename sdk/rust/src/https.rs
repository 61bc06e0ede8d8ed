//! HTTPS, by `homestar:https`.
//!
//! Which hosts may be reached is said where the task is run: `homestar run --allow https=example.com`.

use crate::effect::{error, functions};

/// A request. Without more it is a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Absolute URL, such as `https://example.com/a?b=c`.
    pub url: String,
    /// Names and values, in order. `{{secret:NAME}}` in a value becomes that secret on its way out.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    pub options: Option<Options>,
}

impl Request {
    #[must_use]
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            options: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Milliseconds to connect within. Default 10 seconds.
    pub connect_timeout_ms: Option<u32>,
    /// Milliseconds in which the head, and again each further piece of the body, has to be there. Default 60 seconds.
    pub timeout_ms: Option<u32>,
    /// Redirects that are followed. Default 10.
    pub redirects: Option<u32>,
    /// Most bytes of body that are taken. Default 16 MiB.
    pub max_bytes: Option<u64>,
}

/// A response. 404 is one, and no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names are in lower case, and in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Where it came from, after redirects.
    pub url: String,
}

impl Response {
    /// A response without headers, for tests.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            url: String::new(),
        }
    }

    /// Returns the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Returns the body as UTF-8, with U+FFFD for what isn't.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

error! {
    /// Why there is no response.
    {
        /// Not granted; the text says what would allow it.
        Denied(text: String) => "{text}",
        /// The task's budget of calls or bytes is used up.
        Budget(text: String) => "{text}",
        /// The request isn't one: a bad URL, method or header.
        Invalid(text: String) => "{text}",
        /// The host's name has no address, or could not be looked up.
        Name(text: String) => "{text}",
        /// No connection, or it broke.
        Connection(text: String) => "{text}",
        /// The server's certificate is not to be trusted, or TLS failed.
        Tls(text: String) => "{text}",
        /// It took too long.
        Timeout => "the server took too long",
        /// The server doesn't speak HTTP.
        Protocol(text: String) => "{text}",
        /// The body has more bytes than `max_bytes`.
        TooLarge(most: u64) => "the body has more than {most} bytes",
        /// There are more redirects than `redirects`.
        Redirects(most: u32) => "there are more than {most} redirects",
    }
}

/// Gets a URL.
pub fn get(url: &str) -> Result<Response, Error> {
    #[cfg(target_family = "wasm")]
    return bindings::get(url);
    #[cfg(not(target_family = "wasm"))]
    return send(&Request::new("GET", url));
}

functions! {
    "https", crate::bindings::homestar::https::client {
        /// Sends a request and waits for the response.
        fn send(request: &Request) -> Result<Response, Error>;
    }
}
