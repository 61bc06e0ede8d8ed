//! Pins and names.

use homestar_store::{Depth, Pin};

use crate::make::{Make, raw};

pub(crate) fn pins_have_labels(make: &Make<'_>) {
    let store = make(None);
    let (one, two) = (*raw(1, 1).cid(), *raw(2, 1).cid());
    let pins = [
        Pin::recursive(one, "a", 5),
        Pin::direct(two, "b", 6),
        Pin::recursive(one, "c", 7),
    ];
    store.pin(&pins[2]).unwrap();
    store.pin_all(&pins[..2]).unwrap();
    store.pin_all(&[]).unwrap();
    assert_eq!(store.pins().unwrap(), pins);
    assert_eq!(store.stats().unwrap().pins, 3);
    assert!(store.unpin(&one, "a").unwrap());
    assert!(!store.unpin(&one, "a").unwrap());
    assert!(!store.unpin(&two, "c").unwrap());
    assert_eq!(store.pins().unwrap(), pins[1..]);
}

pub(crate) fn a_pin_of_the_same_label_replaces_the_one_before(make: &Make<'_>) {
    let store = make(None);
    let cid = *raw(1, 1).cid();
    store.pin(&Pin::recursive(cid, "", 1)).unwrap();
    store.pin(&Pin::direct(cid, "", 2)).unwrap();
    let [pin] = &store.pins().unwrap()[..] else {
        panic!("one pin");
    };
    assert_eq!((pin.depth, pin.at_ms), (Depth::Direct, 2));
}

pub(crate) fn names_lead_somewhere_else_later(make: &Make<'_>) {
    let store = make(None);
    let (one, two) = (*raw(1, 1).cid(), *raw(2, 1).cid());
    assert_eq!(store.name("x").unwrap(), None);
    assert_eq!(store.set_name("x", Some(&one)).unwrap(), None);
    assert_eq!(store.set_name("x", Some(&two)).unwrap(), Some(one));
    store.set_name("a b/ü", Some(&one)).unwrap();
    assert_eq!(store.name("x").unwrap(), Some(two));
    let all = [("a b/ü".to_owned(), one), ("x".to_owned(), two)];
    assert_eq!(store.names().unwrap(), all);
    for (name, cid) in &all {
        let under = store.names_under(name).unwrap();
        assert!(under.contains(&(name.clone(), *cid)), "{under:?}");
        assert!(under.iter().all(|(other, _)| other.starts_with(name)));
        assert_eq!(store.names_under(&format!("{name}~")).unwrap(), []);
    }
    assert_eq!(store.stats().unwrap().names, 2);
    assert_eq!(store.set_name("x", None).unwrap(), Some(two));
    assert_eq!(store.name("x").unwrap(), None);
}

pub(crate) fn a_name_is_swapped_only_by_who_knows_where_it_leads(make: &Make<'_>) {
    let store = make(None);
    let (one, two) = (*raw(1, 1).cid(), *raw(2, 1).cid());
    assert!(!store.swap_name("x", Some(&one), Some(&two)).unwrap());
    assert!(store.swap_name("x", None, Some(&one)).unwrap());
    assert!(!store.swap_name("x", None, Some(&two)).unwrap());
    assert!(store.swap_name("x", Some(&one), Some(&two)).unwrap());
    assert_eq!(store.name("x").unwrap(), Some(two));
    assert!(store.swap_name("x", Some(&two), None).unwrap());
    assert_eq!(store.name("x").unwrap(), None);
}
