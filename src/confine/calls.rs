//! System calls by seccomp: no socket, no other program, no other process.
//!
//! A list of what is refused, not of what is allowed: what a C library calls changes with its version,
//! and a signer that stops in the middle of an act helps nobody. The filter is written out here because
//! compilers of filters kill the process for a call by another ABI.

use seccompiler::{apply_filter_all_threads, sock_filter};

/// Which system calls a process may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Calls {
    /// None that reach a network, another program or another process.
    Few,
    /// All: the kernel has no seccomp, or this kind of machine is not known here.
    #[default]
    All,
}

/// Calls that are refused, with EPERM.
const REFUSED: [libc::c_long; 21] = [
    // To a network, or to a service of this machine.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    // Does any of these, past this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes, and what they have open.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    // Files by number instead of by name.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
];

/// `AUDIT_ARCH_…` of `linux/audit.h`: the ABI that this program was built for.
const ARCHITECTURE: Option<u32> = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
    Some(0xC000_003E)
} else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
    Some(0xC000_00B7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xC000_00F3)
} else {
    None
};

/// Marks calls of x32, the second ABI of x86-64, whose numbers are others.
const X32: u32 = 0x4000_0000;
/// What a tracer turns a call into that it answers itself.
const SKIPPED: u32 = u32::MAX;

// BPF as `linux/bpf_common.h`, `linux/filter.h` and `linux/seccomp.h` have it.
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;

/// Refuses them for all threads.
pub(crate) fn restrict() -> Calls {
    let Some(architecture) = ARCHITECTURE else { return Calls::All };
    match apply_filter_all_threads(&filter(architecture)) {
        Ok(()) => Calls::Few,
        Err(_) => Calls::All,
    }
}

fn filter(architecture: u32) -> Vec<sock_filter> {
    let mut filter = vec![step(LOAD, ARCHITECTURE_AT), unless(IF_EQUAL, architecture), step(RETURN, REFUSE)];
    filter.extend([step(LOAD, NUMBER_AT), when(IF_EQUAL, SKIPPED), step(RETURN, ALLOW)]);
    filter.extend([when(IF_ANY_BIT, X32), step(RETURN, REFUSE)]);
    for number in REFUSED.iter().filter_map(|number| u32::try_from(*number).ok()) {
        filter.extend([when(IF_EQUAL, number), step(RETURN, REFUSE)]);
    }
    filter.push(step(RETURN, ALLOW));
    filter
}

fn step(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// The next step is taken only where it holds.
fn when(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 1, k }
}

/// The next step is taken only where it does not hold.
fn unless(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 1, jf: 0, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel's machine makes of a call.
    fn judged(filter: &[sock_filter], architecture: u32, number: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = &filter[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                LOAD if step.k == NUMBER_AT => loaded = number,
                LOAD => loaded = architecture,
                IF_EQUAL => at += jump(loaded == step.k),
                IF_ANY_BIT => at += jump(loaded & step.k != 0),
                _ => return step.k,
            }
        }
    }

    #[test]
    fn what_is_refused_is_refused_by_every_abi_and_the_rest_is_not() {
        let Some(own) = ARCHITECTURE else { return };
        let filter = filter(own);
        let judged = |architecture, number| judged(&filter, architecture, number);
        for number in REFUSED {
            let number = u32::try_from(number).unwrap();
            assert_eq!(judged(own, number), REFUSE, "{number}");
            assert_eq!(judged(own, number | X32), REFUSE, "{number} of x32");
        }
        for number in [libc::SYS_read, libc::SYS_write, libc::SYS_openat, libc::SYS_getrandom, libc::SYS_exit_group] {
            let number = u32::try_from(number).unwrap();
            assert_eq!(judged(own, number), ALLOW, "{number}");
            assert_eq!(judged(own, number | X32), REFUSE, "{number} of x32");
            assert_eq!(judged(own ^ 0x8000_0000, number), REFUSE, "{number} of another machine");
        }
        // AUDIT_ARCH_I386: what `int 0x80` reaches, where 359 is socket.
        assert_eq!(judged(0x4000_0003, 359), REFUSE);
        assert_eq!(judged(own, SKIPPED), ALLOW);
    }
}
