//! The name of a host, as the host's resolver has it. It may take as long as it likes, and reads what is not ours to
//! trust: for a process of its own, with nothing in its memory.

use core::net::IpAddr;
use std::ffi::CStr;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ptr;

/// Bytes of a name with its NUL: NI_MAXHOST of getnameinfo(3).
const NAME: usize = 1025;

/// The name of the host with this address, in small letters, if that name in turn has this address.
#[must_use]
pub fn confirmed_name(address: IpAddr) -> Option<String> {
    let name = name_of(address)?.to_ascii_lowercase();
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 255 || !name.chars().all(sound) {
        return None;
    }
    let mut found = (&*name, 0).to_socket_addrs().ok()?;
    found.any(|found| found.ip().to_canonical() == address).then_some(name)
}

fn name_of(address: IpAddr) -> Option<String> {
    let mut name = [0_u8; NAME];
    let room = libc::socklen_t::try_from(NAME).ok()?;
    // The layouts are those of <netinet/in.h>; rustix makes them, with their length.
    let address: rustix::net::SocketAddrAny = SocketAddr::new(address, 0).into();
    // SAFETY: the address is a whole sockaddr of the length that is given with it, and lives over the call. The buffer is
    // as long as is said, and the call ends what it writes with a NUL in it. No service is asked for, so there is none to
    // write. The call keeps no pointer.
    #[allow(unsafe_code)]
    let code = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.addr_len(),
            name.as_mut_ptr().cast(),
            room,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if code != 0 {
        return None;
    }
    CStr::from_bytes_until_nul(&name).ok()?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_back_is_found() {
        // /etc/hosts has it everywhere, under some name.
        assert!(confirmed_name("127.0.0.1".parse().unwrap()).is_some());
    }
}
