//! The answer to a request: its head, and a body that comes when it is taken.

use bytes::Bytes;
use homestar_core::ipld::{Block, Cid};
use homestar_core::unixfs::{Fault, Found, Node, Resolve, ResolveStep, Slot, UnixfsError};
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode};

use super::request::{Form, Refusal, Wanted};
use super::source::{Reader, SourceError};
use super::stream::{Blocks, Body};
use crate::walk::IDENTITY;
use crate::{Scope, Walk};

const X_IPFS_PATH: HeaderName = HeaderName::from_static("x-ipfs-path");
const X_IPFS_ROOTS: HeaderName = HeaderName::from_static("x-ipfs-roots");
/// What is named by its hash never changes.
const FOR_EVER: &str = "public, max-age=29030400, immutable";

/// Answers a request.
pub(super) async fn answer<B>(request: &Request<B>, reader: Reader) -> Response<Body> {
    let wanted = Wanted::parse(request.method(), request.uri(), request.headers());
    let answered = match wanted {
        Ok(wanted) => serve(&wanted, request.headers(), reader).await,
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|Refusal(status, text)| refused(status, text))
}

fn refused(status: u16, text: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(format!("{text}\n").into()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == 405 {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

async fn serve(
    wanted: &Wanted,
    asked: &HeaderMap,
    reader: Reader,
) -> Result<Response<Body>, Refusal> {
    let (scope, dups) = match wanted.form {
        Form::Raw => return raw(wanted, asked, &reader).await,
        Form::Car { scope, dups } => (scope, dups),
    };
    let route = route(wanted, &reader).await?;
    let mut response = Response::new(Body::whole(Bytes::new()));
    head(&mut response, wanted, &route.cids, "car");
    let content_type = format!(
        "application/vnd.ipld.car; version=1; order=dfs; dups={}",
        if dups { "y" } else { "n" }
    );
    insert(&mut response, CONTENT_TYPE, &content_type);
    insert(&mut response, ACCEPT_RANGES, "none");
    if is_known(wanted, asked) {
        return Ok(not_modified(response));
    }
    if !wanted.is_head {
        let reader = reader.of_walk(&route.last, scope);
        let walk = walk(route.last, scope, dups);
        let blocks = Blocks::new(wanted.cid, route.blocks, walk, reader);
        *response.body_mut() = blocks.spawn();
    }
    Ok(response)
}

fn walk(root: Cid, scope: Scope, dups: bool) -> Walk {
    match dups {
        true => Walk::repeating(root, scope),
        false => Walk::new(root, scope),
    }
}

async fn raw(
    wanted: &Wanted,
    asked: &HeaderMap,
    reader: &Reader,
) -> Result<Response<Body>, Refusal> {
    let cid = wanted.cid;
    let bytes = match cid.hash().code() {
        // The bytes are in the name. `bafkqaaa`, which names none, is how clients ask whether this is a gateway at all.
        IDENTITY => Bytes::copy_from_slice(cid.hash().digest()),
        _ => read(reader, cid).await?.into_parts().1,
    };
    let mut response = Response::new(Body::whole(Bytes::new()));
    head(&mut response, wanted, &[cid], "bin");
    insert(&mut response, CONTENT_TYPE, "application/vnd.ipld.raw");
    if is_known(wanted, asked) {
        return Ok(not_modified(response));
    }
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, bytes.len().into());
    if !wanted.is_head {
        *response.body_mut() = Body::whole(bytes);
    }
    Ok(response)
}

async fn read(reader: &Reader, cid: Cid) -> Result<Block, Refusal> {
    match reader.get(cid).await {
        Ok(Some(block)) => Ok(block),
        Ok(None) => Err(Refusal(404, format!("block {cid} is not here"))),
        Err(SourceError::Nowhere(words)) => Err(Refusal(404, words)),
        Err(SourceError::Withheld) => Err(Refusal(410, format!("block {cid} is not given out"))),
        Err(SourceError::Failed(_)) => Err(Refusal(500, format!("block {cid} can't be read"))),
    }
}

/// Where a path leads.
struct Route {
    /// The blocks on the way, without the last.
    blocks: Vec<Block>,
    last: Cid,
    /// What each name led to, the root first.
    cids: Vec<Cid>,
}

/// Follows a path. The block that it ends at is there.
async fn route(wanted: &Wanted, reader: &Reader) -> Result<Route, Refusal> {
    let mut resolve = Resolve::new(wanted.cid, &wanted.path.join("/"))
        .map_err(|error| Refusal(400, error.to_string()))?;
    let mut route = Route {
        blocks: Vec::new(),
        last: wanted.cid,
        cids: Vec::new(),
    };
    loop {
        let cid = match resolve.step().map_err(nowhere)? {
            ResolveStep::Need(cid) => cid,
            ResolveStep::Found(Found::Block(cid)) => {
                read(reader, cid).await?;
                route.cids.push(cid);
                route.last = cid;
                return Ok(route);
            }
            ResolveStep::Found(Found::Value { block, .. }) => {
                let text = format!(
                    "the path ends inside of block {block}, which has no CID of its own there"
                );
                return Err(Refusal(404, text));
            }
        };
        let block = read(reader, cid).await?;
        if !route
            .blocks
            .last()
            .is_some_and(|above| is_shard_of(above, &cid))
        {
            route.cids.push(cid);
        }
        resolve.give(&block).map_err(nowhere)?;
        route.blocks.push(block);
    }
}

fn nowhere(error: UnixfsError) -> Refusal {
    let status = match error.fault {
        Fault::NoEntry(_) | Fault::NotADirectory | Fault::Symlink(_) => 404,
        _ => 500,
    };
    Refusal(status, error.to_string())
}

/// True for a piece of the directory above it, which no name of a path leads to.
fn is_shard_of(above: &Block, cid: &Cid) -> bool {
    match Node::decode(above) {
        Ok(Node::Shard(shard)) => shard
            .slots
            .iter()
            .any(|(_, slot)| *slot == Slot::Shard(*cid)),
        _ => false,
    }
}

/// The headers that both forms have.
fn head(response: &mut Response<Body>, wanted: &Wanted, roots: &[Cid], ending: &str) {
    let roots: Vec<_> = roots.iter().map(Cid::to_string).collect();
    insert(response, ETAG, &wanted.etag());
    insert(response, CACHE_CONTROL, FOR_EVER);
    insert(
        response,
        CONTENT_DISPOSITION,
        &format!("attachment; filename=\"{}.{ending}\"", wanted.cid),
    );
    insert(response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(response, X_IPFS_PATH, &wanted.text);
    insert(response, X_IPFS_ROOTS, &roots.join(","));
    insert(response, VARY, "accept");
}

fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // All of them are made of CIDs, of a path that came over HTTP, and of our own words.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn is_known(wanted: &Wanted, asked: &HeaderMap) -> bool {
    let tag = wanted.etag();
    let known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|text| text.split(',').map(str::trim));
    known.any(|text| text == "*" || text.strip_prefix("W/").unwrap_or(text) == tag)
}

fn not_modified(mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().remove(CONTENT_DISPOSITION);
    response
}
