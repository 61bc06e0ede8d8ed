//! Tokens in plain words.

use std::fmt::Write;

use super::policy::Policy;
use super::verify::Authority;
use super::{Delegation, Invocation};
use crate::ipld::Ipld;
use crate::json;

/// How many characters of an invocation's arguments are shown.
const ARGUMENTS_MAX: usize = 200;

/// What a delegation allows, to whom, and until when: one sentence.
pub fn of_delegation(delegation: &Delegation) -> String {
    let payload = delegation.payload();
    let (issuer, audience) = (payload.issuer, payload.audience);
    let whose = match &payload.subject {
        Some(subject) if *subject == issuer => format!("what is of {issuer}"),
        Some(subject) => format!("what is of {subject}"),
        None => format!("all that others let {issuer} use, now and later"),
    };
    let what = command(payload.command.as_str());
    let mut words = format!("{issuer} lets {audience} do {what} with {whose}");
    conditions(&mut words, [&payload.policy]);
    window(&mut words, payload.not_before, payload.expiration);
    words.push('.');
    words
}

/// What was proven: who may do what, and until when.
pub fn of_authority(authority: &Authority) -> String {
    let (holder, subject) = (authority.holder(), authority.subject());
    let whose = if holder == subject {
        "what is their own".to_owned()
    } else {
        format!("what is of {subject}")
    };
    let mut words = match authority.invocation() {
        Some(_) => {
            let what = authority.command();
            format!("{holder} asks for {what} with {whose}, and may")
        }
        None => {
            let what = command(authority.command().as_str());
            format!("{holder} may do {what} with {whose}")
        }
    };
    let policies = authority.chain().iter().map(|hop| &hop.payload().policy);
    conditions(&mut words, policies);
    window(&mut words, authority.not_before(), authority.expiration());
    words.push('.');
    words
}

/// Delegations, root first, and the invocation by which they are used, as a tree: each below the one that it
/// rests on.
pub fn tree<'a>(
    chain: impl IntoIterator<Item = &'a Delegation>,
    invocation: Option<&Invocation>,
) -> String {
    let mut text = String::new();
    let mut depth = 0;
    let mut line = |text: &mut String, words: &str| {
        if depth > 0 {
            let _ = write!(text, "{}└─ ", "   ".repeat(depth - 1));
        }
        text.push_str(words);
        text.push('\n');
        depth += 1;
    };
    for delegation in chain {
        let payload = delegation.payload();
        if text.is_empty() {
            line(&mut text, &payload.issuer.to_string());
        }
        let mut words = format!(
            "{} may do {}",
            payload.audience,
            command(payload.command.as_str())
        );
        if payload.subject.is_none() {
            let _ = write!(words, " with all that others let {} use", payload.issuer);
        }
        conditions(&mut words, [&payload.policy]);
        window(&mut words, payload.not_before, payload.expiration);
        line(&mut text, &words);
    }
    if let Some(invocation) = invocation {
        let payload = invocation.payload();
        if text.is_empty() {
            line(&mut text, &payload.issuer.to_string());
        }
        let mut words = format!("asks for {}", payload.command);
        let arguments = Ipld::Map(payload.arguments.clone());
        // What came in a token has a JSON form.
        if let Ok(arguments) = json::to_string(&arguments) {
            let shown: String = arguments.chars().take(ARGUMENTS_MAX).collect();
            let more = if shown.len() < arguments.len() {
                "…"
            } else {
                ""
            };
            let _ = write!(words, " {shown}{more}");
        }
        if let Some(audience) = &payload.audience {
            let _ = write!(words, ", to be done by {audience}");
        }
        window(&mut words, payload.not_before, payload.expiration);
        line(&mut text, &words);
    }
    text
}

/// What somebody should know before they sign or pass on a delegation.
pub fn warnings(delegation: &Delegation) -> Vec<String> {
    let payload = delegation.payload();
    let audience = payload.audience;
    let mut warnings = Vec::new();
    let is_everything = payload.command.as_str() == "/" && payload.policy.is_empty();
    match &payload.subject {
        None if payload.command.as_str() == "/" => warnings.push(format!(
            "this gives {audience} everything that anybody lets {} do, now and later; \
             name a subject and a command instead",
            payload.issuer
        )),
        Some(subject) if is_everything => warnings.push(format!(
            "this lets {audience} do everything with what is of {subject}; name a command instead"
        )),
        _ => {}
    }
    if payload.expiration.is_none() {
        warnings.push("this never ends, and can only be revoked".to_owned());
    }
    warnings
}

/// A command, and that it stands for more.
fn command(command: &str) -> String {
    match command {
        "/" => "everything".to_owned(),
        command => format!("{command} and all below it"),
    }
}

fn conditions<'a>(words: &mut String, policies: impl IntoIterator<Item = &'a Policy>) {
    let mut before = ", if ";
    for policy in policies.into_iter().filter(|policy| !policy.is_empty()) {
        let _ = write!(words, "{before}{policy}");
        before = ", and if ";
    }
}

fn window(words: &mut String, not_before: Option<i64>, expiration: Option<i64>) {
    if let Some(not_before) = not_before {
        let _ = write!(words, ", from {}", time(not_before));
    }
    match expiration {
        Some(expiration) => {
            let _ = write!(words, ", until {}", time(expiration));
        }
        None => words.push_str(", for ever"),
    }
}

/// A time of a token as people read it: `2027-01-15 08:00:00 UTC`.
///
/// Beyond the years with four digits it stays a number.
pub fn time(seconds: i64) -> String {
    const DAY: i64 = 86_400;
    /// The first second of year 1, and the first of year 10000.
    const YEARS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;
    if !YEARS.contains(&seconds) {
        return format!("{seconds} seconds after 1970 began");
    }
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date of a day, counted from 1970-01-01.
///
/// Years are counted from March, so that the odd day of leap years comes last, in cycles of 400 years, which all
/// have 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = cycle * 400 + year + i64::from(month <= 2);
    (year, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::ucan::delegation::Payload;
    use crate::ucan::{Known, Request, Revoked, invocation, verify};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(number: u8) -> SigningKey {
        SigningKey::from_seed(&[number; 32])
    }

    fn delegation(from: u8, change: impl FnOnce(&mut Payload)) -> Delegation {
        let mut payload = Payload {
            issuer: key(from).did(),
            audience: key(from + 1).did(),
            subject: Some(key(1).did()),
            command: "/https".parse().expect("a command"),
            policy: Policy::default(),
            nonce: vec![],
            meta: None,
            not_before: None,
            expiration: Some(1_800_000_000),
        };
        change(&mut payload);
        Delegation::sign(payload, &key(from)).expect("signs")
    }

    /// Short names for the keys.
    fn named(text: &str) -> String {
        let mut text = text.to_owned();
        for (number, name) in [(1, "ALICE"), (2, "BOB"), (3, "CAROL")] {
            text = text.replace(&key(number).did().to_string(), name);
        }
        text
    }

    #[test]
    fn a_chain_in_words() {
        let policy = Policy::parse(".host == \"a.example\" or .port == 1").expect("a policy");
        let one = delegation(1, |_| {});
        let two = delegation(2, |payload| {
            payload.policy = policy;
            payload.command = "/https/get".parse().expect("a command");
            payload.not_before = Some(0);
        });
        assert_eq!(
            named(&of_delegation(&one)),
            "ALICE lets BOB do /https and all below it with what is of ALICE, until 2027-01-15 08:00:00 UTC."
        );
        let payload = invocation::Payload {
            subject: key(1).did(),
            proofs: vec![*one.cid(), *two.cid()],
            ..invocation::Payload::statement(
                key(3).did(),
                "/https/get".parse().expect("a command"),
                BTreeMap::from([("host".to_owned(), Ipld::String("a.example".into()))]),
            )
        };
        let invocation = Invocation::sign(payload, &key(3)).expect("signs");
        assert_eq!(
            named(&tree([&one, &two], Some(&invocation))),
            "ALICE\n\
             └─ BOB may do /https and all below it, until 2027-01-15 08:00:00 UTC\n\
             \x20  └─ CAROL may do /https/get and all below it, if .host == \"a.example\" or .port == 1, from 1970-01-01 00:00:00 UTC, until 2027-01-15 08:00:00 UTC\n\
             \x20     └─ asks for /https/get {\"host\":\"a.example\"}, for ever\n"
        );
        let proofs = BTreeMap::from([
            (*one.cid(), one.block().clone()),
            (*two.cid(), two.block().clone()),
        ]);
        let request = Request {
            executor: None,
            now: 1_700_000_000,
            leeway: 0,
            proofs: &proofs,
            revocations: &Revoked::new(),
        };
        let bytes = invocation.block().bytes();
        let authority = verify(bytes, &request, &mut Known::default()).expect("holds");
        assert_eq!(
            named(&of_authority(&authority)),
            "CAROL asks for /https/get with what is of ALICE, and may, if .host == \"a.example\" or .port == 1, from 1970-01-01 00:00:00 UTC, until 2027-01-15 08:00:00 UTC."
        );
    }

    #[test]
    fn warnings_are_for_what_is_wide() {
        let fine = delegation(1, |_| {});
        assert!(warnings(&fine).is_empty());
        let powerline = delegation(1, |payload| payload.subject = None);
        assert!(warnings(&powerline).is_empty());
        assert_eq!(
            named(&of_delegation(&powerline)),
            "ALICE lets BOB do /https and all below it with all that others let ALICE use, now and later, until 2027-01-15 08:00:00 UTC."
        );
        let top = "/".parse::<crate::ucan::Command>().expect("a command");
        let everything = delegation(1, |payload| {
            payload.subject = None;
            payload.command = top.clone();
            payload.expiration = None;
        });
        let words: Vec<_> = warnings(&everything)
            .iter()
            .map(|words| named(words))
            .collect();
        assert_eq!(
            words,
            [
                "this gives BOB everything that anybody lets ALICE do, now and later; name a subject and a command instead",
                "this never ends, and can only be revoked",
            ]
        );
        let own = delegation(1, |payload| payload.command = top);
        assert_eq!(warnings(&own).len(), 1);
    }

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_868_799, "2000-02-29 23:59:59 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_767_225_600, "2026-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-62_135_596_800, "0001-01-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (253_402_300_800, "253402300800 seconds after 1970 began"),
            (i64::MIN, "-9223372036854775808 seconds after 1970 began"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }

    proptest! {
        #[test]
        fn dates_follow_each_other(days in -700_000..2_900_000_i64) {
            let (year, month, day) = date(days);
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let long = match month {
                2 => 28 + i64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let next = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == long => (year, month + 1, 1),
                (month, day) => (year, month, day + 1),
            };
            prop_assert_eq!(date(days + 1), next);
        }
    }
}
