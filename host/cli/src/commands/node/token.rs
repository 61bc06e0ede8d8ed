//! `homestar node token`: leave for one request

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use homestar_core::ipld::{Ipld, cid_of_raw};
use homestar_core::ucan::container::Encoding;
use homestar_node::{Fault, command_of};

use super::super::ucan;
use crate::error::CommandError;
use crate::{files, print};

/// Bytes of a body: none that a node takes is longer.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Sign a token for one request to a node's API, for other programs to send: Authorization: Bearer TOKEN
///
/// It is good once, for this request and no other, and shortly.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  curl -H \"Authorization: Bearer $(homestar node token GET /v1/node)\" http://127.0.0.1:4807/v1/node
  homestar node token POST /v1/runs --body workflow.json")]
pub(super) struct Options {
    /// The method of the request
    #[arg(value_name = "GET|HEAD|POST")]
    method: String,

    /// Its path, with what stands behind `?`
    path: String,

    /// A file with its body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// For how long it may be sent, five minutes at most
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = ucan::time)]
    expires: Duration,

    /// What you rest on if the node isn't yours: a container with the delegations to you, or the CID of one that is kept here
    #[arg(long, value_name = "FILE|CID")]
    proof: Option<String>,

    /// Print one JSON object: {"ok": {"token": …}}, or {"error": {"kind": …, "message": …}}
    #[arg(long)]
    pub(super) json: bool,
}

/// A request.
pub(super) struct Wanted<'a> {
    pub(super) method: &'a str,
    /// With the query.
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

pub(super) fn main(options: &Options) -> Result<(), CommandError> {
    let body = match &options.body {
        Some(path) => files::read(path, BODY_BYTES_MAX)?,
        None => Vec::new(),
    };
    let wanted = Wanted {
        method: &options.method.to_ascii_uppercase(),
        path: &options.path,
        body: &body,
    };
    let token = sign(&wanted, options.proof.as_deref(), options.expires)?;
    match options.json {
        true => print::ok(print::map([("token", Ipld::String(token))])),
        false => print::line(&token),
    }
}

/// Signs leave for a request by the user's key.
pub(super) fn sign(
    wanted: &Wanted<'_>,
    proof: Option<&str>,
    expires: Duration,
) -> Result<String, CommandError> {
    let path = wanted.path.split('?').next().unwrap_or_default();
    let command = command_of(wanted.method, path)
        .map_err(|Fault { message, .. }| CommandError::usage(message))?;
    let Some(command) = command else {
        // Everybody may, whatever they show.
        return Ok(String::new());
    };
    let mut arguments = vec![
        ("method".to_owned(), Ipld::String(wanted.method.to_owned())),
        ("path".to_owned(), Ipld::String(wanted.path.to_owned())),
    ];
    if !wanted.body.is_empty() {
        let body = Ipld::Link(cid_of_raw(wanted.body));
        arguments.push(("body".to_owned(), body));
    }
    let arguments = arguments.into_iter().collect();
    let command = command.parse().map_err(CommandError::host)?;
    let container = ucan::invoked(command, arguments, proof, expires)?;
    let token = container.encode(Encoding::Base64UrlGzip);
    String::from_utf8(token).map_err(CommandError::host)
}
