//! Names of remote trees: `[user@]host[:port]::module[/path]` and `smsync://[user@]host[:port]/module[/path]`.

use crate::limits;
use crate::path::RelPath;

/// A server, as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Whose secret to use, if that is said.
    pub user: Option<String>,
    /// Name or address, without brackets.
    pub name: String,
    /// Port, if that is said.
    pub port: Option<u16>,
}

/// A tree on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Which server.
    pub host: Host,
    /// Which module of it.
    pub module: String,
    /// Where in the module.
    pub path: RelPath<'static>,
}

/// Something a transfer goes from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this host.
    Local(std::ffi::OsString),
    /// On a server.
    Remote(Remote),
}

const SCHEME: &str = "smsync://";

impl Place {
    /// Reads an argument. A `::` before any `/` makes it remote; `./a::b` is local.
    ///
    /// # Errors
    /// It looks remote and is malformed: what is wrong.
    pub fn parse(argument: &std::ffi::OsStr) -> Result<Place, String> {
        let Some(text) = argument.to_str() else { return Ok(Place::Local(argument.to_owned())) };
        let remote = |host: &str, rest: &str| {
            let (module, path) = rest.split_once('/').unwrap_or((rest, ""));
            if module.is_empty() {
                return Err(format!("{text}: a module is missing (smsync list {host} names them)"));
            }
            if module.len() > limits::MODULE {
                return Err(format!("{text}: the name of the module is too long"));
            }
            let path = path.trim_matches('/').as_bytes().to_vec();
            let path = RelPath::new(path).map_err(|error| format!("{text}: {error}"))?;
            let host = Host::parse(host).map_err(|error| format!("{text}: {error}"))?;
            Ok(Place::Remote(Remote { host, module: module.to_owned(), path }))
        };
        if let Some(rest) = text.strip_prefix(SCHEME) {
            let (host, rest) = rest.split_once('/').unwrap_or((rest, ""));
            return remote(host, rest);
        }
        match host_end(text) {
            Some((host, rest)) if !host.contains('/') => remote(host, rest),
            _ => Ok(Place::Local(argument.to_owned())),
        }
    }
}

/// Splits at the `::` behind the host, not at one inside an IPv6 address in brackets.
fn host_end(text: &str) -> Option<(&str, &str)> {
    let after = match (text.find('['), text.find("]")) {
        (Some(open), Some(close)) if open < close && text.find("::").is_some_and(|at| at > open) => close,
        _ => 0,
    };
    let at = after + text.get(after..)?.find("::")?;
    Some((text.get(..at)?, text.get(at + 2..)?))
}

impl Host {
    /// Reads `[user@]host[:port]`, with or without the scheme and what `list` may have behind it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Host, String> {
        let text = text.strip_prefix(SCHEME).map_or(text, |rest| rest.trim_end_matches('/'));
        let text = text.strip_suffix("::").unwrap_or(text);
        if !text.contains('[')
            && text.split_once("::").is_some_and(|(host, rest)| !host.is_empty() && !rest.contains(':'))
        {
            return Err("a host is meant here, without ::module".into());
        }
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        if user.is_some_and(|user| user.is_empty() || user.len() > limits::USER) {
            return Err("the user before '@' is missing or too long".into());
        }
        let (name, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (name, tail) = rest.split_once(']').ok_or("a ']' is missing")?;
                match tail.strip_prefix(':') {
                    Some(port) => (name, Some(port)),
                    None if tail.is_empty() => (name, None),
                    None => return Err("after ']' comes ':port' or nothing".into()),
                }
            }
            None => match rest.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err("an IPv6 address stands in brackets: [2001:db8::1]".into());
                }
                Some((name, port)) => (name, Some(port)),
                None => (rest, None),
            },
        };
        if name.is_empty() {
            return Err("the host is missing".into());
        }
        let port = match port {
            Some(port) => Some(
                port.parse().ok().filter(|port| *port != 0).ok_or("the port is no number from 1 to 65535")?,
            ),
            None => None,
        };
        Ok(Host { user: user.map(str::to_owned), name: name.to_owned(), port })
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = crate::vis::shown_text(&self.name);
        if name.contains(':') {
            write!(f, "[{name}]")?
        } else {
            f.write_str(&name)?
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}", self.host, crate::vis::shown_text(&self.module))?;
        if self.path.is_root() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn parse(text: &str) -> Result<Place, String> {
        Place::parse(OsStr::new(text))
    }

    #[test]
    fn remotes_are_read() {
        let table = [
            ("h::m", None, "h", None, "m", ""),
            ("h:99::m/a/b", None, "h", Some(99), "m", "a/b"),
            ("u@h::m/", Some("u"), "h", None, "m", ""),
            ("[2001:db8::1]::m", None, "2001:db8::1", None, "m", ""),
            ("u@[::1]:7::m/x", Some("u"), "::1", Some(7), "m", "x"),
            ("smsync://u@h:99/m/a", Some("u"), "h", Some(99), "m", "a"),
            ("smsync://[::1]/m", None, "::1", None, "m", ""),
            ("h::m/a::b", None, "h", None, "m", "a::b"),
        ];
        for (text, user, name, port, module, path) in table {
            let Place::Remote(remote) = parse(text).unwrap() else { panic!("{text} is remote") };
            assert_eq!(
                (remote.host.user.as_deref(), remote.host.name.as_str(), remote.host.port),
                (user, name, port),
                "{text}"
            );
            assert_eq!((remote.module.as_str(), remote.path.as_bytes()), (module, path.as_bytes()), "{text}");
        }
    }

    #[test]
    fn paths_with_colons_can_be_local() {
        for text in ["/a::b", "./h::m", "h:m", "a", "."] {
            assert_eq!(parse(text), Ok(Place::Local(text.into())), "{text}");
        }
    }

    #[test]
    fn malformed_remotes_are_refused() {
        for text in
            ["h::", "::m", "h:0::m", "h:x::m", "h::m/../b", "@h::m", "smsync://h", "[::1::m", "[::1]x::m"]
        {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
        assert!(Host::parse("2001:db8::1").is_err());
        assert_eq!(Host::parse("smsync://h:5/").unwrap().port, Some(5));
    }
}
