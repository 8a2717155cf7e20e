//! The columns of what is listed, docker's.

use kit_cli::Row;

use crate::images;

/// The head of the table that `images` prints.
pub(super) const IMAGES: &[&str] = &["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];

impl Row for images::Row {
    const HEAD: &'static [&'static str] = IMAGES;

    fn cells(&self) -> Vec<String> {
        vec![
            self.repository.clone(),
            self.tag.clone(),
            self.id.clone(),
            self.created_since.clone(),
            self.size.clone(),
        ]
    }

    /// docker's `images -q` prints IDs.
    fn name(&self) -> String {
        self.id.clone()
    }
}

impl Row for images::HistoryRow {
    const HEAD: &'static [&'static str] = &["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.created_since.clone(),
            self.created_by.clone(),
            self.size.clone(),
            self.comment.clone(),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}
