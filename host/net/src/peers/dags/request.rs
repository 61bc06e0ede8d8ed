//! The question: which DAGs, and which part of what hangs on their roots.

use std::io;

use homestar_core::ipld::{self, Cid, Ipld};
use libp2p::futures::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::super::frame;
use crate::Scope;

/// Roots that are asked for at one time. Of a file that broke off, those are ahead that hang on the nodes above it: 174 for each
/// level.
pub(super) const ROOTS_MAX: usize = 1024;
/// Bytes of a question. A root has 36 of a CID and four around them.
const BYTES_MAX: usize = ROOTS_MAX * 64;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    /// In this order they come, each with what hangs on it.
    pub(super) roots: Vec<Cid>,
    pub(super) scope: Scope,
}

impl Request {
    fn encode(&self) -> io::Result<Vec<u8>> {
        let roots = self.roots.iter().map(|cid| Ipld::Link(*cid)).collect();
        let scope = match self.scope {
            Scope::Block => "block".to_owned(),
            Scope::Entity => "entity".to_owned(),
            Scope::Bytes(bytes) => bytes.to_string(),
            Scope::All => "all".to_owned(),
        };
        let parts = [
            ("roots".to_owned(), Ipld::List(roots)),
            ("scope".to_owned(), Ipld::String(scope)),
        ];
        ipld::encode(&Ipld::Map(parts.into())).map_err(io::Error::other)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let Ok(Ipld::Map(mut parts)) = ipld::decode(bytes) else {
            return None;
        };
        let (roots, scope) = (parts.remove("roots")?, parts.remove("scope")?);
        let (Ipld::List(roots), Ipld::String(scope), true) = (roots, scope, parts.is_empty())
        else {
            return None;
        };
        let scope = match &*scope {
            "block" => Scope::Block,
            "entity" => Scope::Entity,
            "all" => Scope::All,
            bytes => Scope::Bytes(bytes.parse().ok()?),
        };
        let roots = roots.into_iter().map(|root| match root {
            Ipld::Link(cid) => Some(cid),
            _ => None,
        });
        let roots: Vec<Cid> = roots.collect::<Option<_>>()?;
        matches!(roots.len(), 1..=ROOTS_MAX).then_some(Self { roots, scope })
    }

    pub(super) async fn write<T>(&self, io: &mut T) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        frame::write(io, &self.encode()?).await?;
        io.flush().await
    }

    pub(super) async fn read<T>(io: &mut T) -> io::Result<Self>
    where
        T: AsyncRead + Unpin + Send,
    {
        let bytes = frame::read(io, BYTES_MAX).await?;
        Self::decode(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use homestar_core::ipld::cid_of_raw;
    use libp2p::futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;
    use crate::wait_for;

    fn request(count: usize, scope: Scope) -> Request {
        let roots = (0..count).map(|at| cid_of_raw(&at.to_be_bytes()));
        Request {
            roots: roots.collect(),
            scope,
        }
    }

    #[test]
    fn questions_are_read_as_they_were_written() {
        let bytes = Scope::Bytes("5:-9".parse().unwrap());
        for scope in [Scope::Block, Scope::Entity, Scope::All, bytes] {
            for count in [1, ROOTS_MAX] {
                let request = request(count, scope);
                let mut written = Cursor::new(Vec::new());
                wait_for(request.write(&mut written)).unwrap();
                written.set_position(0);
                assert_eq!(wait_for(Request::read(&mut written)).unwrap(), request);
            }
        }
    }

    #[test]
    fn what_is_too_much_nothing_or_something_else_is_no_question() {
        let bytes = |count| request(count, Scope::All).encode().unwrap();
        assert!(Request::decode(&bytes(ROOTS_MAX + 1)).is_none());
        assert!(Request::decode(&bytes(0)).is_none());
        let link = Ipld::List(vec![Ipld::Link(cid_of_raw(b"root"))]);
        for parts in [
            vec![("roots", link.clone())],
            vec![
                ("roots", link.clone()),
                ("scope", Ipld::String("some".into())),
            ],
            vec![("roots", Ipld::Null), ("scope", Ipld::String("all".into()))],
            vec![
                ("more", Ipld::Null),
                ("roots", link),
                ("scope", Ipld::String("all".into())),
            ],
        ] {
            let parts = parts.into_iter().map(|(name, it)| (name.to_owned(), it));
            let bytes = ipld::encode(&Ipld::Map(parts.collect())).unwrap();
            assert!(Request::decode(&bytes).is_none());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::decode(&bytes);
        }
    }
}
