//! Who asked for runs.

use std::collections::HashSet;

use homestar_core::ipld::{self, Block, Cid};
use homestar_core::ucan::Did;
use homestar_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use super::Wishes;
use crate::api::Fault;
use crate::{RunRecord, RunRecordError};

/// What names begin with that say who asked for a run: `asked/ID`.
const NAME: &str = "asked/";

/// What is noted of a run that somebody asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedFor {
    run: String,
    /// Who asked; nobody is the owner.
    by: Option<String>,
    #[serde(default, skip_serializing_if = "Wishes::is_none")]
    wishes: Wishes,
}

/// Tells whether somebody who isn't the owner asked a node for a run. It is theirs to go on with. What can't be read is nobody's.
pub fn is_of_others(store: &dyn Store, run: &str) -> bool {
    !matches!(asked(store, run), Ok(None | Some(None)))
}

/// Returns who asked for a run, if that is known; nobody is the owner.
pub(super) fn asked(store: &dyn Store, run: &str) -> Result<Option<Option<Did>>, Fault> {
    let name = store.name(&format!("{NAME}{run}")).map_err(Fault::host)?;
    name.map(|cid| asked_for(store, &cid).map(|(by, _)| by))
        .transpose()
}

/// Returns who it says asked, and how it is to be run.
pub(super) fn asked_for(store: &dyn Store, asked: &Cid) -> Result<(Option<Did>, Wishes), Fault> {
    let block = store.get(asked).map_err(Fault::host)?;
    let block = block.ok_or_else(|| Fault::host(format!("block {asked} is missing")))?;
    let asked: AskedFor = ipld::decode(block.bytes()).map_err(Fault::host)?;
    let by = asked.by.map(|by| by.parse::<Did>());
    Ok((by.transpose().map_err(Fault::host)?, asked.wishes))
}

/// Notes who asked for a run, and how.
pub(super) fn note(
    store: &dyn Store,
    run: &str,
    by: Option<Did>,
    wishes: &Wishes,
) -> Result<(), RunRecordError> {
    let block = Block::of_dag_cbor(&AskedFor {
        run: run.to_owned(),
        by: by.map(|by| by.to_string()),
        wishes: wishes.clone(),
    })?;
    let _session = store.session()?;
    store.put(std::slice::from_ref(&block))?;
    store.set_name(&format!("{NAME}{run}"), Some(block.cid()))?;
    Ok(())
}

/// Returns the runs that somebody asked for, and where it stands who did.
pub(super) fn all(store: &dyn Store) -> Result<Vec<(String, Cid)>, StoreError> {
    let names = store.names_under(NAME)?.into_iter();
    Ok(names
        .map(|(name, cid)| (name[NAME.len()..].to_owned(), cid))
        .collect())
}

/// Forgets who asked for runs that are forgotten.
pub(super) fn tidy(store: &dyn Store) -> Result<(), StoreError> {
    let asked = store.names_under(NAME)?;
    let there: HashSet<_> = RunRecord::ids(store)?.into_iter().collect();
    for (name, _) in asked {
        if !there.contains(&name[NAME.len()..]) {
            store.set_name(&name, None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use homestar_core::key::SigningKey;
    use homestar_core::workflow::{Format, Workflow};
    use homestar_store::Memory;

    use super::*;

    #[test]
    fn who_asked_is_known_until_the_run_is_forgotten() {
        let store = Memory::new();
        let workflow = r#"{"tasks": {"a": {"component": "a.wasm", "call": "a"}}}"#;
        let workflow = Workflow::parse(workflow, Format::Json).unwrap();
        let begin = |nonce| {
            let (id, record) = RunRecord::new(&workflow, 1, nonce).unwrap();
            record.begin(&store, &id, &workflow).unwrap();
            id
        };
        let (mine, theirs, none) = (begin(1), begin(2), begin(3));
        let friend = SigningKey::from_seed(&[2; 32]).did();
        let wishes = Wishes {
            jobs: Some(2),
            ..Wishes::default()
        };
        note(&store, &mine, None, &Wishes::default()).unwrap();
        note(&store, &theirs, Some(friend), &wishes).unwrap();
        let noted = all(&store).unwrap();
        let noted = noted
            .iter()
            .map(|(_, cid)| asked_for(&store, cid).unwrap().1);
        assert_eq!(noted.filter(|it| *it == wishes).count(), 1);
        assert_eq!(asked(&store, &mine), Ok(Some(None)));
        assert_eq!(asked(&store, &theirs), Ok(Some(Some(friend))));
        assert_eq!(asked(&store, &none), Ok(None));
        let of_others = [&mine, &theirs, &none].map(|run| is_of_others(&store, run));
        assert_eq!(of_others, [false, true, false]);
        tidy(&store).unwrap();
        assert_eq!(all(&store).unwrap().len(), 2);
        RunRecord::forget(&store, &theirs).unwrap();
        tidy(&store).unwrap();
        assert_eq!(all(&store).unwrap()[0].0, mine);
        assert_eq!(asked(&store, &theirs), Ok(None));
    }
}
