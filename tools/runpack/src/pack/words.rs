//! A command given as one text: a JSON array, as in a Dockerfile's exec form, or words with the shell's quotes. No shell runs it, so
//! nothing in it is expanded.

use super::error::PackError;

/// The words of `--cmd` or `--entrypoint`; `flag` is for the error.
pub fn split_words(flag: &'static str, text: &str) -> Result<Vec<String>, PackError> {
    let bad = |reason| PackError::BadValue {
        flag,
        value: text.to_owned(),
        reason,
    };
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|_| bad("not a JSON array of strings"));
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars
                    .next()
                    .ok_or_else(|| bad("nothing after the last backslash"))?;
                let word = word.get_or_insert_default();
                // Between double quotes a backslash means itself, but before these.
                if quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(bad("a quote is not closed"));
    }
    words.extend(word);
    if words.is_empty() {
        return Err(bad("empty"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split_words("--cmd", text).unwrap()
    }

    #[test]
    fn words_are_those_of_a_shell_and_nothing_is_expanded() {
        assert_eq!(words("/web  8080"), ["/web", "8080"]);
        assert_eq!(
            words(r#"sh -c 'echo "$HOME"' "" a\ b "c\"d\e""#),
            ["sh", "-c", "echo \"$HOME\"", "", "a b", "c\"d\\e"]
        );
        assert_eq!(words(r#" ["sh", "-c", "a b"]"#), ["sh", "-c", "a b"]);
    }

    #[test]
    fn what_cannot_be_split_says_why() {
        let said = |text| split_words("--cmd", text).unwrap_err().to_string();
        assert_eq!(said("sh 'x"), "--cmd \"sh 'x\": a quote is not closed");
        assert_eq!(
            said("x\\"),
            "--cmd \"x\\\\\": nothing after the last backslash"
        );
        assert_eq!(said("  "), "--cmd \"  \": empty");
        assert_eq!(said("[1]"), "--cmd \"[1]\": not a JSON array of strings");
    }
}
