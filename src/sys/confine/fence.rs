//! Landlock: which files can be opened, made and removed. It knows nothing of owners, modes and times.

use crate::sys::{Dir, ids};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

/// The version of which every right was looked at here; what newer ones know stays as it is.
const KNOWN: ABI = ABI::V7;

/// What is done to a module that may be written to. Nothing is run there, and no socket is made. A rename from one
/// directory to another takes `Refer`, which the first version does not know.
fn writing() -> BitFlags<AccessFs> {
    let devices = AccessFs::MakeChar | AccessFs::MakeBlock;
    let never = AccessFs::Execute | AccessFs::MakeSock | AccessFs::IoctlDev;
    let rights = AccessFs::from_all(KNOWN) & !never;
    if ids::euid() == 0 { rights } else { rights & !devices }
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// What is done to the directories of state and of specifications: files are made, replaced and removed.
fn keeping() -> BitFlags<AccessFs> {
    reading() | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile
}

/// Puts the fence up around this thread, and gives back the version of the interface.
pub(super) fn put_up(module: &Dir, writable: bool, held: &[Dir]) -> Result<u8, String> {
    let status = laid(module, writable, held).map_err(|error| reason(&error))?;
    match status {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi as u8),
        LandlockStatus::NotEnabled => Err("this kernel has Landlock switched off".into()),
        LandlockStatus::NotImplemented => Err("this kernel has no Landlock".into()),
    }
}

fn laid(module: &Dir, writable: bool, held: &[Dir]) -> Result<LandlockStatus, RulesetError> {
    let rights = if writable { writing() } else { reading() };
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rule(PathBeneath::new(module, rights))?;
    for dir in held {
        rules = rules.add_rule(PathBeneath::new(dir, keeping()))?;
    }
    Ok(rules.restrict_self()?.landlock)
}

fn reason(error: &RulesetError) -> String {
    match error {
        RulesetError::HandleAccesses(_) => {
            "this kernel has no Landlock of version 2 or later (since Linux 5.19)".into()
        }
        other => other.to_string(),
    }
}
