//! A second evaluator, to compare the first with: straight from the words of the specification, on the form on
//! the wire, with every intermediate value copied and every glob tried in all ways.

use std::collections::BTreeMap;

use crate::ipld::Ipld;

pub(super) fn holds(policy: &Ipld, arguments: &BTreeMap<String, Ipld>) -> bool {
    let Ipld::List(statements) = policy else {
        panic!("a policy is a list");
    };
    let arguments = Ipld::Map(arguments.clone());
    statements
        .iter()
        .filter(|one| statement(one, &arguments))
        .count()
        == statements.len()
}

fn statement(value: &Ipld, at: &Ipld) -> bool {
    let Ipld::List(parts) = value else {
        panic!("a statement is a list");
    };
    let text = |index: usize| match &parts[index] {
        Ipld::String(text) => text.as_str(),
        other => panic!("{other:?}"),
    };
    let all = |value: &Ipld| match value {
        Ipld::List(items) => items.clone(),
        other => panic!("{other:?}"),
    };
    match text(0) {
        "not" => return !statement(&parts[1], at),
        "and" => return !all(&parts[1]).iter().any(|inner| !statement(inner, at)),
        "or" => {
            let inner = all(&parts[1]);
            return inner.is_empty() || inner.iter().any(|inner| statement(inner, at));
        }
        _ => {}
    }
    let Some(found) = select(text(1), at.clone()) else {
        return false;
    };
    let argument = &parts[2];
    match text(0) {
        "==" => numbers_as_text(&found) == numbers_as_text(argument),
        "!=" => numbers_as_text(&found) != numbers_as_text(argument),
        "like" => match (&found, argument) {
            (Ipld::String(found), Ipld::String(pattern)) => {
                let chars = |text: &str| text.chars().collect::<Vec<_>>();
                like(&chars(pattern), &chars(found))
            }
            _ => false,
        },
        "all" => {
            items(found).is_some_and(|items| items.iter().all(|item| statement(argument, item)))
        }
        "any" => {
            items(found).is_some_and(|items| items.iter().any(|item| statement(argument, item)))
        }
        operator => match (&found, argument) {
            (Ipld::Integer(_) | Ipld::Float(_), Ipld::Integer(_) | Ipld::Float(_)) => {
                let (one, other) = (halves(&found), halves(argument));
                match operator {
                    "<" => one < other,
                    "<=" => one <= other,
                    ">" => one > other,
                    ">=" => one >= other,
                    _ => panic!("{operator}"),
                }
            }
            _ => false,
        },
    }
}

fn items(value: Ipld) -> Option<Vec<Ipld>> {
    match value {
        Ipld::List(items) => Some(items),
        Ipld::Map(entries) => Some(entries.into_values().collect()),
        _ => None,
    }
}

/// Twice a number. The tests use only numbers for which that is a small integer.
fn halves(value: &Ipld) -> i64 {
    match value {
        Ipld::Integer(integer) => i64::try_from(*integer).expect("small") * 2,
        Ipld::Float(float) => (float * 2.0) as i64,
        other => panic!("{other:?}"),
    }
}

fn numbers_as_text(value: &Ipld) -> String {
    match value {
        Ipld::Integer(_) | Ipld::Float(_) => format!("n{}", halves(value)),
        Ipld::List(items) => {
            let items: Vec<_> = items.iter().map(numbers_as_text).collect();
            format!("[{}]", items.join(","))
        }
        Ipld::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", numbers_as_text(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Ipld::Bytes(bytes) => format!("b{bytes:?}"),
        Ipld::String(text) => format!("t{text:?}"),
        other => format!("v{other:?}"),
    }
}

fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['\\', '*', rest @ ..] => text.first() == Some(&'*') && like(rest, &text[1..]),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        [c, rest @ ..] => text.first() == Some(c) && like(rest, &text[1..]),
    }
}

/// Reads and follows a selector at once. Keys in quotes have no escapes here.
fn select(selector: &str, root: Ipld) -> Option<Ipld> {
    let mut chars: Vec<char> = selector.chars().collect();
    assert_eq!(chars.remove(0), '.');
    let mut at = root;
    while !chars.is_empty() {
        let mut take_until = |ends: &[char]| {
            let len = chars
                .iter()
                .position(|c| ends.contains(c))
                .unwrap_or(chars.len());
            chars.drain(..len).collect::<String>()
        };
        let next = match take_until(&['.', '[', '?']) {
            name if !name.is_empty() => key(&at, &name),
            _ if chars[0] == '.' => {
                chars.remove(0);
                continue;
            }
            _ => {
                chars.remove(0);
                let inside = if chars[0] == '"' {
                    chars.remove(0);
                    let len = chars
                        .iter()
                        .position(|c| *c == '"')
                        .expect("a second quote");
                    let name: String = chars.drain(..len).collect();
                    chars.drain(..2);
                    format!("\"{name}")
                } else {
                    let len = chars.iter().position(|c| *c == ']').expect("a bracket");
                    let inside = chars.drain(..len).collect();
                    chars.remove(0);
                    inside
                };
                bracket(&at, &inside)
            }
        };
        let mut optional = false;
        while chars.first() == Some(&'?') {
            chars.remove(0);
            optional = true;
        }
        match next {
            Some(next) => at = next,
            None if optional => return Some(Ipld::Null),
            None => return None,
        }
    }
    Some(at)
}

fn key(at: &Ipld, name: &str) -> Option<Ipld> {
    match at {
        Ipld::Map(entries) => Some(entries.get(name).cloned().unwrap_or(Ipld::Null)),
        _ => None,
    }
}

fn bracket(at: &Ipld, inside: &str) -> Option<Ipld> {
    if let Some(name) = inside.strip_prefix('"') {
        return key(at, name);
    }
    if inside.is_empty() {
        return match at {
            Ipld::List(_) | Ipld::Bytes(_) => Some(at.clone()),
            Ipld::Map(entries) => Some(Ipld::List(entries.values().cloned().collect())),
            _ => None,
        };
    }
    let items: Vec<Ipld> = match at {
        Ipld::List(items) => items.clone(),
        Ipld::Bytes(bytes) => bytes
            .iter()
            .map(|byte| Ipld::Integer((*byte).into()))
            .collect(),
        _ => return None,
    };
    let len = items.len() as i64;
    let Some((from, to)) = inside.split_once(':') else {
        let index: i64 = inside.parse().expect("a number");
        let index = if index < 0 { index + len } else { index };
        return usize::try_from(index)
            .ok()
            .and_then(|index| items.get(index).cloned());
    };
    let edge = |text: &str, open: i64| match text.parse::<i64>() {
        Err(_) => open,
        Ok(index) if index < 0 => (index + len).max(0),
        Ok(index) => index.min(len),
    };
    let (from, to) = (edge(from, 0), edge(to, len));
    let kept: Vec<Ipld> = (from..to)
        .map(|index| items[index as usize].clone())
        .collect();
    Some(match at {
        Ipld::Bytes(_) => Ipld::Bytes(
            kept.iter()
                .map(|item| u8::try_from(halves(item) / 2).expect("a byte"))
                .collect(),
        ),
        _ => Ipld::List(kept),
    })
}
