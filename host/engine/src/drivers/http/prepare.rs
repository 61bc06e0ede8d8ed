//! From what a guest asks for to what is sent: checked, granted, and with secrets in place.

use std::time::Duration;

use ::http::Method;
use ::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use homestar_core::grant::{Permit, Redactor, Secrets};
use url::Url;

use super::types::{Error, Request};

/// Longest URL, in bytes: 64 KiB, less what the library for it can't hold.
const URL_BYTES_MAX: usize = (64 << 10) - 2;
/// Longest method, in bytes. The longest registered one has 17.
const METHOD_BYTES_MAX: usize = 64;
/// Most headers, in both directions. Servers take 100 to 200.
pub(super) const HEADERS_MAX: usize = 256;
/// Most bytes of headers together, in both directions. Servers take 8 to 32 KiB.
pub(super) const HEADER_BYTES_MAX: usize = 64 << 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Headers of the connection: they belong to the driver, and what a guest says of them is left out.
const OURS: [&str; 9] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "upgrade",
    "proxy-connection",
    "trailer",
];

/// A request that may be sent, if its addresses are open too.
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// What the guest said of the body's length. Only a body that streams is held to it.
    pub(super) content_length: Option<u64>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    /// Takes the secrets that were used out of what comes back.
    pub(super) redactor: Option<Redactor>,
}

/// Checks all of a request but its addresses.
pub(super) fn prepare(
    permit: &Permit,
    secrets: &Secrets,
    request: &Request,
) -> Result<Prepared, Error> {
    let method = method(&request.method)?;
    let url = url(&request.url)?;
    granted(permit.https(method.as_str(), &url))?;
    let mut placeholders = secrets.placeholders(&url, permit);
    let mut headers = HeaderMap::new();
    let mut content_length = None;
    let mut bytes = 0;
    if request.headers.len() > HEADERS_MAX {
        return Err(Error::Invalid(format!(
            "it has more than {HEADERS_MAX} headers"
        )));
    }
    for (name, text) in &request.headers {
        let name = header_name(name)?;
        if name == CONTENT_LENGTH {
            content_length = text.trim().parse().ok();
        }
        if OURS.contains(&name.as_str()) {
            continue;
        }
        let filled = granted(placeholders.fill(text))?;
        let mut value = header_value(&name, &filled)?;
        value.set_sensitive(*filled != *text);
        bytes += name.as_str().len() + value.len();
        headers.append(name, value);
    }
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::Invalid(format!(
            "its headers have more than {HEADER_BYTES_MAX} bytes"
        )));
    }
    let redactor = placeholders.redactor();
    if redactor.is_some() {
        // A secret that comes back compressed would not be found.
        headers.remove(ACCEPT_ENCODING);
    }
    drop(placeholders);
    Ok(Prepared {
        method,
        url,
        headers,
        content_length,
        connect_timeout: milliseconds(request.connect_timeout_ms, CONNECT_TIMEOUT),
        timeout: request.timeout(),
        redactor,
    })
}

pub(super) fn granted<T>(result: Result<T, homestar_core::grant::Denied>) -> Result<T, Error> {
    result.map_err(|denied| Error::Denied(denied.to_string()))
}

impl Request {
    /// Time for the head of the response, for each piece of its body, and for the server to take each piece of the
    /// request's own.
    pub(crate) fn timeout(&self) -> Duration {
        milliseconds(self.timeout_ms, TIMEOUT)
    }
}

fn milliseconds(given: Option<u32>, default: Duration) -> Duration {
    given.map_or(default, |given| Duration::from_millis(given.into()))
}

fn method(text: &str) -> Result<Method, Error> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT) => Err(Error::Invalid("CONNECT is for proxies".to_owned())),
        Ok(method) if text.len() <= METHOD_BYTES_MAX => Ok(method),
        _ => Err(Error::Invalid("its method is not a token".to_owned())),
    }
}

fn url(text: &str) -> Result<Url, Error> {
    let bad = |what: &str| Error::Invalid(format!("its URL {what}"));
    let too_long = || bad("is longer than 64 KiB");
    if text.len() > URL_BYTES_MAX {
        return Err(too_long());
    }
    let mut url = Url::parse(text).map_err(|error| bad(&format!("isn't one: {error}")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(bad("has a scheme other than https and http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("names a user; an `authorization` header does that"));
    }
    url.set_fragment(None);
    // With a dot at its end it is the same name, but neither certificates nor servers know that.
    if let Some(name) = url.domain().and_then(|name| name.strip_suffix('.')) {
        let name = name.to_owned();
        url.set_host(Some(&name)).map_err(|_| bad("has no host"))?;
    }
    if url.as_str().len() > URL_BYTES_MAX {
        return Err(too_long());
    }
    Ok(url)
}

fn header_name(text: &str) -> Result<HeaderName, Error> {
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Error::Invalid(format!("a header's name is not a token: {text:.40?}")))
}

/// Characters as bytes. Blanks around a value are not part of it (RFC 9110, 5.5).
fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, Error> {
    let bytes: Result<Vec<u8>, _> = text
        .trim_matches([' ', '\t'])
        .chars()
        .map(u8::try_from)
        .collect();
    let value = bytes
        .ok()
        .and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
    value.ok_or_else(|| {
        Error::Invalid(format!(
            "the header `{name}` has a character that a header can't have"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use homestar_core::grant::Grants;

    fn get(url: &str, headers: &[(&str, &str)]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        Request {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: headers.collect(),
            ..Request::default()
        }
    }

    fn prepared(request: &Request) -> Result<Prepared, Error> {
        prepare(&Grants::everything().into(), &Secrets::default(), request)
    }

    fn error(request: &Request) -> String {
        match prepared(request) {
            Ok(_) => panic!("{request:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn urls_are_checked() {
        for (url, message) in [
            ("/a", "its URL isn't one: relative URL without a base"),
            (
                "ftp://example.com/",
                "its URL has a scheme other than https and http",
            ),
            ("https://user@example.com/", "its URL names a user"),
            ("https://:secret@example.com/", "its URL names a user"),
            ("https://exa mple.com/", "its URL isn't one"),
            ("https://./", "its URL has no host"),
        ] {
            let error = error(&get(url, &[]));
            assert!(
                error.starts_with(&format!("not a request: {message}")),
                "{url}: {error}"
            );
        }
        let long = format!("https://example.com/{}", "ü".repeat(20_000));
        assert_eq!(
            error(&get(&long, &[])),
            "not a request: its URL is longer than 64 KiB"
        );
        for (url, sent) in [
            ("https://example.com/a#b", "https://example.com/a"),
            ("https://EXAMPLE.com.:443/", "https://example.com/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ] {
            assert_eq!(prepared(&get(url, &[])).unwrap().url.as_str(), sent);
        }
    }

    #[test]
    fn methods_are_checked() {
        for (method, is_one) in [
            ("GET", true),
            ("PROPFIND", true),
            ("x-y", true),
            ("", false),
            ("G T", false),
            ("GET\r\n", false),
            ("CONNECT", false),
            (&"X".repeat(65), false),
        ] {
            let request = Request {
                method: method.to_owned(),
                ..get("https://example.com/", &[])
            };
            assert_eq!(prepared(&request).is_ok(), is_one, "{method:?}");
        }
    }

    #[test]
    fn headers_are_checked() {
        let url = "https://example.com/";
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("ü", "x"),
            ("a", "x\r\nb: c"),
            ("a", "x\n"),
            ("a", "x\0"),
            ("a", "\u{100}"),
        ] {
            error(&get(url, &[(name, value)]));
        }
        let headers = prepared(&get(url, &[("A", " b\u{fc}\t"), ("a", ""), ("a", "c")]))
            .unwrap()
            .headers;
        let values: Vec<_> = headers
            .get_all("a")
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        assert_eq!(values, [b"b\xfc".as_slice(), b"", b"c"]);
        error(&get(url, &[("a", "b"); HEADERS_MAX + 1]));
        error(&get(url, &[("a", &"b".repeat(HEADER_BYTES_MAX))]));
    }

    #[test]
    fn headers_of_the_connection_are_left_out() {
        let ours = OURS.map(|name| (name, "7"));
        let prepared = prepared(&get("https://example.com/", &ours)).unwrap();
        assert!(prepared.headers.is_empty());
        assert_eq!(prepared.content_length, Some(7));
    }

    #[test]
    fn secrets_are_filled_for_their_hosts() {
        let mut secrets = Secrets::default();
        secrets
            .insert("T", "s3cr3t".to_owned(), &["example.com"])
            .unwrap();
        let headers = [
            ("authorization", "Bearer {{secret:T}}"),
            ("accept-encoding", "gzip"),
        ];
        let prepare =
            |url: &str| prepare(&Grants::everything().into(), &secrets, &get(url, &headers));
        let prepared = prepare("https://example.com/").unwrap();
        assert_eq!(prepared.headers["authorization"], "Bearer s3cr3t");
        assert!(prepared.headers["authorization"].is_sensitive());
        assert!(!prepared.headers.contains_key("accept-encoding"));
        assert!(prepared.redactor.is_some());
        let Err(error) = prepare("https://example.org/") else {
            panic!("sent elsewhere");
        };
        assert_eq!(
            error.to_string(),
            "the secret `T` is not bound to example.org"
        );
    }

    #[test]
    fn what_is_not_granted_is_denied() {
        let request = get("https://example.com/", &[]);
        let Err(Error::Denied(text)) =
            prepare(&Grants::none().into(), &Secrets::default(), &request)
        else {
            panic!("not denied");
        };
        assert!(
            text.contains("`--allow 'https=GET example.com/'`"),
            "{text}"
        );
    }
}
