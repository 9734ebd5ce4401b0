//! A folder's contents, links and FIFOs included.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What lies under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    File(Vec<u8>),
    Link(PathBuf),
    Fifo,
    /// A folder with nothing in it.
    Folder,
}

pub type Tree = BTreeMap<String, Node>;

/// Everything below a folder by its relative path.
pub fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    walk(folder, "", &mut found);
    found
}

fn walk(folder: &Path, below: &str, found: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        let node = if kind.is_symlink() {
            Node::Link(fs::read_link(entry.path()).unwrap())
        } else if kind.is_fifo() {
            Node::Fifo
        } else if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), found);
            Node::Folder
        } else {
            Node::File(fs::read(entry.path()).unwrap())
        };
        if node == Node::Folder && fs::read_dir(entry.path()).unwrap().next().is_some() {
            continue;
        }
        found.insert(name, node);
    }
}

/// Puts something in the place of whatever is there; `None` for nothing.
pub fn put(folder: &Path, path: &str, node: Option<&Node>) {
    let place = folder.join(path);
    match fs::symlink_metadata(&place) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&place).unwrap(),
        Ok(_) => fs::remove_file(&place).unwrap(),
        Err(_) => {}
    }
    let Some(node) = node else { return };
    let above = place.parent().unwrap();
    if !above.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(above).unwrap();
    }
    match node {
        Node::File(bytes) => {
            fs::write(&place, bytes).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Node::Link(target) => symlink(target, &place).unwrap(),
        Node::Fifo => assert!(Command::new("mkfifo").arg(&place).status().unwrap().success()),
        Node::Folder => fs::DirBuilder::new().mode(0o700).create(&place).unwrap(),
    }
}

/// Makes a folder what that says.
pub fn restore(folder: &Path, wanted: &Tree) {
    if folder.exists() {
        for path in tree(folder).keys().filter(|path| !wanted.contains_key(*path)) {
            put(folder, path, None);
        }
    }
    let found = if folder.exists() { tree(folder) } else { Tree::new() };
    for (path, node) in wanted.iter().filter(|(path, node)| found.get(*path) != Some(*node)) {
        put(folder, path, Some(node));
    }
    prune(folder, "", wanted);
}

/// Removes folders that hold nothing.
fn prune(folder: &Path, below: &str, wanted: &Tree) {
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.file_type().unwrap().is_dir()) {
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        prune(&entry.path(), &format!("{name}/"), wanted);
        if !wanted.contains_key(&name) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A file's bytes, where it is one.
pub fn bytes<'t>(tree: &'t Tree, path: &str) -> Option<&'t [u8]> {
    match tree.get(path) {
        Some(Node::File(bytes)) => Some(bytes),
        _ => None,
    }
}
