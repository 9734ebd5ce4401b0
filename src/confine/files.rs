//! Files by Landlock: what is not named can't be opened, made, renamed or removed.

use crate::Use;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};
use std::fs;
use std::path::PathBuf;

/// Everything is refused that this version knows; an older kernel refuses what it knows of that.
const KNOWN: ABI = ABI::V6;

/// Which files a process may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    /// Those that were named.
    Named,
    /// Those that were named; but any that its user may write can be cut short: Linux before 6.2.
    NamedOrCut,
    /// All that its user may: the kernel has no Landlock.
    #[default]
    All,
}

/// Refuses all files but these.
pub(crate) fn restrict(uses: &[(PathBuf, Use)]) -> Files {
    // What fails here leaves the process as it was: that is told, and the program goes on.
    let Ok(status) = ruleset(uses).and_then(RulesetCreated::restrict_self) else { return Files::All };
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Files::All,
        (_, LandlockStatus::Available { effective_abi, .. }) if effective_abi < ABI::V3 => Files::NamedOrCut,
        _ => Files::Named,
    }
}

fn ruleset(uses: &[(PathBuf, Use)]) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    for (path, how) in uses {
        // What is not there is not named: the act finds out, and says so.
        let Ok(opened) = PathFd::new(path) else { continue };
        let is_folder = fs::metadata(path).is_ok_and(|found| found.is_dir());
        let rights = if is_folder { rights(*how) } else { rights(*how) & AccessFs::from_file(KNOWN) };
        if !rights.is_empty() {
            // No rule can be made for a pipe handed over as /dev/fd/N, and none is needed.
            let _ = (&mut ruleset).add_rule(PathBeneath::new(opened, rights));
        }
    }
    Ok(ruleset)
}

fn rights(how: Use) -> BitFlags<AccessFs> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let put = make_bitflags!(AccessFs::{ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});
    let keep = read | put | make_bitflags!(AccessFs::{MakeDir | RemoveDir | Refer});
    match how {
        Use::Read => read,
        Use::Put => put,
        Use::Keep => keep,
        Use::KeepLinks => keep | AccessFs::MakeSym,
        Use::List => AccessFs::ReadDir.into(),
        Use::Tidy => AccessFs::RemoveDir.into(),
        Use::Terminal => make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev}),
    }
}
