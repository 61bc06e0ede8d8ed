//! What a request asks for. No I/O.

use homestar_core::ipld::{Cid, parse_cid};
use http::header::{ACCEPT, HeaderMap};
use http::{Method, Uri};
use url::form_urlencoded;

use crate::{EntityBytes, Scope};

/// Names in a path.
const NAMES_MAX: usize = 64;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) cid: Cid,
    /// Names behind it.
    pub(super) path: Vec<String>,
    pub(super) form: Form,
    /// Without the body.
    pub(super) is_head: bool,
    /// The path as it came.
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Raw,
    Car { scope: Scope, dups: bool },
}

/// A status, and a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16, pub(super) String);

fn refuse<T>(status: u16, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(status, text.into()))
}

impl Wanted {
    pub(super) fn parse(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return refuse(405, "only GET and HEAD are answered here");
        }
        let Some(rest) = uri.path().strip_prefix("/ipfs/") else {
            return match uri.path().starts_with("/ipns/") {
                true => refuse(501, "names of IPNS are not looked up here"),
                false => refuse(404, "blocks are under /ipfs/{cid}"),
            };
        };
        let mut names = rest.split('/').filter(|name| !name.is_empty());
        let cid = names.next().unwrap_or_default();
        let Ok(cid) = parse_cid(cid) else {
            return refuse(400, "what follows /ipfs/ is not a CID");
        };
        let path = names.map(decode).collect::<Result<Vec<_>, _>>()?;
        if path.len() > NAMES_MAX {
            return refuse(400, format!("a path has at most {NAMES_MAX} names"));
        }
        let query: Vec<_> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        let query = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_ref())
        };
        let form = form(query, headers)?;
        if form == Form::Raw && !path.is_empty() {
            return refuse(
                400,
                "a raw block is asked for by its own CID, without a path; a CAR file has the blocks of a path",
            );
        }
        Ok(Self {
            cid,
            path,
            form,
            is_head: *method == Method::HEAD,
            text: uri.path().to_owned(),
        })
    }

    /// What tells this answer from others for the same URL.
    pub(super) fn etag(&self) -> String {
        let cid = self.cid;
        let path = match self.path.is_empty() {
            true => String::new(),
            // Quotes can't stand in one.
            false => format!(
                ".{}",
                form_urlencoded::byte_serialize(self.path.join("/").as_bytes()).collect::<String>()
            ),
        };
        match self.form {
            Form::Raw => format!("\"{cid}.raw\""),
            Form::Car { scope, dups } => {
                let scope = match scope {
                    Scope::Block => "block".to_owned(),
                    Scope::Entity => "entity".to_owned(),
                    Scope::Bytes(bytes) => format!("entity.{bytes}"),
                    Scope::All => "all".to_owned(),
                };
                let dups = if dups { "y" } else { "n" };
                format!("\"{cid}{path}.car.{scope}.dfs.{dups}\"")
            }
        }
    }
}

/// `format` in the query wins over the header.
fn form<'a>(query: impl Fn(&str) -> Option<&'a str>, headers: &HeaderMap) -> Result<Form, Refusal> {
    let accepted: Vec<_> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let accepted = accepted.join(",").to_ascii_lowercase();
    let types = || accepted.split(',').map(str::trim);
    let car_type = types().find(|text| essence(text) == "application/vnd.ipld.car");
    let is_raw = match query("format") {
        Some("raw") => true,
        Some("car") => false,
        Some(other) => {
            return refuse(
                406,
                format!(
                    "the format {:?} is not served here, only raw and car",
                    brief(other)
                ),
            );
        }
        None if types().any(|text| essence(text) == "application/vnd.ipld.raw") => true,
        None if car_type.is_some() => false,
        None if accepted.is_empty() => {
            return refuse(
                400,
                "say what you accept: ?format=raw or ?format=car; this gateway serves nothing else",
            );
        }
        None => {
            return refuse(
                406,
                "this gateway serves application/vnd.ipld.raw and application/vnd.ipld.car only",
            );
        }
    };
    if is_raw {
        return Ok(Form::Raw);
    }
    let parameter = |query_name: &str, name: &str| {
        let from_type = || car_type.and_then(|text| parameter(text, name));
        query(query_name).or_else(from_type).map(str::to_owned)
    };
    if let Some(version) = parameter("car-version", "version").filter(|version| version != "1") {
        return refuse(
            400,
            format!(
                "version {:?} of CAR is not written here, only 1",
                brief(&version)
            ),
        );
    }
    match parameter("car-order", "order").as_deref() {
        None | Some("dfs" | "unk") => {}
        Some(order) => {
            return refuse(
                400,
                format!("there is no order {:?}, only dfs and unk", brief(order)),
            );
        }
    }
    let dups = match parameter("car-dups", "dups").as_deref() {
        None | Some("y") => true,
        Some("n") => false,
        Some(dups) => return refuse(400, format!("dups is y or n, not {:?}", brief(dups))),
    };
    let scope = scope(query("dag-scope"), query("entity-bytes"))?;
    Ok(Form::Car { scope, dups })
}

fn scope(scope: Option<&str>, bytes: Option<&str>) -> Result<Scope, Refusal> {
    if let Some(bytes) = bytes {
        let bytes = bytes.parse::<EntityBytes>();
        let bytes = bytes.map_err(|error| Refusal(400, format!("entity-bytes: {error}")))?;
        return match scope {
            None | Some("entity") => Ok(Scope::Bytes(bytes)),
            Some(_) => refuse(400, "entity-bytes goes with dag-scope=entity"),
        };
    }
    match scope {
        None | Some("all") => Ok(Scope::All),
        Some("entity") => Ok(Scope::Entity),
        Some("block") => Ok(Scope::Block),
        Some(other) => refuse(
            400,
            format!(
                "there is no dag-scope {:?}, only block, entity and all",
                brief(other)
            ),
        ),
    }
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn parameter<'a>(media_type: &'a str, name: &str) -> Option<&'a str> {
    let mut parameters = media_type
        .split(';')
        .skip(1)
        .filter_map(|text| text.split_once('='));
    parameters
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A name of a path without its escapes.
fn decode(name: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = after.first_chunk::<2>().and_then(|hex| {
            let text = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(text, 16).ok()
        });
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    match String::from_utf8(bytes) {
        Ok(name) if name.contains('/') => refuse(400, "a name in the path has a slash in it"),
        Ok(name) => Ok(name),
        Err(_) => refuse(400, "a name in the path is not UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::cid_of_raw;

    use super::*;

    fn parse(path: &str, accept: &str) -> Result<Wanted, Refusal> {
        let cid = cid_of_raw(b"hello").to_string();
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        let uri = path.replace("CID", &cid).parse().unwrap();
        Wanted::parse(&Method::GET, &uri, &headers)
    }

    fn car(scope: Scope, dups: bool) -> Form {
        Form::Car { scope, dups }
    }

    #[test]
    fn forms_are_read() {
        let part = EntityBytes { from: -5, to: None };
        for (path, accept, form) in [
            ("/ipfs/CID?format=raw", "", Form::Raw),
            ("/ipfs/CID", "application/vnd.ipld.raw", Form::Raw),
            (
                "/ipfs/CID?format=raw",
                "application/vnd.ipld.car",
                Form::Raw,
            ),
            ("/ipfs/CID?format=car", "*/*", car(Scope::All, true)),
            (
                "/ipfs/CID",
                "application/vnd.ipld.car; version=1; order=dfs; dups=n",
                car(Scope::All, false),
            ),
            (
                "/ipfs/CID?format=car&car-dups=y",
                "application/vnd.ipld.car; dups=n",
                car(Scope::All, true),
            ),
            (
                "/ipfs/CID?format=car&dag-scope=block",
                "",
                car(Scope::Block, true),
            ),
            (
                "/ipfs/CID/a/b?format=car&dag-scope=entity",
                "",
                car(Scope::Entity, true),
            ),
            (
                "/ipfs/CID?format=car&entity-bytes=-5:*",
                "",
                car(Scope::Bytes(part), true),
            ),
            (
                "/ipfs/CID",
                "text/html, application/vnd.ipld.raw;q=0.9",
                Form::Raw,
            ),
        ] {
            assert_eq!(parse(path, accept).unwrap().form, form, "{path} {accept}");
        }
    }

    #[test]
    fn what_is_not_served_is_refused() {
        for (path, accept, status) in [
            ("/", "", 404),
            ("/ipns/example.com", "", 501),
            ("/ipfs/", "", 400),
            ("/ipfs/Qm?format=raw", "", 400),
            ("/ipfs/CID", "", 400),
            ("/ipfs/CID", "text/html", 406),
            ("/ipfs/CID", "*/*", 406),
            ("/ipfs/CID?format=tar", "", 406),
            ("/ipfs/CID/a?format=raw", "", 400),
            ("/ipfs/CID/%ff?format=car", "", 400),
            ("/ipfs/CID?format=car&dag-scope=some", "", 400),
            ("/ipfs/CID?format=car&entity-bytes=5:1", "", 400),
            (
                "/ipfs/CID?format=car&dag-scope=all&entity-bytes=0:1",
                "",
                400,
            ),
            ("/ipfs/CID?format=car&car-version=2", "", 400),
            ("/ipfs/CID?format=car&car-order=bfs", "", 400),
        ] {
            let Refusal(refused, _) = parse(path, accept).unwrap_err();
            assert_eq!(refused, status, "{path} {accept}");
        }
        let uri = "/ipfs/x".parse().unwrap();
        let refused = Wanted::parse(&Method::POST, &uri, &HeaderMap::new());
        assert_eq!(refused.unwrap_err().0, 405);
    }

    #[test]
    fn paths_are_decoded() {
        let wanted = parse("/ipfs/CID//a%20b/%c3%bc%/?format=car", "").unwrap();
        assert_eq!(wanted.path, ["a b", "ü%"]);
    }

    #[test]
    fn different_answers_have_different_tags() {
        let paths = [
            "/ipfs/CID?format=raw",
            "/ipfs/CID?format=car",
            "/ipfs/CID/a?format=car",
            "/ipfs/CID?format=car&dag-scope=block",
            "/ipfs/CID?format=car&car-dups=n",
            "/ipfs/CID?format=car&entity-bytes=0:*",
            "/ipfs/CID?format=car&entity-bytes=0:1",
        ];
        let mut tags: Vec<_> = paths.map(|path| parse(path, "").unwrap().etag()).into();
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), paths.len());
    }
}
