//! `homestar:blocks`, in plain calls: files, directories and nodes.

use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, DAG_CBOR, DAG_PB, MAX_BLOCK_BYTES, RAW};
use homestar_core::unixfs::DirEntry;
use homestar_core::wit::Type;
use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{self, ComponentType, Lift, Lower, Resource, ResourceType};

use super::{Instance, ipld};
use crate::content::{BLOBS_MAX, Content, Error, Fault, File, SINKS_MAX, told};
use crate::instance::State;

/// A file that is open for reading.
pub(crate) struct Blob {
    pub(crate) cid: Cid,
    pub(crate) size: u64,
}

/// A file that is being written.
struct Sink(File);

/// Most bytes that one call reads.
const READ_BYTES_MAX: u32 = 1 << 20;

/// Most entries of a directory that one call returns.
const ENTRIES_MAX: usize = 100_000;

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
struct Entry {
    name: String,
    cid: String,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
enum Codec {
    #[component(name = "raw")]
    Raw,
    #[component(name = "dag-cbor")]
    DagCbor,
    #[component(name = "dag-pb")]
    DagPb,
}

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct Node {
    codec: Codec,
    bytes: Vec<u8>,
}

type Store<'a> = StoreContextMut<'a, State>;

pub(super) fn content(store: &Store<'_>) -> Arc<Content> {
    store.data().content.clone()
}

/// A resource that functions may take and give: of `homestar:blocks/files`, or of `homestar:std/ipld`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Blob,
    Sink,
    Value,
}

impl Known {
    /// Returns which resource a component means by `ty`. A world may import one by a name of its own.
    pub(crate) fn of(compiled: &component::Component, ty: &ResourceType) -> Option<Self> {
        let engine = compiled.engine();
        let known = [
            (FILES, Type::BLOB, Self::Blob),
            (FILES, "sink", Self::Sink),
            (VALUES, Type::VALUE, Self::Value),
        ];
        compiled
            .component_type()
            .imports(engine)
            .find_map(|(import, item)| {
                let ComponentItem::ComponentInstance(interface) = item.ty else {
                    return None;
                };
                let mut known = known.iter().filter(|(of, ..)| import.starts_with(of));
                known.find_map(|&(_, name, resource)| {
                    match interface.get_export(engine, name)?.ty {
                        ComponentItem::Resource(found) if found == *ty => Some(resource),
                        _ => None,
                    }
                })
            })
    }

    /// Defines the resource under `name`.
    pub(crate) fn add(self, instance: &mut Instance<'_>, name: &str) -> wasmtime::Result<()> {
        match self {
            Self::Blob => instance.resource(name, ResourceType::host::<Blob>(), drop_blob),
            Self::Sink => instance.resource(name, ResourceType::host::<Sink>(), drop_sink),
            Self::Value => ipld::define(instance, name),
        }
    }
}

/// The interfaces that define them.
pub(crate) const FILES: &str = "homestar:blocks/files@0.1.";
pub(crate) const VALUES: &str = "homestar:std/ipld@0.1.";

fn drop_blob(mut store: Store<'_>, number: u32) -> wasmtime::Result<()> {
    close_blob(&mut store, number).map(drop)
}

/// Closes a blob and returns it.
pub(crate) fn close_blob(store: &mut Store<'_>, number: u32) -> wasmtime::Result<Blob> {
    let table = store.data_mut().world.table();
    let blob = table.delete(Resource::<Blob>::new_own(number))?;
    let content = content(store);
    content.forget_cursor(number);
    content.close(|open| &mut open.blobs);
    Ok(blob)
}

fn drop_sink(mut store: Store<'_>, number: u32) -> wasmtime::Result<()> {
    let table = store.data_mut().world.table();
    table.delete(Resource::<Sink>::new_own(number))?;
    content(&store).close(|open| &mut open.sinks);
    Ok(())
}

pub(super) fn add_files(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    Known::Blob.add(instance, "blob")?;
    Known::Sink.add(instance, "sink")?;
    add_blob(instance)?;
    add_sink(instance)?;
    add_directories(instance)
}

fn add_blob(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "[static]blob.open",
        |mut store: Store<'_>, (cid,): (String,)| {
            let content = content(&store);
            let opened = content.reached(&cid).map_err(Fault::from);
            let opened = opened.and_then(|cid| Ok((cid, content.file(&cid)?)));
            match told(opened)? {
                Ok((cid, size)) => Ok((push_blob(&mut store, cid, size)?,)),
                Err(error) => Ok((Err(error),)),
            }
        },
    )?;
    instance.func_wrap(
        "[method]blob.size",
        |mut store: Store<'_>, (blob,): (Resource<Blob>,)| {
            Ok((store.data_mut().world.table().get(&blob)?.size,))
        },
    )?;
    instance.func_wrap(
        "[method]blob.cid",
        |mut store: Store<'_>, (blob,): (Resource<Blob>,)| {
            Ok((store.data_mut().world.table().get(&blob)?.cid.to_string(),))
        },
    )?;
    instance.func_wrap(
        "[method]blob.read",
        |mut store: Store<'_>, (blob, offset, length): (Resource<Blob>, u64, u32)| {
            let cid = store.data_mut().world.table().get(&blob)?.cid;
            let length = length.min(READ_BYTES_MAX) as usize;
            let bytes = content(&store).read_blob(blob.rep(), &cid, offset, length);
            Ok((told(bytes)?,))
        },
    )
}

/// Gives the guest a blob, if it may have one more.
pub(super) fn push_blob(
    store: &mut Store<'_>,
    cid: Cid,
    size: u64,
) -> wasmtime::Result<Result<Resource<Blob>, Error>> {
    let content = content(store);
    if let Err(error) = content.open(|open| &mut open.blobs, BLOBS_MAX) {
        return Ok(Err(error));
    }
    let blob = store.data_mut().world.table().push(Blob { cid, size })?;
    Ok(Ok(blob))
}

fn add_sink(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap("[static]sink.create", |mut store: Store<'_>, (): ()| {
        let content = content(&store);
        if let Err(error) = content.open(|open| &mut open.sinks, SINKS_MAX) {
            return Ok((Err(error),));
        }
        let sink = Sink(content.begin()?);
        Ok((Ok(store.data_mut().world.table().push(sink)?),))
    })?;
    instance.func_wrap(
        "[method]sink.write",
        |mut store: Store<'_>, (sink, bytes): (Resource<Sink>, Vec<u8>)| {
            let table = store.data_mut().world.table();
            table.get_mut(&sink)?.0.write(&bytes)
        },
    )?;
    instance.func_wrap(
        "[static]sink.finish",
        |mut store: Store<'_>, (sink,): (Resource<Sink>,)| {
            let Sink(file) = store.data_mut().world.table().delete(sink)?;
            content(&store).close(|open| &mut open.sinks);
            Ok((finish(&mut store, file)?,))
        },
    )
}

/// Ends a file that a guest has written, and opens it.
pub(super) fn finish(
    store: &mut Store<'_>,
    file: File,
) -> wasmtime::Result<Result<Resource<Blob>, Error>> {
    let entry = file.finish()?;
    if let Err(error) = content(store).reach([&entry.cid]) {
        return Ok(Err(error));
    }
    push_blob(store, entry.cid, entry.file_bytes)
}

fn add_directories(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap("kind-of", |store: Store<'_>, (cid,): (String,)| {
        let content = content(&store);
        let kind = content.reached(&cid).map_err(Fault::from);
        Ok((told(kind.and_then(|cid| content.kind(&cid)))?,))
    })?;
    instance.func_wrap("list", |store: Store<'_>, (cid, start): (String, u32)| {
        let content = content(&store);
        let entries = content.reached(&cid).map_err(Fault::from);
        let entries = entries.and_then(|cid| content.list(&cid, start as usize, ENTRIES_MAX));
        let entries = told(entries)?.map(|entries| {
            let entries = entries.into_iter();
            let entry = |entry: DirEntry| Entry {
                name: entry.name,
                cid: entry.cid.to_string(),
            };
            entries.map(entry).collect::<Vec<_>>()
        });
        Ok((entries,))
    })?;
    instance.func_wrap(
        "resolve",
        |store: Store<'_>, (cid, path): (String, String)| {
            let content = content(&store);
            let found = content.reached(&cid).map_err(Fault::from);
            let found = told(found.and_then(|cid| content.resolve(&cid, &path)))?;
            Ok((found.map(|cid| cid.to_string()),))
        },
    )
}

pub(super) fn add_dag(instance: &mut Instance<'_>) -> wasmtime::Result<()> {
    instance.func_wrap("get", |store: Store<'_>, (cid,): (String,)| {
        Ok((told(get(&content(&store), &cid))?,))
    })?;
    instance.func_wrap("put", |store: Store<'_>, (node,): (Node,)| {
        let put = put(&content(&store), node);
        Ok((told(put)?.map(|cid| cid.to_string()),))
    })?;
    instance.func_wrap("links", |store: Store<'_>, (cid,): (String,)| {
        let content = content(&store);
        let links = content.reached(&cid).map_err(Fault::from);
        let links = told(links.and_then(|cid| content.node(&cid)))?;
        let links = links.map(|(_, links)| links.iter().map(Cid::to_string).collect::<Vec<_>>());
        Ok((links,))
    })
}

fn get(content: &Content, cid: &str) -> Result<Node, Fault> {
    let (block, _) = content.node(&content.reached(cid)?)?;
    let codec = match block.cid().codec() {
        RAW => Codec::Raw,
        DAG_CBOR => Codec::DagCbor,
        DAG_PB => Codec::DagPb,
        code => return Err(Error::OtherKind(format!("a node of codec 0x{code:x}")).into()),
    };
    Ok(Node {
        codec,
        bytes: block.bytes().to_vec(),
    })
}

fn put(content: &Content, node: Node) -> Result<Cid, Fault> {
    if node.bytes.len() > MAX_BLOCK_BYTES {
        return Err(Error::TooLarge(node.bytes.len() as u64).into());
    }
    let codec = match node.codec {
        Codec::Raw => RAW,
        Codec::DagCbor => DAG_CBOR,
        Codec::DagPb => DAG_PB,
    };
    content.put_node(Block::new(codec, node.bytes))
}
