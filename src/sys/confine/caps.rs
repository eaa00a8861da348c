//! Capabilities: those that replicating takes, and none that could be had again.

use crate::sys::confine::Confinement;
use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs,
};
use std::io;

/// To read what is anybody's. `trusted.*` attributes are for who has `SYS_ADMIN` only; what else that would allow, the
/// filter of system calls does not let through.
const READING: CapabilitySet = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::SYS_ADMIN);

/// To make what is anybody's: owners, modes and times, devices, and the capabilities of programs.
const WRITING: CapabilitySet = READING
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP);

/// Those that a process keeps: none, unless it is root and stays so.
pub(super) fn needed(confinement: &Confinement) -> CapabilitySet {
    if confinement.identity.as_ref().is_some_and(|identity| identity.uid != 0) {
        CapabilitySet::empty()
    } else if confinement.writable {
        WRITING
    } else if confinement.keep_access_times {
        READING | CapabilitySet::FOWNER
    } else {
        READING
    }
}

/// Sees to it that no others can be had any more, not even by running a program. Takes the right to do so.
pub(super) fn bound(kept: CapabilitySet) -> io::Result<()> {
    clear_ambient_capability_set()?;
    let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    for capability in all.filter(|capability| !kept.contains(*capability)) {
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability)?,
            Ok(false) => {}
            // Past the last that the kernel knows.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    Ok(set_capabilities_secure_bits(bits)?)
}

/// Gives up all others.
pub(super) fn keep(kept: CapabilitySet) -> io::Result<()> {
    let permitted = capabilities(None)?.permitted & kept;
    let sets = CapabilitySets { effective: permitted, permitted, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets)?;
    if capabilities(None)? == sets { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// Sees to it that no program that is run can have more than we do.
pub(super) fn no_new() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}
