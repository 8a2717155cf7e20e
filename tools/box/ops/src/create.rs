//! A new container: begun under a temporary name, its image pinned, its files written, its name taken, and published
//! by a rename. Volumes have steps of their own, in between. Of a transient container the layer alone is on the disk.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{
    Context, Done, Line, Meta, Plan, Roots, Shell, Slots, Step, StepError, Undo, run, words,
};
use oci_spec::runtime::Spec;
use runpack::{PinPlace, Store};

use crate::says;
use box_state::{Container, Containers, Files, StateError};

/// A container to be made.
pub struct New {
    /// Where its files go: [`Containers::transient`] for `run --rm` and `--rootfs`.
    pub containers: Containers,
    /// What container.json will say.
    pub container: Container,
    /// What config.json will say.
    pub spec: Spec,
    /// Write its files so that a power cut cannot lose them.
    pub sync: bool,
    /// The caller starts it at once: [`box_state::RunState::starting`].
    pub starting: bool,
}

impl New {
    fn id(&self) -> &str {
        &self.container.id
    }

    fn making(&self) -> PathBuf {
        self.containers.making(self.id())
    }

    fn upper(&self) -> PathBuf {
        self.containers.making_layer(self.id()).join("upper")
    }

    fn files(&self) -> Result<Files, StateError> {
        let (container, spec) = (&self.container, &self.spec);
        self.containers.new_files(container, spec, self.starting)
    }
}

/// Adds the steps that make a container. The steps of `before`, which make its volumes and what else must exist before it is
/// published, come in their middle. `cidfile` is a file that must not exist and gets the ID.
pub fn push(plan: &mut Plan, new: &Rc<New>, cidfile: Option<PathBuf>, before: Vec<Box<dyn Step>>) {
    if let Some(path) = cidfile {
        let id = new.container.id.clone();
        plan.push(ClaimCidfile { path, id });
    }
    plan.push(Begin(Rc::clone(new)));
    if let Some(image) = &new.container.image {
        plan.push(Pin {
            new: Rc::clone(new),
            image: image.id.clone(),
        });
    }
    for step in before {
        plan.push_boxed(step);
    }
    plan.push(WriteFiles(Rc::clone(new)));
    plan.push(NameIt(Rc::clone(new)));
    plan.push(Publish(Rc::clone(new)));
}

fn failed(error: StateError) -> StepError {
    StepError::from(error).exit(125)
}

/// Writes the ID to a file that must not exist.
struct ClaimCidfile {
    path: PathBuf,
    id: String,
}

impl Step for ClaimCidfile {
    fn meta(&self) -> Meta {
        let script = "printf %s \"$1\" >\"$2\"";
        let line = run!["sh", "-Cc", script, "sh", &self.id, &self.path];
        let says = says::cidfile(self.path.display());
        Meta::new("cidfile.claim", says, Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let fail = |e: std::io::Error| {
            let taken = e.kind() == std::io::ErrorKind::AlreadyExists;
            let doing = format!("writing --cidfile {:?}", self.path);
            let error = StepError::new(doing, e).exit(125);
            match taken.then(|| self.path.symlink_metadata()) {
                Some(Ok(meta)) if meta.is_file() => error.hint(format!(
                    "rm {} removes the file",
                    kit_plan::quote(&self.path)
                )),
                Some(_) => error.hint("give the name of a file that is not there yet"),
                None => error,
            }
        };
        let mut file = std::fs::File::create_new(&self.path).map_err(fail)?;
        file.write_all(self.id.as_bytes()).map_err(fail)?;
        Ok(Done::made(vec![Undo::unlink(&self.path).identified()]))
    }
}

/// Makes the container's directory under a temporary name, locked while a command works on it.
struct Begin(Rc<New>);

impl Begin {
    /// The topmost layer, whose root directory is the image's.
    fn top(&self) -> Option<&Path> {
        let layers = &self.0.container.image.as_ref()?.layers;
        layers.last().map(PathBuf::as_path)
    }
}

impl Step for Begin {
    fn meta(&self) -> Meta {
        let New { containers, .. } = &*self.0;
        let upper = self.0.upper();
        let mut dirs = vec![self.0.making()];
        dirs.extend(containers.new_layer(&self.0.container));
        dirs.extend(containers.new_trash());
        let Roots { root, run, .. } = &containers.roots;
        let mut lines = vec![run!["umask", "022"]];
        lines.push(run!["mkdir", "-p", "-m", "0700", root, run]);
        let mkdir = words!["mkdir", "-p"];
        let dirs = dirs.iter().map(Into::into);
        lines.push(Line::Run(mkdir.into_iter().chain(dirs).collect()));
        if let Some(top) = self.top() {
            let reference = kit_plan::cat!["--reference=", top];
            lines.push(run!["chown", reference.clone(), "--", &upper]);
            lines.push(run!["chmod", reference.clone(), "--", &upper]);
            lines.push(run!["touch", reference, "--", &upper]);
        }
        Meta::new("container.begin", says::begin(), Shell::Exact(lines))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Undone from the last: gc knows by the first whose layer this is.
        let mut undo = vec![Undo::tree(self.0.making())];
        let New {
            containers,
            container,
            ..
        } = &*self.0;
        if containers.is_transient() {
            let layer = containers.new_layer(container).into_iter().next();
            undo.extend(layer.map(Undo::tree));
        }
        undo
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        // The container's users must be able to enter its root, whatever umask the caller has.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let New {
            containers,
            container,
            ..
        } = &*self.0;
        let begun = containers.begin(container);
        // Kept to the end of the command: gc must not remove a container that is about to be started.
        cx.keep(begun.map_err(failed)?);
        // Overlayfs shows the mode, owner and times of the upper directory at its root.
        if let Some(top) = self.top() {
            let alike = runpack::layer::make_alike(top, &self.0.upper());
            alike.map_err(|error| StepError::whole(error).exit(125))?;
        }
        Ok(Done::made(self.intent(&cx.slots)).identified())
    }
}

/// Where the pins of these containers are.
pub(crate) fn pin_place(of: &Containers) -> PinPlace<'_> {
    if of.is_transient() {
        PinPlace::Run(&of.roots)
    } else {
        PinPlace::Store
    }
}

/// Keeps the image from being removed.
struct Pin {
    new: Rc<New>,
    image: String,
}

impl Pin {
    fn store(&self) -> Store {
        Store::open(&self.new.containers.roots.root)
    }

    fn place(&self) -> PinPlace<'_> {
        pin_place(&self.new.containers)
    }

    fn path(&self) -> PathBuf {
        self.store().pin_path(self.new.id(), self.place())
    }

    /// Where the pin is written before it is moved to its place.
    fn temporary(&self) -> PathBuf {
        match self.place() {
            PinPlace::Store => self.store().dir().join("tmp").join(self.new.id()),
            PinPlace::Run(_) => self.path().with_file_name(format!(".{}", self.new.id())),
        }
    }
}

impl Step for Pin {
    fn meta(&self) -> Meta {
        let (store, path, temporary) = (self.store(), self.path(), self.temporary());
        let mut lines = Vec::new();
        if let (PinPlace::Run(roots), Some(dir)) = (self.place(), path.parent()) {
            lines.push(run!["mkdir", "-p", dir]);
            if !store.has_pins_link(roots) {
                let link = store.pins_link(roots);
                lines.push(run!["ln", "-sfn", "--", dir, link]);
            }
        }
        let write = Line::Write {
            path: (&temporary).into(),
            text: (&self.image).into(),
        };
        let lock = store.dir().join("index.lock");
        lines.extend([
            run!["install", "-m", "600", "/dev/null", &temporary],
            write,
            run!["flock", lock, "mv", "--", temporary, path],
        ]);
        Meta::new("image.pin", says::pin(), Shell::Exact(lines))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unlink(self.path())]
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let image = self.image.parse();
        let image = image.map_err(|e| StepError::whole(e).exit(125))?;
        let pinned = self.store().pin(&image, self.new.id(), self.place());
        pinned.map_err(|e| StepError::from(e).exit(125))?;
        Ok(Done::made(self.intent(&cx.slots)).identified())
    }
}

/// Writes config.json, container.json and state.json.
struct WriteFiles(Rc<New>);

impl Step for WriteFiles {
    fn meta(&self) -> Meta {
        let making = self.0.making();
        let mut lines = Vec::new();
        for (name, text) in self.0.files().into_iter().flatten() {
            let path = making.join(name);
            let text = String::from_utf8_lossy(&text).trim_end().to_owned();
            // Mode 0600: a configuration may hold secrets in its environment.
            lines.push(run!["install", "-m", "600", "/dev/null", &path]);
            lines.push(Line::Write {
                path: path.into(),
                text: text.into(),
            });
        }
        Meta::new("container.write", says::write(), Shell::Exact(lines))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // The files go with the container's directory.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let New {
            containers, sync, ..
        } = &*self.0;
        let files = self.0.files().map_err(failed)?;
        let written = containers.write_new(self.0.id(), &files, *sync);
        written.map_err(failed)?;
        Ok(Done::nothing())
    }
}

/// Takes its name.
struct NameIt(Rc<New>);

impl NameIt {
    fn path(&self) -> PathBuf {
        self.0.containers.names().join(&self.0.container.name)
    }
}

impl Step for NameIt {
    fn meta(&self) -> Meta {
        let names = self.0.containers.names();
        let temporary = names.join(format!(".{}.new", self.0.id()));
        let lines = vec![
            run!["mkdir", "-p", &names],
            run!["install", "-m", "600", "/dev/null", &temporary],
            Line::Write {
                path: (&temporary).into(),
                text: self.0.id().into(),
            },
            run!["ln", "-T", "--", &temporary, self.path()],
            run!["rm", "--", temporary],
        ];
        let says = says::take_name(&self.0.container.name);
        Meta::new("name.take", says, Shell::Exact(lines))
    }

    fn when_done(&self) -> Vec<Undo> {
        vec![Undo::unlink(self.path())]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let name = &self.0.container.name;
        let taken = self.0.containers.take_name(name, self.0.id());
        taken.map_err(failed)?;
        Ok(Done::made(self.when_done()).identified())
    }
}

/// Renames the directory to its final name.
struct Publish(Rc<New>);

impl Publish {
    fn path(&self) -> PathBuf {
        self.0.containers.dir(self.0.id())
    }
}

impl Step for Publish {
    fn meta(&self) -> Meta {
        let line = run!["mv", "-T", "--", self.0.making(), self.path()];
        Meta::new(
            "container.publish",
            says::publish(),
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::tree(self.path())]
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.0.containers.publish(self.0.id()).map_err(failed)?;
        Ok(Done::made(self.intent(&cx.slots)).identified())
    }
}

/// A step of a script that makes a container and runs it without --rm: the script does not undo it at its end.
pub struct Lasting(pub Box<dyn Step>);

impl Step for Lasting {
    fn meta(&self) -> Meta {
        self.0.meta()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.0.apply(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// box/state knows where a pin is without the store, for a monitor that knows no image.
    #[test]
    fn a_pin_is_where_the_store_looks_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::at(dir.path().join("root"), dir.path().join("run"));
        let store = Store::open(&roots.root);
        let containers = Containers::new(roots.clone());
        assert_eq!(containers.pin("x"), store.pin_path("x", PinPlace::Store));
        assert_eq!(
            containers.transient().pin("x"),
            store.pin_path("x", PinPlace::Run(&roots))
        );
    }
}
