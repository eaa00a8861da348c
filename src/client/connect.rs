//! Reaches a server: configuration, name, address, greeting.

use crate::client::config::ClientConfig;
use crate::client::failure::Failure;
use crate::client::options::Network;
use crate::client::remote::Host;
use crate::exit::Exit;
use crate::limits;
use crate::session::{Hello, greet_client};
use crate::sys::{Stream, resolve};
use crate::wire::Channel;
use core::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a server may be silent when nothing limits it.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Connects to the server and greets it; `module` chooses the section of the configuration.
pub(super) fn connect(
    config: &ClientConfig,
    host: &Host,
    module: Option<&str>,
    network: &Network,
) -> Result<Channel, Failure> {
    let settings = config.settings(&host.name, host.port, module);
    let secret = settings.secret.as_ref().ok_or_else(|| {
        let text = "no secret for this host: make one with 'smsync keygen' and put 'secret = …' into \
                    ~/.config/smsync/smsync.conf here and into smsyncd.conf there";
        Failure::new(Exit::Config, text)
    })?;
    let user = host.user.as_deref().unwrap_or(&settings.user);
    let idle = match network.timeout {
        Some(0) => FOREVER,
        Some(seconds) => Duration::from_secs(seconds.into()),
        None => settings.timeout.unwrap_or(FOREVER),
    };
    let stream = reach(&host.name, settings.port, network)?;
    let deadline = Instant::now() + limits::HANDSHAKE.min(idle);
    let hello = Hello { user, secret, cipher: settings.cipher };
    let mut channel = greet_client(stream, &hello, deadline, idle)?;
    network.bwlimit.iter().for_each(|rate| channel.limit(*rate));
    Ok(channel)
}

/// Connects to the first address of the host that answers.
fn reach(host: &str, port: u16, network: &Network) -> Result<Stream, Failure> {
    let unavailable = |text: String| Failure::new(Exit::Unavailable, text);
    let addresses =
        resolve(host, port).map_err(|error| unavailable(format!("cannot find the host: {error}")))?;
    let limit = network.contimeout.map_or(limits::CONNECT, |seconds| Duration::from_secs(seconds.into()));
    let mut last = None;
    for address in addresses.iter().filter(|address| usable(address, network)) {
        let local = network.address.map(|local| SocketAddr::new(local, 0));
        match Stream::connect(address, local.as_ref(), limit) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                last = Some(format!("{address}: no connection within {} s", limit.as_secs()));
            }
            Err(error) => {
                let reason = crate::sys::error_words(&error);
                last = Some(format!("cannot connect to {address}: {reason}"));
            }
        }
    }
    Err(unavailable(
        last.unwrap_or_else(|| "the host has no address of the family that was asked for".into()),
    ))
}

fn usable(address: &SocketAddr, network: &Network) -> bool {
    let family = !(network.ipv4 && address.is_ipv6() || network.ipv6 && address.is_ipv4());
    family && network.address.is_none_or(|local| local.is_ipv4() == address.is_ipv4())
}
