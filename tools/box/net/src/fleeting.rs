//! Steps on the host's end of a cable that come while the program starts: one that ends at once takes the cable with it.

use kit_net::NetError;
use kit_plan::{Context, Done, Line, Meta, Shell, Side, Slots, Step, StepError, Undo};
use nix::errno::Errno;
use rbridge::BridgeError;

/// A step that comes to nothing where its link has gone.
pub(crate) struct Fleeting<S>(pub S);

fn is_gone(error: &StepError) -> bool {
    let net = match error.fault() {
        Some(BridgeError::Net(error)) => Some(error),
        _ => error.fault::<NetError>(),
    };
    net.is_some_and(|error| error.is(Errno::ENODEV))
}

impl<S: Step> Step for Fleeting<S> {
    fn meta(&self) -> Meta {
        let mut meta = self.0.meta();
        if let Shell::Exact(lines) = &mut meta.shell {
            for line in lines {
                if let Line::Run(words) = line {
                    *line = Line::Try(std::mem::take(words));
                }
            }
        }
        meta
    }

    fn side(&self) -> Side {
        self.0.side()
    }

    fn waits(&self) -> bool {
        self.0.waits()
    }

    fn intent(&self, slots: &Slots) -> Vec<Undo> {
        self.0.intent(slots)
    }

    fn when_done(&self) -> Vec<Undo> {
        self.0.when_done()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        match self.0.apply(cx) {
            Err(error) if is_gone(&error) => {
                Ok(Done::nothing().note("the program has ended already", "程序已经结束"))
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_plan::{Mark, Roots};
    use rbridge::Place;
    use rbridge::bridge::Hairpin;
    use rveth::Label;

    #[test]
    fn a_program_that_ends_at_once_takes_its_cable_along() {
        let link = "bk-gone".to_owned();
        let alias = "box".to_owned();
        let roots = Roots::at("/nowhere/root".into(), "/nowhere/run".into());
        let done = |step: &dyn Step| {
            let mark = Mark::new(roots.instance.clone());
            step.apply(&mut Context::new(mark)).map(|done| done.note)
        };
        let noted = Done::nothing()
            .note("the program has ended already", "程序已经结束")
            .note;
        let hairpin = || Hairpin::new(Place::default(), "bk-gone");
        let label = Label { link, alias };
        assert!(done(&label).is_err());
        assert!(done(&hairpin()).is_err());
        assert_eq!(done(&Fleeting(label)).unwrap(), noted);
        assert_eq!(done(&Fleeting(hairpin())).unwrap(), noted);
    }
}
