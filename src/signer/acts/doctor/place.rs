//! Where the store lies: on what, beside what, open to whom, with how much room.

use super::{Finding, System};
use crate::acts::shell_word;
use crate::storage::{
    StorageFault, entries_of_others, holds_any, inside_git_work_tree, open_to_others, real_place, space,
};
use std::path::{Path, PathBuf};

/// Less room than this is too little for any act, and for comfort, in bytes.
const TOO_LITTLE: u64 = 10 << 20;
const LITTLE: u64 = 200 << 20;
const FEW_FILES: u64 = 1_000;

/// File systems that lie on another machine, or on the host of this one.
const ELSEWHERE: [&str; 25] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "fuse.davfs",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "fuse.vmhgfs-fuse",
    "glusterfs",
    "gfs2",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "prl_fs",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
];
/// File systems that are gone at the next start, or with the container.
const FLEETING: [&str; 4] = ["overlay", "ramfs", "tmpfs", "aufs"];
/// File systems without owners and modes.
const WITHOUT_MODES: [&str; 7] = ["exfat", "fuseblk", "iso9660", "msdos", "ntfs", "ntfs3", "vfat"];

/// Parts of folder names, in small letters, that synchronising programs choose.
const SYNCHRONISED: [&str; 12] = [
    "dropbox",
    "google drive",
    "googledrive",
    "icloud",
    "mega sync",
    "megasync",
    "nextcloud",
    "onedrive",
    "owncloud",
    "pcloud",
    "seafile",
    "syncthing",
];
/// What they leave in a folder.
const LEFT_BY_SYNCHRONISERS: [&str; 6] =
    [".stfolder", ".dropbox.cache", ".nextcloudsync.log", ".owncloudsync.log", ".seafile-data", ".syncthing.db"];

const WHY_ELSEWHERE: &str = "whoever runs that machine has the store, and locks and durable writes can't be relied on";
const WHY_FLEETING: &str = "the keys would be gone with it";
const WHY_WITHOUT_MODES: &str = "every user of this machine can read it";
const WHY_GIT: &str = "a clean-up deletes the keys, a push publishes the store";
const WHY_SYNCHRONISED: &str = "a program there copies the store to other machines, and old files back into it";
const WHY_OPEN: &str = "others can copy sealed keys and try passphrases, or read who has which token";
const WHY_OWNERS: &str = "another user can change what lies there";
const WHY_ROOM: &str = "an act that can't be recorded is not done";

pub(super) fn findings(system: &System<'_>, store: &Path) -> Vec<Finding> {
    let Some(real) = real_place(store) else {
        return vec![Finding::look(
            "store-place",
            format!("{} could not be looked at", store.display()),
            WHY_ELSEWHERE,
        )];
    };
    let mut findings = vec![file_system(system, &real), neighbours(store, &real), room(&real)];
    if holds_any(store, &["store.json"]).is_some() {
        findings.extend([modes(store), owners(store)]);
    }
    findings
}

fn file_system(system: &System<'_>, real: &Path) -> Finding {
    let topic = "file-system";
    let Some(found) = system.text("proc/self/mountinfo").and_then(|text| mounted_at(&text, real)) else {
        return Finding::look(topic, "the file system below the store is not known", WHY_ELSEWHERE);
    };
    let fact = format!("{} ({}) holds {}", found.kind, found.mount.display(), real.display());
    let move_it = || format!("findmnt --target {}", shell_word(real));
    let kind = found.kind.as_str();
    if ELSEWHERE.contains(&kind) {
        Finding::bad(topic, fact, WHY_ELSEWHERE).try_this(move_it())
    } else if FLEETING.contains(&kind) {
        Finding::bad(topic, fact, WHY_FLEETING).try_this(move_it())
    } else if WITHOUT_MODES.contains(&kind) {
        Finding::bad(topic, fact, WHY_WITHOUT_MODES).try_this(move_it())
    } else {
        Finding::ok(topic, fact)
    }
}

struct Mounted {
    mount: PathBuf,
    kind: String,
}

/// The file system that a path lies on: the longest mount point above it, the last of equals
/// (`/proc/PID/mountinfo`, proc_pid_mountinfo(5)).
fn mounted_at(mountinfo: &str, path: &Path) -> Option<Mounted> {
    let mut best: Option<Mounted> = None;
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let (Some(mount), Some(kind)) = (before.split(' ').nth(4), after.split(' ').next()) else { continue };
        let mount = PathBuf::from(unescaped(mount));
        let longer = best.as_ref().is_none_or(|best| mount.as_os_str().len() >= best.mount.as_os_str().len());
        if path.starts_with(&mount) && longer {
            best = Some(Mounted { mount, kind: kind.to_owned() });
        }
    }
    best
}

/// Blanks and the like stand in mountinfo as a backslash and three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn neighbours(store: &Path, real: &Path) -> Finding {
    let topic = "neighbours";
    if let Some(tree) = inside_git_work_tree(store) {
        return Finding::bad(topic, format!("{} is a git work tree", tree.display()), WHY_GIT)
            .try_this(format!("git -C {} status --ignored", shell_word(&tree)));
    }
    let synchronised = real
        .ancestors()
        .find(|folder| named_by_a_synchroniser(folder) || holds_any(folder, &LEFT_BY_SYNCHRONISERS).is_some());
    match synchronised {
        Some(folder) => Finding::bad(
            topic,
            format!("{} looks synchronised with other machines", folder.display()),
            WHY_SYNCHRONISED,
        )
        .try_this(format!("ls -la {}", shell_word(folder))),
        None => Finding::ok(topic, "no git work tree and no synchronised folder around it"),
    }
}

fn named_by_a_synchroniser(folder: &Path) -> bool {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    SYNCHRONISED.iter().any(|part| name.contains(part))
}

fn room(real: &Path) -> Finding {
    let topic = "room";
    let command = || format!("df -h {0}; df -i {0}", shell_word(real));
    let Ok(space) = space(real) else {
        return Finding::look(topic, "the room left could not be read", WHY_ROOM).try_this(command());
    };
    let fact = format!("{} MiB left", space.bytes >> 20);
    let few_files = space.files.is_some_and(|files| files < FEW_FILES);
    match (space.bytes, few_files) {
        (bytes, _) if bytes < TOO_LITTLE => Finding::bad(topic, fact, WHY_ROOM).try_this(command()),
        (bytes, false) if bytes >= LITTLE => Finding::ok(topic, fact),
        (_, true) => Finding::look(topic, format!("{fact}, but few files can be made"), WHY_ROOM).try_this(command()),
        _ => Finding::look(topic, fact, WHY_ROOM).try_this(command()),
    }
}

fn modes(store: &Path) -> Finding {
    let topic = "modes";
    let command = || format!("chmod -R go= {}", shell_word(store));
    match open_to_others(store) {
        Err(fault) => unreadable(topic, &fault),
        Ok(open) => match open.first() {
            None => Finding::ok(topic, "the store is its owner's alone"),
            Some((path, mode)) if path == store => {
                Finding::bad(topic, format!("the store is open to others: mode {mode:o}"), WHY_OPEN).try_this(command())
            }
            // Publications are public; nobody reaches them through a closed folder all the same.
            Some(_) if open.iter().all(|(path, _)| path.starts_with(store.join("publications"))) => {
                Finding::ok(topic, "the store is its owner's alone")
            }
            Some((path, mode)) => Finding::look(
                topic,
                format!("{} of its files give rights to others, such as {} ({mode:o})", open.len(), path.display()),
                WHY_OPEN,
            )
            .try_this(command()),
        },
    }
}

fn owners(store: &Path) -> Finding {
    let topic = "owners";
    match entries_of_others(store) {
        Err(fault) => unreadable(topic, &fault),
        Ok(others) => match others.first() {
            None => Finding::ok(topic, "all of the store belongs to this user"),
            Some(path) => Finding::look(
                topic,
                format!("{} of its files belong to another user, such as {}", others.len(), path.display()),
                WHY_OWNERS,
            )
            .try_this(format!("ls -laR {}", shell_word(store))),
        },
    }
}

fn unreadable(topic: &'static str, fault: &StorageFault) -> Finding {
    Finding::bad(topic, fault.to_string(), WHY_OWNERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_longest_mount_point() {
        let mountinfo = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:40 / /mnt rw shared:1 - tmpfs tmpfs rw
31 30 0:41 / /mnt/my\\040share rw - nfs4 server:/x rw
32 22 0:42 / /mnt rw - cifs //server/x rw
nonsense - line";
        let kind = |path: &str| mounted_at(mountinfo, Path::new(path)).map(|found| found.kind);
        assert_eq!(kind("/srv/keys").as_deref(), Some("ext4"));
        assert_eq!(kind("/mnt/keys").as_deref(), Some("cifs"));
        assert_eq!(kind("/mnt/my share/keys").as_deref(), Some("nfs4"));
        assert_eq!(kind("/mntx").as_deref(), Some("ext4"));
        assert_eq!(kind("relative"), None);
    }

    #[test]
    fn octal_escapes_end_somewhere() {
        assert_eq!(unescaped("a\\040b\\134c"), "a b\\c");
        for odd in ["\\", "\\04", "\\9zz", "\\777", "é\\é"] {
            let _ = unescaped(odd);
        }
    }

    #[test]
    fn folders_of_synchronising_programs_are_known_by_name() {
        assert!(named_by_a_synchroniser(Path::new("/home/a/Dropbox (Clinic)")));
        assert!(named_by_a_synchroniser(Path::new("/home/a/OneDrive - Ministry")));
        assert!(!named_by_a_synchroniser(Path::new("/home/a/keys")));
    }
}
