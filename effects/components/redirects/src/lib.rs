//! Which request follows a redirect (RFC 9110, 15.4): shared by the effects for HTTPS.

use url::{ParseError, Url};

/// Headers that are meant for one origin alone.
const CREDENTIALS: &[&str] = &["authorization", "cookie", "proxy-authorization"];

/// What stands for a secret in a header's value.
const SECRET: &str = "{{secret:";

/// What a redirect may change about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Where it goes, without a fragment.
    pub url: Url,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request to `url`.
    ///
    /// # Errors
    ///
    /// If that is no URL; the text is for the guest's author.
    pub fn new(
        method: String,
        url: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<Self, String> {
        let mut parsed = Url::parse(url).map_err(|error| match error {
            ParseError::RelativeUrlWithoutBase => {
                format!("`{url}` is no absolute URL, such as https://example.com/")
            }
            error => format!("`{url}` is no URL: {error}"),
        })?;
        if !web(&parsed) {
            return Err(format!("`{url}` begins neither with https: nor with http:"));
        }
        parsed.set_fragment(None);
        Ok(Self {
            method,
            url: parsed,
            headers,
            body,
        })
    }

    /// Becomes the request that follows a response, and tells whether there is one.
    ///
    /// # Errors
    ///
    /// If the response redirects to what is no URL; the text says so.
    pub fn follow(&mut self, status: u16, headers: &[(String, String)]) -> Result<bool, String> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let Some((_, location)) = headers.iter().find(|(name, _)| name == "location") else {
            return Ok(false);
        };
        let url = self.resolve(location)?;
        if matches!(status, 301..=303) && self.method != "HEAD" {
            self.method = "GET".into();
            self.body = Vec::new();
            self.drop_headers(|name, _| name.starts_with("content-"));
        }
        if url.origin() != self.url.origin() {
            self.drop_headers(|name, value| CREDENTIALS.contains(&name) || value.contains(SECRET));
        }
        self.url = url;
        Ok(true)
    }

    /// Where `location` leads from here.
    fn resolve(&self, location: &str) -> Result<Url, String> {
        let location = utf8(location);
        let url = self.url.join(&location);
        let mut url =
            url.map_err(|error| format!("redirected to `{location}`, which is no URL: {error}"))?;
        if !web(&url) {
            return Err(format!(
                "redirected to `{location}`, which begins neither with https: nor with http:"
            ));
        }
        url.set_fragment(None);
        Ok(url)
    }

    fn drop_headers(&mut self, drop: impl Fn(&str, &str) -> bool) {
        self.headers
            .retain(|(name, value)| !drop(&name.to_ascii_lowercase(), value));
    }
}

fn web(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http")
}

/// A header's text, whose characters stand for bytes, as UTF-8 if it is: servers send URLs in it.
fn utf8(text: &str) -> String {
    let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    let decoded = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://example.com/a/b?c=d#e";

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        pairs.iter().map(owned).collect()
    }

    fn request(method: &str) -> Request {
        let headers = headers(&[
            ("Accept", "text/html"),
            ("Authorization", "Bearer abc"),
            ("cookie", "a=b"),
            ("x-key", "{{secret:KEY}}"),
            ("Content-Type", "text/plain"),
        ]);
        Request::new(method.into(), PAGE, headers, b"body".to_vec()).unwrap()
    }

    fn names(request: &Request) -> Vec<&str> {
        request.headers.iter().map(|(name, _)| &**name).collect()
    }

    fn followed(method: &str, status: u16, location: &str) -> Request {
        let mut request = request(method);
        let response = headers(&[("date", "today"), ("location", location)]);
        assert_eq!(request.follow(status, &response), Ok(true));
        request
    }

    #[test]
    fn locations_are_resolved() {
        for (location, url) in [
            ("/x", "https://example.com/x"),
            ("x?y", "https://example.com/a/x?y"),
            ("../../x", "https://example.com/x"),
            ("?y", "https://example.com/a/b?y"),
            ("//other.example/x#y", "https://other.example/x"),
            ("http://example.com", "http://example.com/"),
            ("", "https://example.com/a/b?c=d"),
            ("/a b", "https://example.com/a%20b"),
            ("/\u{c3}\u{bc}", "https://example.com/%C3%BC"),
        ] {
            assert_eq!(followed("GET", 302, location).url.as_str(), url);
        }
    }

    #[test]
    fn some_redirects_turn_into_a_get_and_some_do_not() {
        for status in [301, 302, 303] {
            let request = followed("POST", status, "/x");
            assert_eq!((&*request.method, &*request.body), ("GET", &b""[..]));
            assert!(!names(&request).contains(&"Content-Type"));
            assert_eq!(followed("HEAD", status, "/x").method, "HEAD");
        }
        for status in [307, 308] {
            let request = followed("POST", status, "/x");
            assert_eq!((&*request.method, &*request.body), ("POST", &b"body"[..]));
            assert!(names(&request).contains(&"Content-Type"));
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let all = ["Accept", "Authorization", "cookie", "x-key", "Content-Type"];
        for location in ["/x", "https://EXAMPLE.com:443/x"] {
            assert_eq!(names(&followed("PUT", 307, location)), all);
        }
        for location in [
            "https://other.example.com/a",
            "https://example.com:8443/a",
            "http://example.com/a",
        ] {
            let request = followed("PUT", 307, location);
            assert_eq!(names(&request), ["Accept", "Content-Type"], "{location}");
        }
    }

    #[test]
    fn what_is_no_redirect_changes_nothing() {
        let location = headers(&[("location", "/x")]);
        for (status, response) in [
            (200, &location),
            (201, &location),
            (300, &location),
            (304, &location),
            (302, &headers(&[])),
        ] {
            let mut same = request("POST");
            assert_eq!(same.follow(status, response), Ok(false));
            assert_eq!(same, request("POST"));
        }
    }

    #[test]
    fn what_is_no_url_is_named() {
        let mut request = request("GET");
        for (location, why) in [
            ("https://", "`https://`, which is no URL: empty host"),
            ("ftp://example.com/", "`ftp://example.com/`, which begins"),
            ("javascript:alert(1)", "`javascript:alert(1)`, which begins"),
        ] {
            let error = request.follow(302, &headers(&[("location", location)]));
            assert!(error.is_err_and(|text| text.contains(why)), "{location}");
        }
        for (url, why) in [
            ("example.com", "`example.com` is no absolute URL"),
            ("https://a b/", "`https://a b/` is no URL: invalid"),
            ("file:///etc", "`file:///etc` begins neither"),
        ] {
            let error = Request::new("GET".into(), url, Vec::new(), Vec::new());
            assert!(error.is_err_and(|text| text.contains(why)), "{url}");
        }
    }
}
