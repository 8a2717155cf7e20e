//! Finding a container as docker does: by full ID, by name, by unique prefix of an ID; and listing them.

use super::{Container, Containers, StateError};

impl Containers {
    /// IDs of all published containers, in no order.
    pub fn ids(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.roots.root.join("containers")) else {
            return Vec::new();
        };
        let names = files
            .flatten()
            .filter_map(|file| file.file_name().into_string().ok());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// All of them, newest first, as docker lists them. One whose files do not parse is not committed.
    pub fn list(&self) -> Vec<Container> {
        let mut all: Vec<Container> = self
            .ids()
            .iter()
            .filter_map(|id| self.load(id).ok())
            .collect();
        all.sort_by(|a, b| b.created.cmp(&a.created));
        all
    }

    /// The container that `text` means.
    pub fn resolve(&self, text: &str) -> Result<Container, StateError> {
        let name = text.strip_prefix('/').unwrap_or(text);
        let unknown = || StateError::Unknown {
            name: text.to_owned(),
            near: self.near(name),
        };
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(unknown());
        }
        if self.dir(name).is_dir() {
            return self.load(name);
        }
        if let Ok(id) = std::fs::read_to_string(self.names().join(name))
            && let Ok(container) = self.load(&id)
        {
            return Ok(container);
        }
        let mut with_prefix = self.ids();
        with_prefix.retain(|id| id.starts_with(name));
        match with_prefix.as_slice() {
            [id] => self.load(id),
            [] => Err(unknown()),
            several => Err(StateError::Ambiguous {
                prefix: text.to_owned(),
                count: several.len(),
            }),
        }
    }

    /// A name that differs from what was typed by one letter more, less or other.
    fn near(&self, typed: &str) -> Option<String> {
        let names = std::fs::read_dir(self.names()).ok()?;
        let mut names = names
            .flatten()
            .filter_map(|file| file.file_name().into_string().ok());
        names.find(|name| !name.starts_with('.') && one_letter_apart(name, typed))
    }
}

fn one_letter_apart(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let same = long.iter().zip(&short).take_while(|(x, y)| x == y).count();
    match long.len() - short.len() {
        0 => long.get(same + 1..) == short.get(same + 1..),
        1 => long[same + 1..] == short[same..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::one_letter_apart;

    #[test]
    fn a_slip_of_one_letter() {
        for (a, b) in [
            ("web", "wen"),
            ("web", "webb"),
            ("web", "we"),
            ("web", "xweb"),
        ] {
            assert!(one_letter_apart(a, b) && one_letter_apart(b, a), "{a} {b}");
        }
        assert!(!one_letter_apart("web", "db") && !one_letter_apart("abc", "acb"));
    }
}
