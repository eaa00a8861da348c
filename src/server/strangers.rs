//! Connections that have not proven a secret yet: they have places of their own, which nobody keeps for long.
//!
//! Whoever holds a place may only wait for the greeting. When none is free, the oldest connection of the address that
//! has most of them is ended: a flood takes places from itself, and never from a client that knows a secret, which is
//! through in milliseconds. The places are slots of a file, so that this holds whoever starts the processes: inetd, xinetd,
//! systemd or our own listener; and no confined session reaches it, since who is named there may be ended.

use crate::limits;
use crate::sys::slots::{RECORD, Slots};
use crate::sys::stdio::Peer;
use crate::sys::{Dir, clock, process};
use core::net::{IpAddr, Ipv6Addr};
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

/// The file of the places.
const NAME: &[u8] = b"strangers";
/// How long whoever found no place waits for one that is being left.
const NAP: Duration = Duration::from_millis(2);

/// A place among the strangers.
#[derive(Debug)]
pub(super) struct Place {
    slots: Slots,
    at: u32,
}

/// Who holds a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    process: u32,
    /// When it came, in nanoseconds since 1970.
    since: u64,
    from: Ipv6Addr,
}

/// What came of asking for a place.
#[derive(Debug)]
pub(super) struct Admission {
    /// None, if none became free in time.
    pub(super) place: Option<Place>,
    /// Those that had to give way.
    pub(super) ended: Vec<IpAddr>,
}

/// Takes a place for a connection from this peer.
///
/// # Errors
/// The file cannot be used.
pub(super) fn admit(kept: &Dir, peer: &Peer) -> io::Result<Admission> {
    let slots = Slots::in_dir(kept, NAME)?;
    let (sec, nsec) = clock::now();
    let since = u64::try_from(sec).unwrap_or_default().saturating_mul(1_000_000_000);
    let us = Holder { process: process::id(), since: since.saturating_add(nsec.into()), from: address(peer) };
    let deadline = Instant::now() + limits::ADMISSION;
    let mut ended = Vec::new();
    loop {
        // Under the gate what a held place says is of its holder: it is taken and written in one step.
        let Some(gate) = slots.gate(deadline)? else { return Ok(Admission { place: None, ended }) };
        if let Some(at) = slots.take(limits::STRANGERS)? {
            slots.write(at, &us.bytes())?;
            drop(gate);
            return Ok(Admission { place: Some(Place { slots, at }), ended });
        }
        let mut holders = Vec::new();
        for at in 0..limits::STRANGERS {
            holders.extend(Holder::read(&slots.read(at)?).map(|holder| (at, holder)));
        }
        if let Some((at, holder)) = victim(&holders)
            && process::end_if(holder.process, || slots.is_held(at).unwrap_or(false))
        {
            // Who comes meanwhile finds another one.
            slots.write(at, &[])?;
            ended.push(holder.from.to_canonical());
        }
        drop(gate);
        std::thread::sleep(NAP);
        if Instant::now() >= deadline {
            return Ok(Admission { place: None, ended });
        }
    }
}

impl Place {
    /// Leaves the place: the connection has proven a secret. From then on nobody ends it for another's sake.
    pub(super) fn leave(self) -> io::Result<()> {
        // Whoever holds the gate may be about to end us, and must not do so any more once we have left.
        let gate = self.slots.gate(Instant::now() + limits::ADMISSION)?;
        self.slots.leave(self.at);
        drop(gate);
        Ok(())
    }
}

impl Holder {
    fn bytes(self) -> Vec<u8> {
        [&self.process.to_be_bytes()[..], &self.since.to_be_bytes(), &self.from.octets()].concat()
    }

    /// None in a place that was never taken.
    fn read(record: &[u8; RECORD]) -> Option<Holder> {
        let (process, rest) = record.split_first_chunk()?;
        let (since, rest) = rest.split_first_chunk()?;
        let process = u32::from_be_bytes(*process);
        let from = Ipv6Addr::from(*rest.first_chunk::<16>()?);
        (process != 0).then_some(Holder { process, since: u64::from_be_bytes(*since), from })
    }
}

/// The address of a peer as one of IPv6; the unspecified one for a process of this host.
fn address(peer: &Peer) -> Ipv6Addr {
    match peer {
        Peer::Inet(address) => match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        },
        Peer::Local => Ipv6Addr::UNSPECIFIED,
    }
}

/// Addresses that count as one: a host of IPv6 has as many as it likes of the network that it is in.
fn network(address: Ipv6Addr) -> u128 {
    let bits = if address.to_ipv4_mapped().is_some() { 128 } else { 64 };
    address.to_bits() >> (128 - bits)
}

/// Who is to give way: the oldest from where most come.
fn victim(holders: &[(u32, Holder)]) -> Option<(u32, Holder)> {
    let mut counts = HashMap::<u128, usize>::new();
    holders.iter().for_each(|(_, holder)| *counts.entry(network(holder.from)).or_default() += 1);
    let count = |holder: &Holder| counts.get(&network(holder.from)).copied().unwrap_or_default();
    holders.iter().copied().max_by_key(|(_, holder)| (count(holder), std::cmp::Reverse(holder.since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(process: u32, since: u64, from: &str) -> Holder {
        let peer = Peer::Inet((from.parse::<IpAddr>().unwrap(), 1).into());
        Holder { process, since, from: address(&peer) }
    }

    #[test]
    fn the_oldest_of_those_who_are_most_gives_way() {
        let old = holder(1, 1, "192.0.2.1");
        let many = [holder(2, 5, "192.0.2.2"), holder(3, 4, "192.0.2.2"), holder(4, 6, "192.0.2.2")];
        let holders: Vec<_> = (0u32..).zip([&[old][..], &many].concat()).collect();
        assert_eq!(victim(&holders), Some((2, many[1])));
        // Those of one network of IPv6 are one.
        let one = [holder(1, 3, "2001:db8::1"), holder(2, 2, "2001:db8::2"), holder(3, 1, "2001:db8:0:1::1")];
        let holders: Vec<_> = (0u32..).zip(one).collect();
        assert_eq!(victim(&holders), Some((1, one[1])));
        assert_eq!(victim(&[]), None);
    }

    #[test]
    fn a_holder_is_read_as_it_was_written() {
        let written = holder(77, u64::MAX, "2001:db8::1");
        let mut record = [0; RECORD];
        record.iter_mut().zip(written.bytes()).for_each(|(to, from)| *to = from);
        assert_eq!(Holder::read(&record), Some(written));
        assert_eq!(Holder::read(&[0; RECORD]), None);
    }
}
