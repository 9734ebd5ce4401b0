//! What the machine could write of a secret to a disk: swap, core files, memory.

use super::{Finding, System};
use crate::storage::{Calls, Files, Restrictions};

/// A limit on locked memory below which stack and heap are not locked, in bytes.
const ENOUGH_TO_LOCK: u64 = 3 << 20;

const WHY_SWAP: &str = "memory with an open key can end on that disk, where wiping does not reach it";
const WHY_UNLOCKABLE: &str = "single secrets are kept out of swap space, the memory around them is not";
const WHY_CORE: &str = "a core file would hold the keys";
const WHY_OPEN: &str = "a fault in this program could reach more than the files that its command line names";
const WHY_READABLE: &str = "other programs of this user can read an open key";

pub(super) fn findings(system: &System<'_>, restrictions: &Restrictions) -> Vec<Finding> {
    let lockable = restrictions.lockable.is_none_or(|limit| limit >= ENOUGH_TO_LOCK);
    vec![swap(system, lockable), memory(restrictions.lockable, lockable), core_files(system, restrictions)]
}

fn swap(system: &System<'_>, lockable: bool) -> Finding {
    let Some(swaps) = system.text("proc/swaps") else {
        return Finding::look("swap", "the swap spaces could not be read", WHY_SWAP);
    };
    let written: Vec<String> = swap_spaces(&swaps).into_iter().filter(|space| !stays_secret(system, space)).collect();
    if written.is_empty() {
        return Finding::ok("swap", "no memory is written to a disk in the clear");
    }
    let fact = format!("in the clear on {}", written.join(", "));
    let finding = if lockable { Finding::look("swap", fact, WHY_SWAP) } else { Finding::bad("swap", fact, WHY_SWAP) };
    finding.try_this("swapoff -a")
}

/// The devices and files of `/proc/swaps`.
fn swap_spaces(swaps: &str) -> Vec<String> {
    swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Encrypted by device-mapper, or in memory itself.
fn stays_secret(system: &System<'_>, space: &str) -> bool {
    let Some(device) = space.strip_prefix("/dev/") else { return false };
    let about = |what: &str| system.line(&format!("sys/class/block/{device}/{what}"));
    if device.starts_with("zram") {
        // Pages that zram can't hold go to its backing device, where it has one.
        return about("backing_dev").is_none_or(|backing| backing == "none");
    }
    about("dm/uuid").is_some_and(|id| id.starts_with("CRYPT-"))
}

fn memory(limit: Option<u64>, lockable: bool) -> Finding {
    if lockable {
        return Finding::ok("memory", "stack and heap are kept out of swap space");
    }
    let kibibytes = limit.unwrap_or_default() >> 10;
    Finding::look("memory", format!("only {kibibytes} KiB may be locked"), WHY_UNLOCKABLE).try_this("ulimit -l 8192")
}

fn core_files(system: &System<'_>, restrictions: &Restrictions) -> Finding {
    if restrictions.core_file {
        return Finding::bad("core-files", "the system would write a core file of this program", WHY_CORE)
            .try_this("ulimit -c 0");
    }
    if restrictions.readable_by_others {
        return Finding::bad("core-files", "this program's memory is open to others of the same user", WHY_READABLE);
    }
    let pattern = system.line("proc/sys/kernel/core_pattern").unwrap_or_default();
    let others = match pattern.strip_prefix('|') {
        Some(program) => format!("; those of others go to {}", program.split(' ').next().unwrap_or_default()),
        None => String::new(),
    };
    Finding::ok("core-files", format!("none of this program, whatever happens to it{others}"))
}

/// What a command can be kept from. Doctor itself reads all of the machine, and writes nothing.
pub(super) fn confinement(can: (Files, Calls)) -> Finding {
    let files = match can.0 {
        Files::Named => "a command opens only the files that it names",
        Files::NamedOrCut => {
            "a command opens only the files that it names, but Linux before 6.2 lets it cut others short"
        }
        Files::All => "this kernel has no Landlock: a command could open other files than those that it names",
    };
    let calls = match can.1 {
        Calls::Few => "it opens no socket and starts no program",
        Calls::All => "this kernel has no seccomp: a command could open a socket or start a program",
    };
    let fact = format!("{files}; {calls}");
    if can == (Files::Named, Calls::Few) {
        return Finding::ok("confinement", fact);
    }
    Finding::look("confinement", fact, WHY_OPEN).try_this("uname -r; cat /sys/kernel/security/lsm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_proc_swaps() {
        let swaps = "Filename				Type		Size\n/dev/dm-1                               partition	100\n/swap file 1\n";
        assert_eq!(swap_spaces(swaps), ["/dev/dm-1", "/swap"]);
        assert!(swap_spaces("Filename\n").is_empty());
    }
}
