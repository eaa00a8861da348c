//! The name of a section: the host, port and module its parameters are for.

use crate::config::{NameError, check_module, value};
use core::net::Ipv6Addr;

/// `host`, `host:port`, `host::module` or `host:port::module`; the host may be an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    /// As [`host_key`] has it.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) module: Option<String>,
}

/// Why the name of a section is not a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DestinationError {
    /// There is no host, or it holds a character no host has.
    Host,
    /// In brackets, but not an IPv6 address.
    Address,
    /// After the host comes something that is not a port.
    Port,
    /// The module cannot have this name.
    Module(NameError),
}

impl std::fmt::Display for DestinationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a section is named [HOST], [HOST:PORT], [HOST::MODULE] or [HOST:PORT::MODULE]: ")?;
        match self {
            DestinationError::Host => f.write_str("this is not a host"),
            DestinationError::Address => f.write_str("this is not an IPv6 address in brackets"),
            DestinationError::Port => {
                f.write_str("this is not a port from 1 to 65535 (IPv6 addresses need brackets: [[::1]])")
            }
            DestinationError::Module(error) => write!(f, "the module's name: {error}"),
        }
    }
}

/// The form in which hosts are compared: small letters, and an IPv6 address without brackets in its shortest form.
pub(super) fn host_key(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

/// Whether it is an IPv6 address, perhaps with a zone.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

impl Destination {
    /// Reads the name of a section.
    pub(super) fn parse(name: &str) -> Result<Destination, DestinationError> {
        let (host, rest) = match name.strip_prefix('[') {
            Some(name) => {
                let (host, rest) = name.split_once(']').ok_or(DestinationError::Address)?;
                is_ipv6(host).then_some((host, rest)).ok_or(DestinationError::Address)?
            }
            None => name.split_at(name.find(':').unwrap_or(name.len())),
        };
        if host.is_empty() || host.contains(['/', '@', '[', ']', ' ']) {
            return Err(DestinationError::Host);
        }
        let (port, module) = match rest.split_once("::") {
            Some((port, module)) => (port, Some(module)),
            None => (rest, None),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Some(value::read_port(port).ok_or(DestinationError::Port)?),
            None if port.is_empty() => None,
            None => return Err(DestinationError::Port),
        };
        if let Some(module) = module {
            check_module(module).map_err(DestinationError::Module)?;
        }
        Ok(Destination { host: host_key(host), port, module: module.map(str::to_owned) })
    }
}
