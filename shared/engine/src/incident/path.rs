//! Paths of fields in a message: `detail.affected_tickets[2]`. The message itself has the empty path.

/// Bytes of a key that a path shows.
const KEY_BYTES: usize = 64;

/// The path of the field `key` of the object at `path`. A key that is not a plain word is quoted and cut, so that it
/// cannot imitate another path.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match (path, !key.is_empty() && key.len() <= KEY_BYTES && key.chars().all(plain)) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{}]", quoted(key)),
    }
}

pub(super) fn index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The path of a JSON pointer below `path`.
pub(super) fn pointer(path: &str, pointer: &str) -> String {
    pointer.split('/').skip(1).fold(path.to_owned(), |path, part| match part.parse() {
        Ok(position) => index(&path, position),
        Err(_) => join(&path, part),
    })
}

/// The path in words, as the start of an error.
pub(super) fn place(path: &str) -> String {
    match path {
        "" => "the message".to_owned(),
        _ => format!("`{path}`"),
    }
}

fn quoted(key: &str) -> String {
    let end = key.floor_char_boundary(KEY_BYTES);
    let mark = if end < key.len() { "…" } else { "" };
    format!("{:?}{mark}", key.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_a_plain_word_is_quoted_and_cut() {
        let (longest, longer) = ("k".repeat(KEY_BYTES), "k".repeat(KEY_BYTES + 1));
        for (path, key, expected) in [
            ("", "pod-1_a", "pod-1_a".to_owned()),
            ("detail", "pod", "detail.pod".to_owned()),
            ("detail", "a.b", r#"detail["a.b"]"#.to_owned()),
            ("", "", r#"[""]"#.to_owned()),
            ("", longest.as_str(), longest.clone()),
            ("", longer.as_str(), format!("[\"{longest}\"…]")),
        ] {
            assert_eq!(join(path, key), expected);
        }
    }

    #[test]
    fn a_pointer_has_words_and_positions() {
        assert_eq!(pointer("detail", "/resources/0/name"), "detail.resources[0].name");
        assert_eq!((place(""), place("detail")), ("the message".to_owned(), "`detail`".to_owned()));
    }
}
