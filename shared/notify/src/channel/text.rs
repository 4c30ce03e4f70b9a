//! Texts cut and escaped for the channels.

use std::fmt::Write as _;

use heal_engine::notice::Notice;
use heal_engine::text::one_line;
use heal_telemetry::logs::rfc3339;

/// `text` with at most `characters` characters; a cut text ends with `…`.
pub fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// `text` with `&`, `<` and `>` as entities, and never longer than `characters` characters: no entity is cut.
pub fn entities(text: &str, characters: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    for character in text.chars() {
        let entity = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            _ => "",
        };
        let size = if entity.is_empty() { 1 } else { entity.len() };
        if length + size >= characters {
            escaped.push('…');
            return escaped;
        }
        length += size;
        if entity.is_empty() {
            escaped.push(character);
        } else {
            escaped.push_str(entity);
        }
    }
    escaped
}

/// The notice as plain text: title, detail, facts, time and link.
pub fn plain(notice: &Notice, link: Option<&str>) -> String {
    let mut text = format!("{}\n", one_line(&notice.title));
    if !notice.detail.is_empty() {
        let _ = write!(text, "\n{}\n", notice.detail);
    }
    text.push('\n');
    for (name, value) in &notice.facts {
        let _ = writeln!(text, "{name}: {}", one_line(value));
    }
    if let Some(severity) = &notice.severity {
        let _ = writeln!(text, "severity: {}", one_line(severity));
    }
    if let Some(run_id) = &notice.run_id {
        let _ = writeln!(text, "run: {run_id}");
    }
    let _ = writeln!(text, "at: {}", rfc3339(notice.at.0));
    if let Some(asked) = &notice.asked {
        let _ = writeln!(text, "decide until: {}", rfc3339(asked.until.0));
    }
    if let Some(link) = link {
        let _ = writeln!(text, "\n{link}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_texts_keep_to_their_limit_and_whole_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüx", 3), "äö…");
        for limit in 1..20 {
            let escaped = entities("a<b>&c<<<<", limit);
            assert!(escaped.chars().count() <= limit, "{escaped}");
            assert!(!escaped.trim_end_matches('…').ends_with("&l"), "{escaped}");
        }
        assert_eq!(entities("<!channel> & \"x\"", 100), "&lt;!channel&gt; &amp; &quot;x&quot;");
    }
}
