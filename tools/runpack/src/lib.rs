//! Images: layers, the store, archives.
//!
//! The [`Store`] is an OCI image layout that other tools read in place. An [`Image`] is found by name, ID or digest; its layers are
//! directories, ready to be an overlay's lowers, when [`Store::layers_unpacked`] returns. Nothing here prints or exits.
//!
//! ```no_run
//! use runpack::{Compression, PinPlace, Reference, Store};
//!
//! let store = Store::open("/var/lib/boxkit".as_ref());
//! // Put a layer, then publish an image that has it.
//! let (layer, diff_id) = store.add_layer_tar(std::io::stdin(), Compression::None)?;
//! let config = runpack::config_of(&[diff_id], "made by hand");
//! let id = store.commit_image(&config, vec![layer], &[Reference::parse("web:1")?])?;
//! // Use it.
//! let image = store.resolve("web:1")?;
//! store.pin(&image.id, "my-container", PinPlace::Store)?;
//! let lowers = store.layers_unpacked(&image)?;
//! # let _ = (id, lowers);
//! # Ok::<(), runpack::StoreError>(())
//! ```
#![warn(missing_docs)]

mod bundle;
pub mod change;
#[cfg(feature = "cli")]
pub mod cli;
mod config;
mod digest;
mod error;
pub mod gc;
pub mod images;
pub mod import;
mod intake;
mod interrupt;
pub mod layer;
pub mod load;
pub mod pack;
mod pinned;
mod publish;
mod reference;
mod regular;
pub mod rmi;
pub mod save;
mod says;
pub mod source;
mod store;
pub mod tag;
mod target;
pub mod unpack;

pub use config::config_of;
pub use error::StoreError;
pub use intake::Progress;
pub use oci_spec;
pub use reference::{Reference, ReferenceError, Source};
pub use store::{
    BlobWriter, Compression, Gone, Image, ImageId, LayerState, Pin, PinPlace, Removed, Store,
    Sweep, Unreadable,
};
