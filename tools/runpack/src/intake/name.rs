//! The last step: configurations and manifests, then the index with the images' names in it, by one rename. Before it there is no image.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use kit_plan::{Context, Done, Line, Meta, Saying, Shell, Step, StepError, Value};
use oci_spec::image::{Descriptor, Digest, MediaType};

use super::Intake;
use crate::load::store_error;
use crate::store::{NewEntry, manifest_of};
use crate::{ImageId, Reference};

/// The images' IDs, once the plan has been applied.
pub(crate) type Outcome = Rc<RefCell<Vec<ImageId>>>;

pub(crate) enum Layer {
    /// In the store already, or put there by an earlier step.
    Kept(Box<Descriptor>, Digest),
    /// What that job came to.
    Taken(usize),
    /// What an earlier step wrote, uncompressed: its digest is its diff ID.
    Written(Rc<OnceCell<Descriptor>>),
}

/// The configuration's bytes, from the layers' diff IDs.
pub(crate) type MakeConfig = Box<dyn Fn(&[Digest]) -> Result<Vec<u8>, StepError>>;

pub(crate) struct NewImage {
    pub layers: Vec<Layer>,
    pub config: MakeConfig,
    pub config_type: MediaType,
    /// `None`: made of what the layers turned out to be.
    pub manifest: Option<(Vec<u8>, MediaType)>,
    pub names: Vec<Reference>,
}

pub(crate) struct ImageName {
    pub intake: Rc<Intake>,
    pub images: Vec<NewImage>,
    pub says: Saying,
    /// The command that does all the steps.
    pub line: Vec<Value>,
    pub outcome: Outcome,
}

impl Step for ImageName {
    fn meta(&self) -> Meta {
        let lines = vec![Line::Run(self.line.clone())];
        Meta::new("image.name", self.says.clone(), Shell::Ours(lines))
    }

    /// The index is the old one or the new one.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let store = &self.intake.store;
        self.intake.begin().map_err(store_error)?;
        let mut entries = Vec::new();
        for image in &self.images {
            entries.push(self.entry(image)?);
        }
        let ids: Vec<ImageId> = entries.iter().map(|entry| entry.id.clone()).collect();
        store.commit(entries).map_err(store_error)?;
        // What is left in it was somebody else's first.
        let _ = kit_sys::tree::remove(&self.intake.work);
        let said: Vec<String> = ids.iter().map(ToString::to_string).collect();
        *self.outcome.borrow_mut() = ids;
        Ok(Done::nothing().value(said.join(", ")))
    }
}

impl ImageName {
    /// Puts what is not a layer.
    fn entry(&self, image: &NewImage) -> Result<NewEntry, StepError> {
        let missing = || StepError::whole("no earlier step has put the layer");
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for layer in &image.layers {
            let (descriptor, diff_id) = match layer {
                Layer::Kept(descriptor, diff_id) => ((**descriptor).clone(), diff_id.clone()),
                Layer::Written(layer) => {
                    let layer = layer.get().ok_or_else(missing)?;
                    (layer.clone(), layer.digest().clone())
                }
                Layer::Taken(at) => {
                    let taken = self.intake.get(*at).ok_or_else(missing)?;
                    let descriptor = self.intake.descriptor(*at).ok_or_else(missing)?;
                    (descriptor, taken.sums.diff_id)
                }
            };
            layers.push(descriptor);
            diff_ids.push(diff_id);
        }
        let store = &self.intake.store;
        let config = (image.config)(&diff_ids)?;
        let config = store
            .put_blob(&config[..], image.config_type.clone(), None)
            .map_err(store_error)?;
        let id = config.digest().clone();
        let (manifest, media_type) = if let Some(manifest) = &image.manifest {
            manifest.clone()
        } else {
            let manifest = manifest_of(config, layers).map_err(store_error)?;
            (manifest, MediaType::ImageManifest)
        };
        let manifest = store
            .put_blob(&manifest[..], media_type, None)
            .map_err(store_error)?;
        Ok(NewEntry {
            manifest,
            id,
            names: image.names.clone(),
        })
    }
}
