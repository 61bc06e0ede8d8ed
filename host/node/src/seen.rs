//! Invocations that were carried out on this machine, so that none is carried out twice.

use homestar_core::ipld::Cid;
use homestar_core::ucan::{Invocation, Replay};
use homestar_store::{Store, StoreError};
use thiserror::Error;

/// What the names begin with that lead to invocations. Behind it stand when one ends and what is signed, so that
/// another signature of the same makes no other invocation.
const NAME: &str = "ucan/done/";

/// Most invocations that are kept: a name takes about 200 bytes, and all of them are read for each that comes.
pub const SEEN_MAX: usize = 100_000;

/// Notes that an invocation is carried out, or refuses it because it was. What is noted is durable, and of two processes
/// that ask at once one is refused.
///
/// To be asked last, when it was verified at the time `now` with this `leeway`, both in seconds. One with an empty nonce
/// asks for what may be done twice, and isn't kept.
pub fn accept(
    store: &dyn Store,
    invocation: &Invocation,
    now: i64,
    leeway: i64,
) -> Result<(), AcceptError> {
    let payload = invocation.payload();
    if payload.nonce.is_empty() {
        return Ok(());
    }
    let end = payload.expiration.ok_or(Replay::NeverExpires)?;
    let mut kept = 0;
    for (name, cid) in store.names_under(NAME)? {
        match end_of(&name) {
            Some(end) if end.saturating_add(leeway) < now => forget(store, &name, &cid)?,
            Some(_) => kept += 1,
            None => {}
        }
    }
    if kept >= SEEN_MAX {
        return Err(Replay::Full { max: SEEN_MAX }.into());
    }
    // The block is kept from its coming until the name leads to it.
    let _session = store.session()?;
    store.put(std::slice::from_ref(invocation.block()))?;
    let name = format!("{NAME}{end}/{}", hex(&invocation.identity()));
    match store.swap_name(&name, None, Some(invocation.cid()))? {
        true => Ok(()),
        false => Err(Replay::Again.into()),
    }
}

/// Returns the invocations that are noted.
pub fn accepted(store: &dyn Store) -> Result<Vec<Cid>, StoreError> {
    let names = store.names_under(NAME)?;
    Ok(names.into_iter().map(|(_, cid)| cid).collect())
}

/// Forgets what can't come again, unless another process did.
fn forget(store: &dyn Store, name: &str, cid: &Cid) -> Result<(), StoreError> {
    store.swap_name(name, Some(cid), None).map(drop)
}

/// Returns when the invocation ends that a name leads to.
fn end_of(name: &str) -> Option<i64> {
    let (end, _) = name.strip_prefix(NAME)?.split_once('/')?;
    end.parse().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why an invocation is not carried out, though it is verified.
#[derive(Debug, Error)]
pub enum AcceptError {
    /// It was carried out before, or can't be kept.
    #[error(transparent)]
    Replay(#[from] Replay),
    /// The store failed.
    #[error("can't note that the invocation is carried out")]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use homestar_core::key::SigningKey;
    use homestar_core::ucan::invocation::Payload;
    use homestar_store::Memory;

    fn invocation(nonce: &[u8], expiration: Option<i64>) -> Invocation {
        let key = SigningKey::from_seed(&[1; 32]);
        let command = "/test".parse().expect("a command");
        let payload = Payload {
            nonce: nonce.to_vec(),
            expiration,
            ..Payload::statement(key.did(), command, Default::default())
        };
        Invocation::sign(payload, &key).expect("signs")
    }

    #[test]
    fn once_until_it_expires() {
        let store = Memory::default();
        let accept = |invocation: &Invocation, now| accept(&store, invocation, now, 60);
        let one = invocation(b"one", Some(100));
        assert!(accept(&one, 50).is_ok());
        let again = |now| matches!(accept(&one, now), Err(AcceptError::Replay(Replay::Again)));
        assert!(again(50) && again(160));
        assert!(accept(&invocation(b"two", Some(200)), 161).is_ok());
        let names = store.names().expect("names");
        assert!(
            names.len() == 1 && names[0].0.starts_with("ucan/done/200/"),
            "{names:?}"
        );
    }

    #[test]
    fn what_may_come_again_is_not_kept_and_what_never_ends_is_refused() {
        let store = Memory::default();
        for _ in 0..2 {
            assert!(accept(&store, &invocation(b"", None), 50, 60).is_ok());
        }
        let endless = accept(&store, &invocation(b"one", None), 50, 60);
        assert!(matches!(
            endless,
            Err(AcceptError::Replay(Replay::NeverExpires))
        ));
        assert_eq!(store.names().expect("names"), []);
    }
}
