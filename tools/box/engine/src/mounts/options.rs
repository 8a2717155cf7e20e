//! The options of a mount, as config.json has them. Pure. See mount(8), mount_setattr(2).

use rmount::attr::Travel;
use rmount::words::{Attributes, travel};

/// Mount options, sorted by what they are to the kernel.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    pub attributes: Attributes,
    pub bind: bool,
    pub recursive: bool,
    /// In their order, each with whether it is of the whole tree.
    pub travel: Vec<(Travel, bool)>,
    /// The filesystem's own; a bind has none.
    pub data: Vec<String>,
}

impl Options {
    pub fn parse(options: &[String]) -> Self {
        let mut parsed = Self::default();
        for option in options {
            if parsed.attributes.take(option) {
                continue;
            }
            if let Some(travel) = travel(option) {
                parsed.travel.push(travel);
                continue;
            }
            match option.as_str() {
                "bind" => parsed.bind = true,
                "rbind" => (parsed.bind, parsed.recursive) = (true, true),
                // Each names the kernel's default.
                "defaults" | "norelatime" => {}
                _ => parsed.data.push(option.clone()),
            }
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_sorted_by_what_they_are() {
        let words = [
            "nosuid", "ro", "rbind", "rprivate", "mode=755", "size=64k", "rw",
        ];
        let parsed = Options::parse(&words.map(str::to_owned));
        assert_eq!(
            (parsed.attributes.set(), parsed.bind, parsed.recursive),
            (2, true, true)
        );
        assert_eq!(parsed.travel, [(Travel::Private, true)]);
        assert_eq!(parsed.data, ["mode=755", "size=64k"]);
    }
}
