//! `-e`, `--env-file`, `-l`: variables and labels, and the environment that a container starts with.

use super::SpecError;

use box_engine::DEFAULT_PATH;

/// What a flag does to the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChange {
    /// `-e K=V`, or `-e K` with the host's value: a name and its value.
    Set(String, String),
    /// `-e K` where the host has no K: takes away what the image sets, too.
    Unset(String),
}

impl EnvChange {
    fn key(&self) -> &str {
        match self {
            Self::Set(key, _) | Self::Unset(key) => key,
        }
    }
}

/// One `-e`: `K=V`, or `K` for the host's value, which `host` looks up.
pub fn parse_env(
    text: &str,
    host: &dyn Fn(&str) -> Option<String>,
) -> Result<EnvChange, SpecError> {
    let change = match text.split_once('=') {
        Some((key, value)) => EnvChange::Set(key.into(), value.into()),
        None => match host(text) {
            Some(value) => EnvChange::Set(text.into(), value),
            None => EnvChange::Unset(text.into()),
        },
    };
    // The kernel ends a string at NUL: the rest would vanish without a word.
    if change.key().is_empty() || text.contains('\0') {
        return Err(SpecError::invalid("invalid environment variable", text));
    }
    Ok(change)
}

/// The text of an `--env-file`: one `-e` in each line. Nothing is quoted, `#` begins a comment line, leading blanks are
/// dropped.
pub fn parse_env_file(
    text: &str,
    host: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<EnvChange>, SpecError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut changes = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        if name.is_empty() {
            return Err(SpecError::Rule(format!(
                "no variable name on line '{line}'"
            )));
        }
        if name.contains(char::is_whitespace) {
            return Err(SpecError::Rule(format!(
                "poorly formatted environment: variable '{name}' contains whitespaces"
            )));
        }
        match parse_env(line, host)? {
            // A file, unlike -e, names only what the host does have.
            EnvChange::Unset(_) => {}
            set @ EnvChange::Set(..) => changes.push(set),
        }
    }
    Ok(changes)
}

/// One `--label`: `K=V`, or `K` for an empty value.
pub fn parse_label(text: &str) -> Result<(String, String), SpecError> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(SpecError::invalid("invalid label format", text));
    }
    Ok((key.into(), value.into()))
}

/// The program's environment in docker's order: PATH, HOSTNAME, TERM on a terminal, then the variables of the image and of
/// the flags, where a flag wins.
pub fn environment(
    changes: &[EnvChange],
    image: &[String],
    hostname: &str,
    tty: bool,
) -> Vec<String> {
    let mut all = vec![
        format!("PATH={DEFAULT_PATH}"),
        format!("HOSTNAME={hostname}"),
    ];
    if tty {
        all.push("TERM=xterm".into());
    }
    for entry in image {
        match entry.split_once('=') {
            Some((name, _)) => put(&mut all, name, Some(entry.clone())),
            // No variable, and to docker it takes one away (moby, container/env.go).
            None => put(&mut all, entry, None),
        }
    }
    for change in changes {
        apply(&mut all, change);
    }
    all
}

/// Applies one flag's change to an environment of `K=V` entries.
pub fn apply(all: &mut Vec<String>, change: &EnvChange) {
    let entry = match change {
        EnvChange::Set(key, value) => Some(format!("{key}={value}")),
        EnvChange::Unset(_) => None,
    };
    put(all, change.key(), entry);
}

fn put(all: &mut Vec<String>, key: &str, entry: Option<String>) {
    let place = all
        .iter()
        .position(|e| e.split_once('=').is_some_and(|(k, _)| k == key));
    match (place, entry) {
        (Some(at), Some(entry)) => all[at] = entry,
        (Some(at), None) => {
            all.remove(at);
        }
        (None, Some(entry)) => all.push(entry),
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(key: &str) -> Option<String> {
        (key == "HERE").then(|| "there".into())
    }
    fn set(key: &str, value: &str) -> EnvChange {
        EnvChange::Set(key.into(), value.into())
    }

    #[test]
    fn an_entry_of_the_image_without_a_value_takes_the_variable_away() {
        let image = ["A=b", "HOSTNAME", "C", "A"].map(str::to_owned);
        let all = environment(&[], &image, "box", false);
        assert_eq!(all, [format!("PATH={DEFAULT_PATH}")]);
    }

    #[test]
    fn flags() {
        assert_eq!(parse_env("A=b=c", &host), Ok(set("A", "b=c")));
        assert_eq!(parse_env("A=", &host), Ok(set("A", "")));
        assert_eq!(parse_env("HERE", &host), Ok(set("HERE", "there")));
        assert_eq!(
            parse_env("GONE", &host),
            Ok(EnvChange::Unset("GONE".into()))
        );
        assert_eq!(
            parse_env("=x", &host).unwrap_err().to_string(),
            "invalid environment variable: =x"
        );
        assert!(parse_env("A=x\0y", &host).is_err());
    }

    #[test]
    fn a_file_quotes_nothing() {
        let text = "\u{feff}# c\n\n  A='1'\nHERE\nGONE\nB=two words \n";
        assert_eq!(
            parse_env_file(text, &host),
            Ok(vec![
                set("A", "'1'"),
                set("HERE", "there"),
                set("B", "two words ")
            ])
        );
        assert_eq!(
            parse_env_file("A B=1", &host).unwrap_err().to_string(),
            "poorly formatted environment: variable 'A B' contains whitespaces"
        );
        assert_eq!(
            parse_env_file("=1", &host).unwrap_err().to_string(),
            "no variable name on line '=1'"
        );
    }

    #[test]
    fn a_flag_wins_over_the_image_and_can_remove() {
        let image = ["PATH=/bin".to_owned(), "A=1".into(), "B=2".into()];
        let changes = [set("A", "9"), EnvChange::Unset("B".into()), set("C", "3")];
        assert_eq!(
            environment(&changes, &image, "h", true),
            ["PATH=/bin", "HOSTNAME=h", "TERM=xterm", "A=9", "C=3"]
        );
        assert_eq!(
            environment(&[], &[], "h", false)[0],
            format!("PATH={DEFAULT_PATH}")
        );
    }
}
