//! Folders, and what may be in one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use homestar_core::ipld::{Block, Cid, DAG_PB};
use homestar_core::unixfs::symlink as link_node;
use homestar_node::{ContentPath, ExportError, ImportError, ImportOptions, Kind, Source, export};
use homestar_store::{Memory, Store};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::make::{alone, bytes, import, recursive, stores, tree};

/// A folder with everything that folders have.
fn various(folder: &Path) {
    let deep = folder.join("a/b/c/d/e");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir_all(folder.join("empty")).unwrap();
    fs::write(deep.join("deep.txt"), "deep").unwrap();
    fs::write(folder.join("nothing"), "").unwrap();
    fs::write(folder.join("large"), bytes(5 << 20)).unwrap();
    fs::write(folder.join(".hidden"), "hidden").unwrap();
    fs::create_dir_all(folder.join("a/.git")).unwrap();
    for name in [
        "é",
        "e\u{301}",
        "日本語",
        " ",
        "a b",
        "a\\b",
        "-r",
        "new\nline",
    ] {
        fs::write(folder.join(name), name).unwrap();
    }
    symlink("a/b", folder.join("link")).unwrap();
    symlink("../../../nowhere", folder.join("dangling")).unwrap();
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let (place, stores) = stores();
    let folder = place.path().join("folder");
    various(&folder);
    let all = ImportOptions {
        hidden: true,
        ..recursive()
    };
    let names = stores.each_ref().map(|store| {
        let entry = import(&**store, &folder, all).unwrap();
        let target = place.path().join("back");
        export(&alone(store), &entry.cid, &target, false, &mut |_| {}).unwrap();
        assert_eq!(tree(&target), tree(&folder));
        fs::remove_dir_all(target).unwrap();
        entry
    });
    assert_eq!(names[0], names[1]);
}

#[test]
fn what_is_hidden_stays_out_unless_asked_for() {
    let (place, stores) = stores();
    let folder = place.path().join("folder");
    various(&folder);
    let entry = import(&*stores[0], &folder, recursive()).unwrap();
    let source = alone(&stores[0]);
    let names: Vec<_> = source
        .list(&entry.cid)
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert!(names.is_sorted() && names.contains(&"nothing".to_owned()));
    assert!(!names.contains(&".hidden".to_owned()));
    let path = |path: &str| ContentPath {
        root: entry.cid,
        path: path.split('/').map(str::to_owned).collect(),
    };
    let found = source.resolve(&path("a/b/c/d/e/deep.txt")).unwrap();
    assert_eq!(source.look(&found).unwrap().content_bytes, Some(4));
    assert!(source.resolve(&path("a/.git")).is_err());
    // Its own name is what a person typed.
    assert!(
        import(
            &*stores[0],
            &folder.join(".hidden"),
            ImportOptions::default()
        )
        .is_ok()
    );
}

#[test]
fn a_directory_of_many_names_is_spread_and_comes_back() {
    let (place, stores) = stores();
    let folder = place.path().join("many");
    fs::create_dir(&folder).unwrap();
    for at in 0..6_000 {
        let name = format!("a name that is not short at all, of number {at}");
        fs::write(folder.join(name), at.to_string()).unwrap();
    }
    let entry = import(&*stores[0], &folder, recursive()).unwrap();
    let source = alone(&stores[0]);
    assert_eq!(source.look(&entry.cid).unwrap().kind, Kind::Shards);
    let target = place.path().join("back");
    let exported = export(&source, &entry.cid, &target, false, &mut |_| {}).unwrap();
    assert_eq!((exported.files, exported.folders), (6_000, 1));
    assert_eq!(tree(&target), tree(&folder));
}

#[test]
fn folders_have_to_be_asked_for() {
    let folder = TempDir::new().unwrap();
    let error = import(&Memory::new(), folder.path(), ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ImportError::Folder(path) if path == folder.path()));
}

#[test]
fn what_has_no_content_is_named_and_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for path in [&pipe, folder.path()] {
        let error = import(&Memory::new(), path, recursive()).unwrap_err();
        let words = format!("{} is a pipe", pipe.display());
        assert!(error.to_string().starts_with(&words), "{error}");
    }
}

#[test]
fn names_that_are_no_texts_are_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"\xff")), "").unwrap();
    let error = import(&Memory::new(), folder.path(), recursive()).unwrap_err();
    assert!(matches!(error, ImportError::NotUtf8(_)), "{error:?}");
}

/// Returns the block of a directory with these entries, whatever they are.
fn directory(entries: &[(&str, Cid)]) -> Block {
    fn field(bytes: &mut Vec<u8>, number: u8, content: &[u8]) {
        bytes.extend([number << 3 | 2, u8::try_from(content.len()).unwrap()]);
        bytes.extend_from_slice(content);
    }
    let mut bytes = Vec::new();
    for (name, cid) in entries {
        let mut link = Vec::new();
        field(&mut link, 1, &cid.to_bytes());
        field(&mut link, 2, name.as_bytes());
        field(&mut bytes, 2, &link);
    }
    // Data { type: directory }
    field(&mut bytes, 1, &[0x08, 0x01]);
    Block::new(DAG_PB, bytes)
}

#[test]
fn nothing_is_written_outside() {
    let place = TempDir::new().unwrap();
    let (inside, outside) = (place.path().join("in"), place.path().join("outside"));
    fs::create_dir(&inside).unwrap();
    fs::create_dir(&outside).unwrap();
    let file = Block::raw(b"mine now".to_vec());
    let (_, link) = link_node(outside.to_str().unwrap()).unwrap();
    let below = directory(&[("x", *file.cid())]);
    let hostile = [
        directory(&[("../outside/x", *file.cid())]),
        directory(&[("..", *below.cid())]),
        directory(&[(outside.to_str().unwrap(), *file.cid())]),
        directory(&[("a/x", *file.cid())]),
        directory(&[("", *below.cid())]),
        // First a link that leads out, then a folder of the same name.
        directory(&[("a", *link.cid()), ("a", *below.cid())]),
    ];
    let store = Memory::new();
    store.put(&[file, link, below]).unwrap();
    store.put(&hostile).unwrap();
    let source = Source::new(Arc::new(store), None);
    for block in &hostile {
        let target = inside.join("target");
        let refused = export(&source, block.cid(), &target, false, &mut |_| {});
        assert!(matches!(refused, Err(ExportError::Read(_))), "{refused:?}");
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
    // One that is as it has to be.
    let good = directory(&[]);
    source.store().put(std::slice::from_ref(&good)).unwrap();
    export(
        &source,
        good.cid(),
        &inside.join("target"),
        false,
        &mut |_| {},
    )
    .unwrap();
}

#[test]
fn what_is_there_stays() {
    let (place, stores) = stores();
    let path = |name: &str| place.path().join(name);
    fs::write(path("new"), "new").unwrap();
    fs::write(path("old"), "old").unwrap();
    fs::create_dir(path("folder")).unwrap();
    symlink("old", path("link")).unwrap();
    let entry = import(&*stores[0], &path("new"), ImportOptions::default()).unwrap();
    let source = alone(&stores[0]);
    let get = |name: &str, force| {
        let exported = export(&source, &entry.cid, &path(name), force, &mut |_| {});
        exported.map(|_| ())
    };
    for name in ["old", "link"] {
        assert!(matches!(get(name, false), Err(ExportError::There(_))));
    }
    for force in [false, true] {
        assert!(matches!(get("folder", force), Err(ExportError::Folder(_))));
    }
    // The link itself is replaced, and not what it leads to.
    get("link", true).unwrap();
    assert_eq!(fs::read_to_string(path("old")).unwrap(), "old");
    get("old", true).unwrap();
    for name in ["link", "old"] {
        let kind = fs::symlink_metadata(path(name)).unwrap();
        assert!(kind.is_file(), "{name}");
        assert_eq!(fs::read_to_string(path(name)).unwrap(), "new");
    }
}
