//! Introduces engine, store and net to each other.
//!
//! ```text
//! files, folders ──→ import ──→ Store ──→ export ──→ files, folders
//!                                 ↕ Source
//!                               Fetch ←── others
//! ```
//!
//! A [`Source`] is the one place where blocks are read: from the store, and from elsewhere if the store doesn't have
//! them, which then has them too. Everything that reads data by content reads through it.
//!
//! This room reads and writes the files that it is told to, and no others. It prints nothing and reads neither the
//! environment nor the clock.
//!
//! - [`Reference`], [`ContentPath`]: how people name data
//! - [`Source`], [`SourceError`]: blocks from here or elsewhere; paths, directories, files ([`FileStream`])
//! - [`Importer`], [`export`]: files and folders in and out
//! - [`pin`], [`gc`], [`write_car`], [`read_car`]: whole DAGs

mod blocks;
mod dag;
mod export;
mod import;
mod read;
mod reference;
mod staging;

pub use self::blocks::{Source, SourceError};
pub use self::dag::{FromCar, ReadCarError, WriteCarError, gc, pin, read_car, write_car};
pub use self::export::{ExportError, Exported, export};
pub use self::import::{ImportError, ImportOptions, Importer, Watch};
pub use self::read::{CopyError, FileStream, Held, Kind, Look, ReadError, links_of};
pub use self::reference::{ContentPath, Reference, ReferenceError};
