//! The process itself: what the system may write of it to a disk, and who may look into it.
//!
//! Core files, swap space and `/proc/PID/mem` are files too, and nobody asked for them. Whatever
//! the system doesn't allow is left out in silence here; `doctor` tells.

use super::handed_in::read_file;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit, umask,
};
use rustix::thread::{no_new_privs, set_no_new_privs};
use std::ops::Range;
use std::path::Path;

/// The largest list of a process's memory that is read, in bytes.
const LONGEST_MAPS: u64 = 1 << 20;
/// The most that is locked at once, in bytes: locking makes absent pages present, which takes time.
const MOST_LOCKED: usize = 4 << 20;
/// What of the system's limit is left alone, in bytes: a locked stack that can't grow is a crash.
const LEFT_FOR_THE_STACK: u64 = 2 << 20;

/// What holds for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restrictions {
    /// Whether the system may write a core file of it.
    pub core_file: bool,
    /// Whether other processes of the same user may read its memory.
    pub readable_by_others: bool,
    /// Whether a program it started could gain privileges.
    pub may_gain_privileges: bool,
    /// The system's limit on locked memory, in bytes; none where it has no limit.
    pub lockable: Option<u64>,
}

impl Restrictions {
    /// What holds now.
    #[must_use]
    pub fn of_this_process() -> Self {
        let dumpable = dumpable_behavior() != Ok(DumpableBehavior::NotDumpable);
        Self {
            core_file: dumpable && getrlimit(Resource::Core).current != Some(0),
            readable_by_others: dumpable,
            may_gain_privileges: no_new_privs() != Ok(true),
            lockable: getrlimit(Resource::Memlock).current,
        }
    }
}

/// Makes no file readable to others by accident, forbids core files, closes the process's memory to
/// others of the same user, and gives up privileges that programs could add.
pub fn restrict_process() {
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    // The limit alone doesn't stop a core_pattern that pipes into a program.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = set_no_new_privs(true);
}

/// Keeps stack, heap and data out of swap space, as far as the system allows: small parts first, up
/// to 4 MiB, until the process ends. Returns how many bytes are locked.
///
/// Called again, it takes in what has been added since. Never `MCL_FUTURE`: scrypt's 256 MiB would
/// then fail under the usual limits.
pub fn lock_memory() -> usize {
    let limit = getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX);
    let allowed = usize::try_from(limit.saturating_sub(LEFT_FOR_THE_STACK)).unwrap_or(usize::MAX);
    let Ok(maps) = read_file(Path::new("/proc/self/maps"), LONGEST_MAPS) else { return 0 };
    let mut left = allowed.min(MOST_LOCKED);
    let mut locked = 0;
    for part in writable_parts(&String::from_utf8_lossy(&maps)) {
        let Some(after) = left.checked_sub(part.len()) else { break };
        if lock(std::ptr::without_provenance(part.start), part.len()) {
            left = after;
            locked += part.len();
        }
    }
    locked
}

/// Keeps the pages a secret lies on out of swap space, where the system allows it, until the
/// process ends: another secret may lie on the same page.
pub fn keep_in_memory<T: ?Sized>(secret: &T) -> bool {
    let size = size_of_val(secret);
    size > 0 && lock(std::ptr::from_ref(secret).cast(), size)
}

fn lock(start: *const u8, size: usize) -> bool {
    region::lock(start, size).map(std::mem::forget).is_ok()
}

/// The private writable parts of a process's memory, smallest first, from `/proc/PID/maps`.
fn writable_parts(maps: &str) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = maps.lines().filter_map(writable_part).collect();
    parts.sort_by_key(ExactSizeIterator::len);
    parts
}

fn writable_part(line: &str) -> Option<Range<usize>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let part = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let rights = rest.split(' ').next()?;
    (rights.starts_with("rw") && rights.ends_with('p') && !part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_writable_memory_is_locked_and_the_smallest_first() {
        let maps = "\
00400000-00600000 r-xp 00000000 fe:00 12 /bin/coldsign
00700000-00703000 rw-p 00200000 fe:00 12 /bin/coldsign
01000000-01021000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0010000000 rw-p 00000000 00:00 0
7f0020000000-7f0020001000 rw-s 00000000 00:05 3 /dev/shm/x
7f0020001000-7f0020002000 ---p 00000000 00:00 0
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]
nonsense
1000-0 rw-p
";
        let sizes: Vec<usize> = writable_parts(maps).iter().map(ExactSizeIterator::len).collect();
        assert_eq!(sizes, [0x3000, 0x21000, 0x21000, 0x1000_0000]);
    }

    #[test]
    fn a_secret_s_pages_can_be_locked_more_than_once() {
        let secret = vec![7_u8; 5_000];
        assert_eq!(keep_in_memory(secret.as_slice()), keep_in_memory(secret.as_slice()));
        assert!(!keep_in_memory(&[] as &[u8]));
    }
}
