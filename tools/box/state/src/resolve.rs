//! Finding a container as docker does: by full ID, by name, by unique prefix of an ID; and listing them.

use kit_home::JsonError;

use super::{Container, Containers, StateError};

impl Containers {
    /// IDs of all published containers, in no order.
    pub fn ids(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.all()) else {
            return Vec::new();
        };
        let names = files
            .flatten()
            .filter_map(|file| file.file_name().into_string().ok());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// All containers of this kind, newest first, as docker lists them. One whose container.json cannot be read is left out.
    pub fn list(&self) -> Vec<Container> {
        let mut all: Vec<Container> = self
            .ids()
            .iter()
            .filter_map(|id| self.load(id).ok())
            .collect();
        all.sort_by(|a, b| b.created.cmp(&a.created));
        all
    }

    /// The container that `text` means, with the kind that it is of, ordinary or transient. A full ID or a name wins over
    /// the beginning of an ID.
    ///
    /// # Errors
    /// [`StateError::Unknown`], with a near name if there is one; [`StateError::Ambiguous`]; [`JsonError::Later`].
    pub fn find(&self, text: &str) -> Result<(Self, Container), StateError> {
        let name = text.strip_prefix('/').unwrap_or(text);
        let both = self.both();
        let unknown = || StateError::Unknown {
            name: text.to_owned(),
            near: both.iter().find_map(|among| among.near(name)),
        };
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(unknown());
        }
        for among in &both {
            if among.dir(name).is_dir() {
                return Ok((among.clone(), among.load(name)?));
            }
            if let Some(id) = among.holder(name) {
                match among.load(&id) {
                    Ok(container) => return Ok((among.clone(), container)),
                    Err(later @ StateError::Json(JsonError::Later { .. })) => return Err(later),
                    // Its name is left over: one whose files do not parse is not committed.
                    Err(_) => {}
                }
            }
        }
        let mut with_prefix = Vec::new();
        for among in &both {
            let ids = among.ids().into_iter().filter(|id| id.starts_with(name));
            with_prefix.extend(ids.map(|id| (among, id)));
        }
        match with_prefix.as_slice() {
            [(among, id)] => Ok(((*among).clone(), among.load(id)?)),
            [] => Err(unknown()),
            several => Err(StateError::Ambiguous {
                prefix: text.to_owned(),
                count: several.len(),
            }),
        }
    }

    /// Whether the container's PID 1 is alive; `false` too if state.json cannot be read.
    pub fn is_running(&self, id: &str) -> bool {
        self.state(id).is_ok_and(|state| state.is_running())
    }

    /// The kind that container `id` is of: the transient one if its files are there, else the ordinary one.
    #[must_use]
    pub fn holding(&self, id: &str) -> Self {
        let [ordinary, transient] = self.both();
        if transient.dir(id).exists() {
            transient
        } else {
            ordinary
        }
    }

    /// The container's name that differs least from what was typed, if any is near.
    fn near(&self, typed: &str) -> Option<String> {
        let names = std::fs::read_dir(self.names()).ok()?;
        let names = names
            .flatten()
            .filter_map(|file| file.file_name().into_string().ok());
        kit_units::nearest(typed, names.filter(|name| !name.starts_with('.')))
    }
}
