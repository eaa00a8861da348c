//! The trees of the benchmark: the same on every machine, by a generator of our own with a fixed seed.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a source tree is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Files with sizes as in a source tree: log-normal, with this many bytes as their median.
    Files { count: u32, median: u32 },
    /// The same below a directory, beside which there are four times as many others.
    Directory { count: u32, median: u32 },
    /// One file of so many bytes, none of them like others of it.
    One(u64),
}

impl Shape {
    /// How many files there are.
    pub(crate) fn files(self) -> u32 {
        match self {
            Shape::Files { count, .. } => count,
            Shape::Directory { count, .. } => 5 * count,
            Shape::One(_) => 1,
        }
    }
}

/// Of the logarithm of sizes: with it and a median of 4 KiB, 100,000 files are 1.06 GB.
const SIGMA: f64 = 1.379;
/// Files of one directory.
const PER_DIRECTORY: u32 = 100;
/// The directory of which the name is to change: it comes after all others.
pub(crate) const RENAMED: &str = "renamed";
/// Bytes that contents are cut from.
const NOISE: usize = 8 << 20;

/// Numbers that look random and are the same in every run: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `limit`, which must not be 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Normal with mean 0 and deviation 1: the sum of twelve numbers between 0 and 1, less 6.
    fn normal(&mut self) -> f64 {
        (0..12)
            .map(|_| f64::from(u32::try_from(self.next() >> 32).unwrap_or_default()) / 4_294_967_296.0)
            .sum::<f64>()
            - 6.0
    }
}

/// Makes contents, so many bytes at a time.
pub(crate) struct Contents {
    random: Random,
    noise: Vec<u8>,
}

impl Contents {
    pub(crate) fn new(seed: u64) -> Contents {
        let mut contents = Contents { random: Random(seed), noise: vec![0; NOISE] };
        contents.renew();
        contents
    }

    fn renew(&mut self) {
        self.noise
            .chunks_exact_mut(8)
            .for_each(|word| word.copy_from_slice(&self.random.next().to_le_bytes()));
    }

    /// Writes `size` bytes that were nowhere before.
    pub(crate) fn write_new(&mut self, file: &mut File, size: u64) -> Result<()> {
        let mut left = size;
        while left > 0 {
            self.renew();
            let piece = self.noise.get(..usize::try_from(left)?).unwrap_or(&self.noise);
            file.write_all(piece)?;
            left -= piece.len() as u64;
        }
        Ok(())
    }

    /// Writes `size` bytes, cut from the noise at places of their own.
    pub(crate) fn write(&mut self, file: &mut File, size: u64) -> Result<()> {
        let mut left = size;
        while left > 0 {
            let start = usize::try_from(self.random.below(NOISE as u64 / 2))?;
            let piece = self.noise.get(start..).unwrap_or_default();
            let piece = piece.get(..usize::try_from(left)?).unwrap_or(piece);
            file.write_all(piece)?;
            left -= piece.len() as u64;
        }
        Ok(())
    }
}

/// Makes the tree at `root`, which must not exist.
pub(crate) fn make(root: &Path, shape: Shape) -> Result<()> {
    let mut contents = Contents::new(1);
    fs::create_dir(root)?;
    match shape {
        Shape::One(size) => one(root, size, &mut contents),
        Shape::Files { count, median } => files(root, count, median, &mut contents),
        Shape::Directory { count, median } => files(&root.join("others"), 4 * count, median, &mut contents)
            .and_then(|()| files(&root.join(RENAMED), count, median, &mut contents)),
    }
    .with_context(|| format!("cannot make the tree {}", root.display()))
}

fn one(root: &Path, size: u64, contents: &mut Contents) -> Result<()> {
    let mut file = File::create_new(root.join("one"))?;
    contents.write_new(&mut file, size)?;
    settle(&file, 0o644, &mut contents.random)
}

fn files(root: &Path, count: u32, median: u32, contents: &mut Contents) -> Result<()> {
    let leaves = count.div_ceil(PER_DIRECTORY);
    let groups = f64::from(leaves).sqrt().ceil();
    for leaf in 0..leaves {
        let group = f64::from(leaf) % groups;
        let directory = root.join(format!("module_{group:03}")).join(format!("part_{leaf:05}"));
        fs::create_dir_all(&directory)?;
        for number in leaf * PER_DIRECTORY..count.min((leaf + 1) * PER_DIRECTORY) {
            small_file(&directory, number, median, contents)?;
        }
    }
    Ok(())
}

fn small_file(directory: &Path, number: u32, median: u32, contents: &mut Contents) -> Result<()> {
    const WORDS: [&str; 8] = ["io", "parse", "driver", "header", "test", "README", "configuration", "net"];
    const ENDS: [&str; 4] = ["c", "h", "rs", "txt"];
    let random = &mut contents.random;
    let (word, end, executable) = (random.below(8), random.below(4), random.below(20) == 0);
    let word = WORDS.get(usize::try_from(word)?).unwrap_or(&"x");
    let end = ENDS.get(usize::try_from(end)?).unwrap_or(&"x");
    let size = f64::from(median) * (SIGMA * random.normal()).exp();
    // Below 2^53 and not negative: the deviation is at most 6.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let size = size as u64;
    let mut file = File::create_new(directory.join(format!("{word}_{number:07}.{end}")))?;
    contents.write(&mut file, size)?;
    settle(&file, if executable { 0o755 } else { 0o644 }, &mut contents.random)
}

/// Gives a file its mode, and a time in the five years after 2020.
fn settle(file: &File, mode: u32, random: &mut Random) -> Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    let seconds = 1_577_836_800 + random.below(5 * 365 * 86_400);
    let time = Duration::new(seconds, u32::try_from(random.below(1_000_000_000))?);
    Ok(file.set_modified(SystemTime::UNIX_EPOCH + time)?)
}
