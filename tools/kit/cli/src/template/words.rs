//! From the text of a template to the words between `{{` and `}}`.

use super::{TemplateError, wrong};

/// What stands before the `}}` that ends it, and what follows. One within quotes or a comment ends nothing.
pub(super) fn action(text: &str) -> Result<(&str, &str), TemplateError> {
    let unclosed = || wrong(text, "unclosed action");
    let inner = text.trim_start_matches('-').trim_start();
    if inner.starts_with("/*") {
        let end = text
            .find("*/")
            .ok_or_else(|| wrong(text, "unclosed comment"))?;
        let closes = text[end..].find("}}").ok_or_else(unclosed)? + end;
        return Ok((&text[..closes], &text[closes + 2..]));
    }
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if text[at..].starts_with("}}") {
            return Ok((&text[..at], &text[at + 2..]));
        }
        at += match first {
            '"' | '`' => quoted(&text[at..]).ok_or_else(unclosed)?,
            other => other.len_utf8(),
        };
    }
    Err(unclosed())
}

/// The length of the literal at the beginning, its quotes included.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Words at blanks; a quoted one may hold some. `(`, `|`, `,` and `)` are words of their own, the last with the
/// field that is taken of it: `).HostPort`.
pub(super) fn words(action: &str) -> Result<Vec<String>, TemplateError> {
    let mut words = Vec::new();
    let mut rest = action.trim();
    while let Some(first) = rest.chars().next() {
        let is_end = |c: char| c.is_whitespace() || "(),|\"`".contains(c);
        let end = match first {
            '"' | '`' => quoted(rest).ok_or_else(|| wrong(action, "unterminated quoted string"))?,
            '(' | ',' | '|' => 1,
            wide => {
                let from = wide.len_utf8();
                rest[from..].find(is_end).map_or(rest.len(), |at| at + from)
            }
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

/// The text of a literal, as the Go specification reads it: escapes in double quotes, none in backquotes.
pub(super) fn literal(word: &str) -> Option<String> {
    if let Some(raw) = word.strip_prefix('`') {
        return raw.strip_suffix('`').map(str::to_owned);
    }
    let text = word.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => number(&mut chars, 2)?,
            'u' => number(&mut chars, 4)?,
            'U' => number(&mut chars, 8)?,
            same @ ('\\' | '"') => same,
            _ => return None,
        });
    }
    Some(out)
}

/// The character that so many hexadecimal digits mean.
fn number(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let hex: String = chars.by_ref().take(digits).collect();
    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)
}
