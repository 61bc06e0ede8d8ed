//! Components that were loaded lately, so that the next task of an unchanged wiring starts at once.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::Cid;

use crate::component::{Component, Identity};
use crate::parts::Sheet;

/// Components that are ready to start, by what they are.
#[derive(Debug)]
pub(crate) struct Ready {
    bytes_max: u64,
    kept: Mutex<Kept>,
}

/// The longest unused are in front.
#[derive(Debug, Default)]
struct Kept {
    components: VecDeque<(Component, u64)>,
    /// Guests that ask for effects, with what they ask.
    guests: VecDeque<(Cid, Sheet)>,
}

/// Most components, and most guests, that are kept, whatever their size.
const COUNT_MAX: usize = 256;

/// What is known of a guest.
pub(crate) enum Guest {
    /// It asks for nothing, and this is it.
    Whole(Component),
    /// It asks for effects.
    Asking(Sheet),
}

impl Ready {
    /// Keeps components whose code has up to `bytes_max` bytes together.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// Both lists are consistent between any two statements.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is known of the component of the CID `guest`.
    pub(crate) fn guest(&self, guest: &Cid) -> Option<Guest> {
        let mut kept = self.kept();
        let asking = latest(&mut kept.guests, |(cid, _)| cid == guest);
        if let Some((_, sheet)) = asking {
            return Some(Guest::Asking(sheet.clone()));
        }
        let whole = latest(&mut kept.components, |(component, _)| {
            component.cid() == guest && component.parts().len() == 1
        });
        whole.map(|(component, _)| Guest::Whole(component.clone()))
    }

    /// Returns the component that is what `identity` says.
    pub(crate) fn find(&self, identity: &Identity) -> Option<Component> {
        let mut kept = self.kept();
        let found = latest(&mut kept.components, |(component, _)| {
            component.identity() == identity
        });
        found.map(|(component, _)| component.clone())
    }

    /// Keeps what `guest` asks for.
    pub(crate) fn remember(&self, guest: Cid, sheet: &Sheet) {
        let mut kept = self.kept();
        kept.guests.retain(|(cid, _)| *cid != guest);
        kept.guests.push_back((guest, sheet.clone()));
        if kept.guests.len() > COUNT_MAX {
            kept.guests.pop_front();
        }
    }

    /// Keeps `component`, whose code is `code`.
    pub(crate) fn keep(&self, component: &Component, code: &wasmtime::component::Component) {
        let range = code.image_range();
        let bytes = (range.end as usize).saturating_sub(range.start as usize) as u64;
        let mut kept = self.kept();
        let identity = component.identity();
        let components = &mut kept.components;
        components.retain(|(other, _)| other.identity() != identity);
        components.push_back((component.clone(), bytes));
        let mut total: u64 = components.iter().map(|(_, bytes)| bytes).sum();
        while total > self.bytes_max || components.len() > COUNT_MAX {
            let Some((_, bytes)) = components.pop_front() else {
                break;
            };
            total -= bytes;
        }
    }
}

/// Returns the one that `is_it`, as the latest used.
fn latest<T>(list: &mut VecDeque<T>, is_it: impl Fn(&T) -> bool) -> Option<&T> {
    let position = list.iter().position(is_it)?;
    let found = list.remove(position)?;
    list.push_back(found);
    list.back()
}
