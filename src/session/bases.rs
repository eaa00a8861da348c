//! Files of the receiver that are older than those that are wanted in their places: of these, only what differs is sent.

use crate::digest::{BlockDigests, BlockSum};
use crate::install::{Basis, Known};
use crate::limits;
use crate::plan::{Action, Plan};
use crate::session::Error;
use crate::spec::{Index, Kind, Spec};
use crate::sys::{Buffer, File, threads};
use crate::tree::{Cursor, Root};
use crate::wire::{Message, Speaker};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// Older files, by the wanted ones.
#[derive(Debug)]
pub(super) struct Bases<'b> {
    root: &'b Root,
    have: &'b Spec,
    files: HashMap<Index, Base>,
}

/// One of them.
#[derive(Debug)]
struct Base {
    have: Index,
    known: Known,
    block: usize,
    key: u64,
    sums: Vec<BlockSum>,
}

/// Bytes of the blocks that are read at once, and one block at least: more take longer.
const PIECE: usize = 256 * 1024;

impl<'b> Bases<'b> {
    /// None.
    pub(super) fn none(root: &'b Root, have: &'b Spec) -> Bases<'b> {
        Bases { root, have, files: HashMap::new() }
    }

    /// Reads what is here in the places of these files, as far as they are large enough. What cannot be read is no help.
    pub(super) fn read(
        root: &'b Root,
        (want, have): (&Spec, &'b Spec),
        plan: &Plan,
        is_wanted: impl Fn(Index) -> bool,
    ) -> Bases<'b> {
        let mut bases = Bases::none(root, have);
        let mut cursor = Cursor::new(root, true);
        let mut left = limits::SUMS;
        for step in plan.steps.iter().filter(|step| step.action == Action::Fetch && is_wanted(step.want)) {
            let size = want.entry(step.want).size.unwrap_or_default();
            let there = step.have.map(|at| (at, have.entry(at)));
            let Some((at, there)) = there.filter(|(_, there)| there.kind == Kind::File) else { continue };
            let Some(block) = block(size.min(there.length()), size.max(there.length())) else { continue };
            if there.length() / block as u64 + limits::BASE as u64 > left as u64 {
                continue;
            }
            if let Ok((holder, name)) = cursor.holder(&there.path)
                && let Ok((file, stat)) = holder.open_file(name)
                && let key = RandomState::new().hash_one(block)
                && let digests = BlockDigests::new(key, block)
                && let Ok(sums) = sums(&file, stat.size.min(there.length()), &digests)
            {
                left = left.saturating_sub(limits::BASE + sums.len());
                let base = Base { have: at, known: Known::of(&stat), block, key, sums };
                bases.files.insert(step.want, base);
            }
        }
        bases
    }

    /// Whether there is one of this file.
    pub(super) fn has(&self, want: Index) -> bool {
        self.files.contains_key(&want)
    }

    /// Asks for a file of which there is one.
    pub(super) fn ask(&self, speaker: &mut Speaker<'_>, want: Index) -> Result<(), Error> {
        let Some(base) = self.files.get(&want) else { return Ok(()) };
        let block = u32::try_from(base.block).unwrap_or(u32::MAX);
        speaker.say(&Message::Base { index: want.get(), block, key: base.key })?;
        for sums in base.sums.chunks(limits::RECORD / BlockSum::LENGTH / 4) {
            let bytes: Vec<u8> = sums.iter().flat_map(BlockSum::bytes).copied().collect();
            speaker.say(&Message::Sums(&bytes))?;
        }
        Ok(())
    }

    /// How far the blocks of it go that were told.
    pub(super) fn reach(&self, want: Index) -> Option<u64> {
        self.files.get(&want).map(|base| (base.sums.len() * base.block) as u64)
    }

    /// Opens it, if it is still the one that was read.
    pub(super) fn open(&self, want: Index) -> io::Result<Basis> {
        let changed = || io::Error::from_raw_os_error(libc::ESTALE);
        let base = self.files.get(&want).ok_or_else(changed)?;
        let path = self.have.path(base.have);
        let mut cursor = Cursor::new(self.root, true);
        let (holder, name) = cursor.holder(&path)?;
        let (file, stat) = holder.open_file(name)?;
        if Known::of(&stat) == base.known { Ok(Basis::new(file, &stat)) } else { Err(changed()) }
    }
}

/// The size of blocks for a file of so many bytes, of which the larger of both has so many: about as many blocks as one has
/// bytes, or what differs in one place costs more than it needs, or the digests do.
fn block(smaller: u64, larger: u64) -> Option<usize> {
    let (least, most) = (*limits::BLOCKS.start(), *limits::BLOCKS.end());
    let root = usize::try_from(larger.isqrt()).unwrap_or(usize::MAX);
    let block = (root / least * least).max(least);
    (smaller >= limits::DELTA && block <= most).then_some(block)
}

/// The digests of the whole blocks of a file, which all threads read from one place on: so a disk likes it best.
fn sums(file: &File, size: u64, digests: &BlockDigests) -> io::Result<Vec<BlockSum>> {
    let count = usize::try_from(size / digests.block() as u64).unwrap_or_default();
    let mut sums = vec![BlockSum::default(); count];
    let at_once = (PIECE / digests.block()).max(1);
    let pieces = (0..).step_by(at_once).zip(sums.chunks_mut(at_once));
    let done = threads::spread(pieces, |mut pieces| {
        let mut buffer = Buffer::new(at_once * digests.block());
        let read = pieces.try_for_each(|(first, sums)| sums_from(file, digests, first, sums, &mut buffer));
        // What cannot be read is no help, and so the others need not read on.
        read.inspect_err(|_| pieces.end())
    });
    done.into_iter().collect::<io::Result<()>>()?;
    Ok(sums)
}

/// The digests of the blocks from this number on; the buffer has room for all of them.
fn sums_from(
    file: &File,
    digests: &BlockDigests,
    first: usize,
    sums: &mut [BlockSum],
    buffer: &mut Buffer,
) -> io::Result<()> {
    let block = digests.block();
    let space = buffer.get_mut(..sums.len() * block).unwrap_or_default();
    let mut done = 0;
    while done < space.len() {
        let rest = space.get_mut(done..).unwrap_or_default();
        match file.read_at(rest, (first * block + done) as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    for (sum, block) in sums.iter_mut().zip(space.chunks(block)) {
        *sum = digests.of(block);
    }
    Ok(())
}
