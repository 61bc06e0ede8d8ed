//! "Did you mean": the known name that is nearest to what was written.

/// The longest name that is compared. The comparison takes time by the product of both lengths,
/// and what is longer than this was not mistyped.
const NAME_CHARS_MAX: usize = 128;

/// Returns `name` as lower-case words with `-` between them, whichever of `kebab-case`,
/// `snake_case`, `camelCase` or `PascalCase` it is written in. Other punctuation stays.
pub(crate) fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len() + 4);
    let mut in_word = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && in_word {
            folded.push('-');
        }
        in_word = character.is_ascii_lowercase() || character.is_ascii_digit();
        folded.push(match character {
            '_' => '-',
            other => other.to_ascii_lowercase(),
        });
    }
    folded
}

/// Returns the name in `known` that `written` is most likely a slip of, if there is one.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = folded_chars(written)?;
    known
        .into_iter()
        .filter_map(|name| {
            let chars = folded_chars(name)?;
            let distance = distance(&written, &chars);
            let allowed = written.len().max(chars.len()).div_ceil(3);
            (distance <= allowed && distance < chars.len()).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn folded_chars(name: &str) -> Option<Vec<char>> {
    (name.len() <= NAME_CHARS_MAX).then(|| fold(name).chars().collect())
}

/// The least number of insertions, deletions and substitutions that turn `from` into `to`.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_fold_to_one() {
        for name in [
            "get-http-head",
            "get_http_head",
            "getHttpHead",
            "GetHTTPHead",
        ] {
            let folded = fold(name);
            assert!(
                folded == "get-http-head" || folded == "get-httphead",
                "{folded}"
            );
        }
        assert_eq!(fold("toBase64Url"), "to-base64-url");
        assert_eq!(fold("acme:math/ops@0.1.0#add"), "acme:math/ops@0.1.0#add");
    }

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["name", "size", "content-type"];
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("contentType", known), Some("content-type"));
        assert_eq!(nearest("siz", known), Some("size"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"n".repeat(1 << 20), known), None);
    }

    #[test]
    fn distances() {
        let cases = [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ];
        for (from, to, expected) in cases {
            let from: Vec<char> = from.chars().collect();
            let to: Vec<char> = to.chars().collect();
            assert_eq!(distance(&from, &to), expected);
        }
    }
}
