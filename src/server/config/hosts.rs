//! [`Hosts`]: from which hosts a module may be opened.

use crate::config::value;
use crate::path::Pattern;
use crate::vis::shown_text;
use core::net::IpAddr;
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer};

/// Hosts by address, network or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    text: String,
    list: Vec<Host>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// Whoever it is, even without an address.
    Any,
    Net(IpNet),
    /// A name in small letters, perhaps with wildcards.
    Named(Pattern),
}

/// Who is at the other end: by the kernel's word, and by the name that the domain name system has for that.
#[derive(Clone, Copy)]
pub struct Caller<'c> {
    /// The address; none of a process of this host. An IPv4 address is never an IPv6 one.
    pub address: Option<IpAddr>,
    /// Looks for the name, in small letters, and confirms that the address is its own. Only asked if it decides.
    pub name: &'c dyn Fn() -> Option<String>,
}

/// Whether a list names a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
    /// It has names, and of the caller none is known.
    Perhaps,
}

impl Hosts {
    /// Reads addresses, networks as `10.0.0.0/8` and `10.0.0.0/255.0.0.0`, names, and `*` for everybody, with commas or
    /// blanks between them. Nothing where one of them is none, or there is none.
    fn parse(text: &str) -> Option<Hosts> {
        let list: Vec<_> = words(text).map(host).collect::<Option<_>>()?;
        (!list.is_empty()).then(|| Hosts { text: text.to_owned(), list })
    }

    /// Whether a list that we may not know all of names everybody who has an address.
    #[must_use]
    pub fn has_everybody(text: &str) -> bool {
        let list: Vec<_> = words(text).filter_map(host).collect();
        let all = |of: fn(&IpNet) -> bool| {
            list.iter().any(|host| matches!(host, Host::Net(net) if net.prefix_len() == 0 && of(net)))
        };
        list.contains(&Host::Any)
            || all(|net| matches!(net, IpNet::V4(_))) && all(|net| matches!(net, IpNet::V6(_)))
    }

    /// Whether it has names, which have to be looked up.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.list.iter().any(|host| matches!(host, Host::Named(_)))
    }

    /// The names in it, fit for a terminal; nothing where there are none.
    #[must_use]
    pub fn names_said(&self) -> Option<String> {
        let names = words(&self.text).filter(|word| matches!(host(word), Some(Host::Named(_))));
        let names: Vec<String> = names.map(|name| format!("'{}'", shown_text(name))).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    fn names(&self, caller: &Caller<'_>) -> Named {
        let here = |host: &Host| match host {
            Host::Any => true,
            Host::Net(net) => caller.address.is_some_and(|address| net.contains(&address)),
            Host::Named(_) => false,
        };
        if self.list.iter().any(here) {
            return Named::Yes;
        }
        if !self.has_names() {
            return Named::No;
        }
        let Some(name) = (caller.name)() else { return Named::Perhaps };
        let so =
            |host: &Host| matches!(host, Host::Named(pattern) if pattern.matches(name.as_bytes(), false));
        if self.list.iter().any(so) { Named::Yes } else { Named::No }
    }
}

/// Whether a caller may come in: who is allowed may, else who is denied may not, else who is in no list may unless there
/// is one of those allowed. Who may be denied, for all that is known, is.
#[must_use]
pub fn admits(allow: Option<&Hosts>, deny: Option<&Hosts>, caller: &Caller<'_>) -> bool {
    if allow.is_some_and(|allow| allow.names(caller) == Named::Yes) {
        return true;
    }
    match deny.map(|deny| deny.names(caller)) {
        Some(Named::Yes | Named::Perhaps) => false,
        Some(Named::No) | None => allow.is_none(),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
}

fn host(word: &str) -> Option<Host> {
    if word == "*" {
        return Some(Host::Any);
    }
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some(Host::Net(address.to_canonical().into()));
    }
    if let Some((address, bits)) = word.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let net = match bits.parse::<IpAddr>() {
            Ok(mask) if mask.is_ipv4() != address.is_ipv4() => return None,
            Ok(mask) => IpNet::with_netmask(address, mask).ok()?,
            Err(_) => IpNet::new(
                address,
                bits.bytes().all(|byte| byte.is_ascii_digit()).then(|| bits.parse().ok())??,
            )
            .ok()?,
        };
        return Some(Host::Net(canonical(net)));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '?' | '[' | ']');
    // What looks like an address and is none must not be taken for a name.
    let like_address = word.ends_with(|c: char| c.is_ascii_digit() || c == '.') || word.contains(':');
    if like_address || !word.chars().all(is_name) {
        return None;
    }
    Pattern::new(word.to_ascii_lowercase().as_bytes()).map(Host::Named)
}

/// A network of IPv4 addresses that is written as one of IPv6 addresses.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let prefix = v6.prefix_len().checked_sub(96);
    let v4 = v6.addr().to_ipv4_mapped().zip(prefix).and_then(|(v4, prefix)| Ipv4Net::new(v4, prefix).ok());
    v4.map_or(net, IpNet::V4)
}

impl std::fmt::Display for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a list of addresses, networks (10.0.0.0/8), names or '*'";
        value::list(deserializer, expected, Hosts::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether somebody with this address, and this name if one is found, is let in.
    fn enters(allow: &str, deny: &str, address: &str, name: Option<&str>) -> bool {
        let hosts = |text: &str| (!text.is_empty()).then(|| Hosts::parse(text).unwrap());
        let caller = Caller { address: address.parse().ok(), name: &|| name.map(str::to_owned) };
        admits(hosts(allow).as_ref(), hosts(deny).as_ref(), &caller)
    }

    #[test]
    fn rd_71_72_allowed_denied_and_neither() {
        // (hosts allow, hosts deny, who, is let in): by rsyncd.conf(5)
        for (allow, deny, who, expected) in [
            ("", "", "10.0.0.1", true),
            ("10.0.0.1", "", "10.0.0.1", true),
            ("10.0.0.1", "", "10.0.0.2", false),
            ("", "10.0.0.1", "10.0.0.1", false),
            ("", "10.0.0.1", "10.0.0.2", true),
            ("10.0.0.1", "10.0.0.0/8", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.0/8", "10.0.0.2", false),
            ("10.0.0.1", "10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.1 192.168.0.0/16,2001:db8::/32", "*", "192.168.255.1", true),
            ("10.0.0.1 192.168.0.0/16,2001:db8::/32", "*", "192.169.0.1", false),
            ("10.0.0.1 192.168.0.0/16,2001:db8::/32", "*", "2001:db8:ffff::1", true),
            ("10.0.0.1 192.168.0.0/16,2001:db8::/32", "*", "2001:db9::1", false),
            ("10.3.2.1/255.255.0.0", "", "10.3.0.9", true),
            ("10.3.2.1/255.255.0.0", "", "10.4.0.9", false),
            ("::1/128", "", "::1", true),
            ("::1", "", "127.0.0.1", false),
            ("0.0.0.0/0", "", "::1", false),
            ("::/0", "", "1.2.3.4", false),
            // However an IPv4 address is written in the list: it comes as one.
            ("::ffff:10.0.0.1", "", "10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "", "10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "", "11.9.9.9", false),
            // A process of this host has no address.
            ("", "", "local", true),
            ("127.0.0.0/8", "", "local", false),
            ("", "127.0.0.0/8", "local", true),
            ("", "*", "local", false),
            ("*", "", "local", true),
        ] {
            assert_eq!(enters(allow, deny, who, None), expected, "{allow} | {deny} | {who}");
        }
    }

    #[test]
    fn names_that_are_not_found_let_nobody_in() {
        for (allow, deny, name, expected) in [
            ("*.example.org", "", Some("a.example.org"), true),
            ("*.example.org", "", Some("example.org.evil.net"), false),
            ("*.example.org", "", None, false),
            ("", "*.example.org", Some("a.example.org"), false),
            ("", "*.example.org", Some("b.example.net"), true),
            ("", "*.example.org", None, false),
            ("", "bad.example.org *.example.net", Some("bad.example.org"), false),
            ("10.0.0.1", "*.example.org", None, true),
            ("A.Example.ORG", "*", Some("a.example.org"), true),
        ] {
            assert_eq!(enters(allow, deny, "10.0.0.1", name), expected, "{allow} | {deny} | {name:?}");
        }
    }

    #[test]
    fn a_name_is_only_looked_for_where_it_decides() {
        let never = || -> Option<String> { panic!("looked up") };
        let caller = Caller { address: "10.0.0.1".parse().ok(), name: &never };
        let hosts = |text| Hosts::parse(text).unwrap();
        assert!(admits(Some(&hosts("a.example.org 10.0.0.0/8")), Some(&hosts("b.example.org")), &caller));
        assert!(!admits(None, Some(&hosts("b.example.org 10.0.0.0/8")), &caller));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            ",",
            "10.0.0",
            "10.0.0.1/33",
            "10.0.0.1/",
            "10.0.0.1/+8",
            "1.2.3.4/255.0.255.0",
            "::1/129",
            "10.0.0.1/::",
            "256.1.1.1",
            "a/b",
            "fe80::1%eth0",
            "a@b",
            "host:",
            "10.0.0.*1",
        ] {
            assert!(Hosts::parse(bad).is_none(), "{bad}");
        }
        assert!(Hosts::parse("mirror-1.example.org").unwrap().has_names());
        assert!(!Hosts::parse("10.0.0.0/8 ::1").unwrap().has_names());
    }
}
