//! A link's alias: whose it is, for people. See ip-link(8).

use crate::says;
use kit_net::Netlink;
use kit_plan::{Context, Done, Meta, Shell, Slots, Step, StepError, Undo, run};

/// Names a link of our own namespace for people. A step apart from the link's creation, where the kernel drops an alias
/// without a word; and nothing waits for it.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its name, in our own namespace.
    pub link: String,
    /// The text: a container's name.
    pub alias: String,
}

impl Step for Label {
    fn meta(&self) -> Meta {
        let line = run!["ip", "link", "set", "dev", &self.link, "alias", &self.alias];
        Meta::new(
            "link.label",
            says::label(&self.link, &self.alias),
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // It goes with the link.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let nl = cx.kept_or(Netlink::open)?;
        let named = nl
            .need_index(&self.link)
            .and_then(|index| nl.set_alias(index, &self.alias));
        named?;
        Ok(Done::nothing())
    }
}
