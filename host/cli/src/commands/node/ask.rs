//! Who is asked: the node of this machine, or one that has an address, by tokens that the user's key signs.

use std::time::Duration;

use clap::Args;
use homestar_core::ipld::{Block, Cid, Ipld};
use homestar_core::json;
use homestar_node::{LocalNode, RemoteNode, Said, Told, What};

use super::token;
use crate::error::{Caused, CommandError, Kind};
use crate::paths;

const JSON: &str = "application/json";
/// For how long a token holds that is used at once.
const AT_ONCE: Duration = Duration::from_secs(60);

/// Which node is asked.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct NodeOptions {
    /// Ask the node at this URL, such as http://127.0.0.1:4807, instead of that of this machine, by tokens that your key signs
    #[arg(long, value_name = "URL", help_heading = "Node")]
    node: Option<String>,

    /// What you rest on if that node isn't yours: a container with the delegations to you, or the CID of one that is kept here
    #[arg(
        long,
        value_name = "FILE|CID",
        requires = "node",
        help_heading = "Node"
    )]
    proof: Option<String>,
}

/// A node that is asked.
#[derive(Debug)]
pub(super) enum Asked {
    Here(LocalNode),
    There(There),
}

/// A node that has an address.
#[derive(Debug)]
pub(crate) struct There {
    node: RemoteNode,
    proof: Option<String>,
}

impl NodeOptions {
    pub(super) fn node(&self) -> Result<Asked, CommandError> {
        match &self.node {
            None => Asked::here(),
            Some(url) => Ok(Asked::There(There::at(url, self.proof.clone())?)),
        }
    }
}

impl Asked {
    /// Returns the node of this machine.
    pub(super) fn here() -> Result<Self, CommandError> {
        let socket = paths::socket().map_err(CommandError::input)?;
        let node = LocalNode::find(&socket).ok_or_else(|| {
            let error = CommandError::input("no node of yours runs on this machine");
            error.hint("`homestar start` starts one")
        })?;
        Ok(Self::Here(node))
    }

    /// Asks the node for something, and returns what it answers.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> Result<Ipld, CommandError> {
        match self {
            Self::Here(node) => {
                let answer = node.ask(method, path, body.as_bytes().to_vec());
                answered(answer.map_err(unheard)?)
            }
            Self::There(there) => there.ask(method, path, body.as_bytes().to_vec(), JSON),
        }
    }
}

impl There {
    /// Returns the node at a URL. What one rests on there is in `proof`.
    pub(in crate::commands) fn at(url: &str, proof: Option<String>) -> Result<Self, CommandError> {
        let node = RemoteNode::at(url).map_err(CommandError::usage)?;
        Ok(Self { node, proof })
    }

    /// Asks the node for something, and returns what it answers.
    pub(in crate::commands) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
        media_type: &'static str,
    ) -> Result<Ipld, CommandError> {
        let token = self.token(method, path, &body)?;
        let answer = self.node.ask(method, path, &token, body, media_type);
        self.answered(answer.map_err(unheard)?)
    }

    /// Gets a block from the node.
    pub(in crate::commands) fn block(&self, cid: &Cid) -> Result<Block, CommandError> {
        let path = format!("/ipfs/{cid}?format=raw");
        let token = self.token("GET", &path, &[])?;
        let said = self.node.ask("GET", &path, &token, Vec::new(), JSON);
        let said = said.map_err(unheard)?;
        if said.status != 200 {
            let words = format!("the node gives no block {cid}");
            return Err(match self.answered(said) {
                Ok(_) => CommandError::host(words),
                Err(error) if error.kind == Kind::Denied => error
                    .hint("what is in its store is for whom its owner lets: /homestar/node/read"),
                Err(error) => error,
            });
        }
        let block = Block::new(cid.codec(), said.body);
        (block.cid() == cid).then_some(block).ok_or_else(|| {
            CommandError::host(format!("the node gives something else as block {cid}"))
        })
    }

    /// Follows what happens there.
    pub(in crate::commands) fn follow(&self, path: &str) -> Result<Told<'_>, CommandError> {
        let token = self.token("GET", path, &[])?;
        match self.node.follow(path, &token).map_err(unheard)? {
            Ok(told) => Ok(told),
            Err(answer) => Err(match self.answered(answer) {
                Ok(_) => CommandError::host("the node tells nothing"),
                Err(error) => error,
            }),
        }
    }

    fn token(&self, method: &str, path: &str, body: &[u8]) -> Result<String, CommandError> {
        let wanted = token::Wanted { method, path, body };
        token::sign(&wanted, self.proof.as_deref(), AT_ONCE)
    }

    fn answered(&self, answer: Said) -> Result<Ipld, CommandError> {
        answered(answer).map_err(|error| match (&self.proof, error.kind) {
            (None, Kind::Denied) => error.hint(
                "`--proof FILE` shows what its owner lets you do: `homestar ucan delegate` there makes one",
            ),
            _ => error,
        })
    }
}

pub(in crate::commands) fn unheard(what: What) -> CommandError {
    CommandError::host(format!("the node {what}"))
}

fn answered(answer: Said) -> Result<Ipld, CommandError> {
    let text = String::from_utf8_lossy(&answer.body);
    let value = json::parse(&text).map_err(|error| {
        CommandError::host(Caused::new("the node answers what isn't understood", error))
    })?;
    let words = format!("the node answered with status {}", answer.status);
    match (answer.status, value) {
        (200..=299, value) => Ok(value),
        (_, Ipld::Map(mut map)) => Err(failed(map.remove("error"), &words)),
        _ => Err(CommandError::host(words)),
    }
}

/// Returns the error that a node tells of in JSON; `otherwise` is said if it tells of none.
pub(super) fn failed(error: Option<Ipld>, otherwise: &str) -> CommandError {
    let Some(Ipld::Map(error)) = error else {
        return CommandError::host(otherwise.to_owned());
    };
    let text = |name: &str| match error.get(name) {
        Some(Ipld::String(text)) => Some(text.clone()),
        _ => None,
    };
    let words = text("message").unwrap_or_else(|| otherwise.to_owned());
    let failed = match text("kind").as_deref() {
        Some("usage") => CommandError::usage(words),
        Some("input") => CommandError::input(words),
        Some("denied") => CommandError::denied(words),
        _ => CommandError::host(words),
    };
    text("hint").into_iter().fold(failed, CommandError::hint)
}
