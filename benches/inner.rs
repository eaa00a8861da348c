//! The inner pieces, each alone: lines written and read, two specifications compared, records sealed, a tree scanned.
//!
//! `cargo bench --bench inner` runs them, `cargo bench --bench inner -- NAME` those of a name.
#![allow(clippy::unwrap_used)] // as in tests: where nothing can be measured, nothing is

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use smsync::digest::{BlockDigests, Content};
use smsync::limits;
use smsync::path::{RelPath, Scope};
use smsync::plan::{Owners, Rules, compare};
use smsync::secret::Secret;
use smsync::spec::{Entry, Keywords, Kind, Spec, SpecWriter, Time};
use smsync::sys::tick::Tick;
use smsync::sys::{Dir, Spool};
use smsync::terms::Comparison;
use smsync::tree::{Root, Scan, View, scan};
use smsync::wire::noise::{Cipher, Initiator, Transport, respond};
use std::io::{Write, sink};

fn main() {
    divan::main();
}

/// Directories of a specification or a tree.
const DIRECTORIES: u32 = 100;
/// Files of each.
const FILES: u32 = 100;

/// Entries of a source tree.
fn entries() -> Vec<Entry<'static>> {
    let mut entries = vec![entry(RelPath::ROOT, Kind::Dir, 0)];
    for directory in 0..DIRECTORIES {
        let above = path(&RelPath::ROOT, &format!("module_{directory:03}"));
        entries.push(entry(above.clone(), Kind::Dir, directory));
        entries.extend((0..FILES).map(|file| {
            let path = path(&above, &format!("configuration_{file:07}.c"));
            entry(path, Kind::File, directory * FILES + file)
        }));
    }
    entries
}

fn path(above: &RelPath<'_>, name: &str) -> RelPath<'static> {
    above.join(name.as_bytes()).unwrap_or(RelPath::ROOT)
}

fn entry(path: RelPath<'static>, kind: Kind, number: u32) -> Entry<'static> {
    let file = kind == Kind::File;
    Entry {
        uname: Some(b"root".into()),
        uid: Some(0),
        gname: Some(b"root".into()),
        gid: Some(0),
        mode: Some(if file { 0o644 } else { 0o755 }),
        nlink: Some(1),
        size: file.then_some(u64::from(number) * 977 % 100_000),
        time: Some(Time { sec: 1_600_000_000 + i64::from(number) * 1009, nsec: number * 77_777 }),
        ..Entry::new(path, kind)
    }
}

fn spool() -> Spool {
    Spool::create(&Dir::open_root(&std::env::temp_dir()).unwrap()).unwrap()
}

fn written<W: Write>(entries: &[Entry<'_>], out: W) -> SpecWriter<W> {
    let mut writer = SpecWriter::new(out, Keywords::TRANSFER).unwrap();
    entries.iter().for_each(|entry| writer.push(entry).unwrap());
    writer
}

fn sealed() -> Spec {
    written(&entries(), spool()).seal().unwrap()
}

#[divan::bench]
fn write(bencher: Bencher<'_, '_>) {
    let entries = entries();
    bencher
        .counter(ItemsCount::new(entries.len()))
        .bench_local(|| drop(written(black_box(&entries), sink())));
}

/// Reads every line again.
#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let spec = sealed();
    bencher.counter(ItemsCount::new(spec.len())).bench_local(|| black_box(&spec).iter().count());
}

/// Maps what a peer sent and checks every line.
#[divan::bench]
fn seal(bencher: Bencher<'_, '_>) {
    let spec = sealed();
    let arrived = || {
        let mut spool = spool();
        spool.write_all(spec.bytes()).unwrap();
        spool
    };
    bencher
        .counter(ItemsCount::new(spec.len()))
        .with_inputs(arrived)
        .bench_local_values(|spool| Spec::seal(spool).unwrap());
}

/// Of two that are equal.
#[divan::bench]
fn plan(bencher: Bencher<'_, '_>) {
    let (want, have) = (sealed(), sealed());
    let owners = Owners::any(|_| Some(0), |_| Some(0));
    let comparison = Comparison::default();
    let rules = Rules {
        owners: &owners,
        delete: true,
        links: true,
        xattrs: true,
        comparison,
        tick: Tick::FINE,
        away: None,
    };
    bencher.counter(ItemsCount::new(want.len())).bench_local(|| compare(&want, &have, &[], &rules));
}

/// A tree of small files, as the sender sees it.
#[divan::bench]
fn walk(bencher: Bencher<'_, '_>) {
    let place = tempfile::tempdir().unwrap();
    for directory in 0..DIRECTORIES {
        let above = place.path().join(format!("module_{directory:03}"));
        std::fs::create_dir(&above).unwrap();
        for file in 0..FILES {
            std::fs::write(above.join(format!("configuration_{file:07}.c")), b"few").unwrap();
        }
    }
    let (root, scope) = (Root::open(place.path()).unwrap(), Scope::default());
    bencher.counter(ItemsCount::new(DIRECTORIES * FILES)).bench_local(|| {
        let keywords = Keywords::TRANSFER;
        let what = Scan {
            scope: &scope,
            keywords,
            one_file_system: false,
            sockets: true,
            view: View::Sender,
            stop: None,
            remembered: None,
        };
        let mut writer = SpecWriter::new(sink(), keywords).unwrap();
        scan(&root, what, &mut writer).unwrap()
    });
}

/// Both ends of a connection.
fn connected(cipher: Cipher) -> (Transport, Transport) {
    let secret = Secret::generate().unwrap();
    let (initiator, first) = Initiator::start(cipher, b"", &secret).unwrap();
    let (second, server) = respond(cipher, b"", &secret, &first).unwrap();
    (initiator.finish(&second).unwrap(), server)
}

/// A whole record sealed, and opened again.
#[divan::bench(args = [Cipher::AesGcm, Cipher::ChaChaPoly])]
fn record(bencher: Bencher<'_, '_>, cipher: &Cipher) {
    let (mut client, mut server) = connected(*cipher);
    let mut record = vec![7; limits::RECORD];
    bencher.counter(BytesCount::new(limits::RECORD)).bench_local(move || {
        record.truncate(limits::RECORD);
        let tag = client.seal.seal(&mut record).unwrap();
        record.extend_from_slice(&tag);
        server.open.open(&mut record).unwrap().len()
    });
}

/// Bytes of a block of a file of 2 GiB.
const BLOCK: usize = 45_056;

/// What the receiver tells of each block of an older file.
#[divan::bench]
fn block_sum(bencher: Bencher<'_, '_>) {
    let (digests, block) = (BlockDigests::new(7, BLOCK), vec![7; BLOCK]);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| digests.of(black_box(&block)));
}

/// What the sender computes of a block where it expects one.
#[divan::bench]
fn block_expected(bencher: Bencher<'_, '_>) {
    let (digests, block) = (BlockDigests::new(7, BLOCK), vec![7; BLOCK]);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| digests.keyed.of(black_box(&block)));
}

/// What it computes of each byte where it does not.
#[divan::bench]
fn block_roll(bencher: Bencher<'_, '_>) {
    let (digests, bytes) = (BlockDigests::new(7, BLOCK), vec![7; 2 * BLOCK]);
    let (out, coming) = bytes.split_at(BLOCK);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| {
        let roll = |sums, (out, coming): (&u8, &u8)| digests.rolling.roll(sums, *out, *coming);
        black_box(out).iter().zip(black_box(coming)).fold(digests.rolling.of(out), roll)
    });
}

/// The contents of a file.
#[divan::bench(args = [4096, limits::RECORD])]
fn digest(bencher: Bencher<'_, '_>, size: usize) {
    let contents = vec![7; size];
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        let mut content = Content::new();
        content.update(black_box(&contents));
        content.finish()
    });
}
