//! The lowers of an overlay, whose order cannot be mistaken.

use std::path::{Path, PathBuf};

/// Read-only layers. The kernel lists the topmost first, an image the lowest first: whoever makes a list says which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lowers(Vec<PathBuf>);

impl Lowers {
    /// As `lowerdir=` has them, and [`Self::iter`] gives them.
    pub fn topmost_first(layers: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self(layers.into_iter().map(Into::into).collect())
    }

    /// As an image's manifest has them.
    pub fn lowest_first(layers: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        let mut lowers = Self::topmost_first(layers);
        lowers.0.reverse();
        lowers
    }

    /// With another layer above all of these.
    #[must_use]
    pub fn under(&self, top: &Path) -> Self {
        let top = std::iter::once(top.to_owned());
        Self(top.chain(self.0.iter().cloned()).collect())
    }

    /// The topmost first.
    pub fn iter(&self) -> std::slice::Iter<'_, PathBuf> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one layer, where there is but one: it needs no overlay.
    pub fn only(&self) -> Option<&Path> {
        match &self.0[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The lowest first, for what is kept in an image's order.
    pub fn into_lowest_first(self) -> Vec<PathBuf> {
        let mut layers = self.0;
        layers.reverse();
        layers
    }
}

impl<'a> IntoIterator for &'a Lowers {
    type Item = &'a PathBuf;
    type IntoIter = std::slice::Iter<'a, PathBuf>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Lowers {
    type Item = PathBuf;
    type IntoIter = std::vec::IntoIter<PathBuf>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_are_the_same_stack() {
        let lowers = Lowers::lowest_first(["base", "app"]);
        assert_eq!(lowers, Lowers::topmost_first(["app", "base"]));
        assert!(lowers.iter().eq(["app", "base"].map(Path::new)));
        assert!(
            lowers
                .under(Path::new("up"))
                .iter()
                .next()
                .is_some_and(|top| top == "up")
        );
        assert_eq!(
            lowers.into_lowest_first(),
            ["base", "app"].map(PathBuf::from)
        );
    }
}
