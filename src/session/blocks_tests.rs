//! What is found of one content in another: everything that can be, and in time that grows with the content only.

use super::*;

const KEY: u64 = 0x0fed_cba9_8765_4321;

/// Noise that is the same each time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// The content put together again of what is new and what is kept, how much of it is new, and how much was digested.
fn through(old: &[u8], new: &[u8], block: usize, pieces: usize) -> (Vec<u8>, usize, usize) {
    let digests = BlockDigests::new(KEY, block);
    let sums: Vec<BlockSum> = old.chunks_exact(block).map(|block| digests.of(block)).collect();
    let blocks = Blocks::new(digests.clone(), &sums);
    let mut search = Search::new(&blocks);
    let (mut made, mut fresh, mut rest) = (Vec::new(), 0, new);
    loop {
        let read = |space: &mut [u8]| {
            let length = space.len().min(rest.len()).min(pieces);
            space[..length].copy_from_slice(&rest[..length]);
            rest = &rest[length..];
            Ok(length)
        };
        let over = search.read(u64::MAX, read).unwrap().is_empty();
        while let Some(part) = search.part(over) {
            match part {
                Part::New(bytes) => {
                    fresh += bytes.len();
                    made.extend_from_slice(bytes);
                }
                Part::Kept(number) => {
                    let at = number as usize * block;
                    made.extend_from_slice(&old[at..at + block]);
                }
            }
        }
        if over {
            return (made, fresh, search.work);
        }
    }
}

#[test]
fn what_is_kept_is_found() {
    let old = noise(1, 100_000);
    let with = |at: usize, cut: usize, put: &[u8]| [&old[..at], put, &old[at + cut..]].concat();
    let moved = [&old[50_000..], &old[..50_000]].concat();
    let mut elsewhere = old.clone();
    for (block, other) in [(10, 700), (20, 3), (21, 500), (30, 999), (31, 0), (32, 1), (33, 2), (999, 5)] {
        elsewhere[block * 100..][..100].copy_from_slice(&old[other * 100..][..100]);
    }
    // The new content, and how many bytes of it are new at most, for blocks of 100.
    let table = [
        ("the same", old.clone(), 0),
        ("a byte in front", with(0, 0, b"x"), 1),
        ("bytes in front", with(0, 0, &noise(2, 777)), 777),
        ("a byte in the middle", with(33_333, 0, b"x"), 200),
        ("a byte changed", with(44_444, 1, b"x"), 100),
        ("blocks changed", with(40_050, 230, &noise(9, 230)), 300),
        ("more blocks changed", with(40_050, 730, &noise(9, 730)), 900),
        ("blocks changed at the end", with(99_650, 230, &noise(9, 230)), 300),
        ("the end changed", with(99_850, 150, &noise(9, 150)), 200),
        ("blocks that are elsewhere", elsewhere, 0),
        ("a part cut out", with(20_050, 1000, b""), 200),
        ("the end cut off", old[..99_950].to_vec(), 50),
        ("more at the end", with(100_000, 0, &noise(3, 950)), 950),
        ("halves swapped", moved, 0),
        ("each block twice", old.chunks(100).flat_map(|block| [block, block].concat()).collect(), 0),
        ("all new", noise(4, 100_000), 100_000),
        ("shorter than a block", old[..99].to_vec(), 99),
        ("nothing", Vec::new(), 0),
    ];
    for (what, new, most) in table {
        for pieces in [usize::MAX, 4096, 101, 7] {
            let (made, fresh, work) = through(&old, &new, 100, pieces);
            assert!(made == new, "{what}, {pieces}");
            assert!(fresh <= most, "{what}, {pieces}: {fresh} bytes are new");
            assert!(work <= 3 * new.len() + 300, "{what}, {pieces}: {work}");
        }
    }
}

/// Where blocks were changed in place, the next one is where it was: nothing is digested byte by byte.
#[test]
fn what_was_changed_in_place_takes_no_longer() {
    let (block, old) = (100, noise(1, 100_000));
    for changed in 1..=IN_PLACE + 1 {
        let mut new = old.clone();
        new[50_000..50_000 + changed * block].copy_from_slice(&noise(2, changed * block));
        for pieces in [usize::MAX, 101, 7] {
            let (made, fresh, work) = through(&old, &new, block, pieces);
            assert!(made == new && fresh == changed * block);
            // The first block is sought. Of those that are others the first is looked at besides; each is looked at once
            // ahead, and looked for once, and the one behind them is looked at twice.
            let in_place = changed <= IN_PLACE;
            let most = new.len() + if in_place { (3 + 3 * changed) * block } else { 15 * block };
            assert!(work <= most, "{changed}, {pieces}: {work}");
        }
    }
}

#[test]
fn nothing_to_find_anything_in() {
    let new = noise(1, 10_000);
    for old in [&b""[..], b"too short"] {
        let (made, fresh, _) = through(old, &new, 100, usize::MAX);
        assert!(made == new && fresh == new.len());
    }
}

/// However often the content repeats itself, each byte is digested three times at most: by the keyed digest where the next
/// block is expected, by the rolling one, and once more when it moves on.
#[test]
fn what_repeats_itself_takes_no_longer() {
    let length = 1 << 28;
    let zeros = vec![0; length];
    let (made, fresh, work) = through(&zeros, &zeros, 1 << 14, usize::MAX);
    assert!(made == zeros && fresh == 0 && work <= length + (1 << 15), "{fresh} {work}");
    let length = 1 << 22;
    let periodic = |period: usize, from: u8| -> Vec<u8> {
        (0..length).map(|at| from + u8::try_from(at % period).unwrap()).collect()
    };
    for (old, new) in [
        (periodic(251, 0), periodic(251, 1)),
        (periodic(7, 0), periodic(7, 3)),
        (periodic(7, 0), periodic(5, 0)),
        (vec![0; length], periodic(2, 0)),
    ] {
        let (made, _, work) = through(&old, &new, 4096, usize::MAX);
        assert!(made == new && work <= 3 * length, "{work}");
    }
}

/// Four gibibytes, of which each block is each of the other file's. What is read is never anywhere but in the window, which
/// is full of zeros.
#[test]
fn four_gibibytes_of_equal_blocks() {
    let (length, block) = (1usize << 32, 1 << 16);
    let digests = BlockDigests::new(KEY, block);
    let sums = vec![digests.of(&vec![0; block]); length / block];
    let blocks = Blocks::new(digests.clone(), &sums);
    let mut search = Search::new(&blocks);
    let (mut left, mut kept) = (length, 0);
    while left > 0 {
        let piece = search.read(left as u64, |space| Ok(space.len())).unwrap().len();
        left -= piece;
        while let Some(part) = search.part(left == 0) {
            assert_eq!(part, Part::Kept(kept));
            kept += 1;
        }
    }
    assert_eq!(kept as usize, length / block);
    assert!(search.work <= length + 2 * block, "{}", search.work);
}

/// The same sums as a block of equal bytes, and other bytes: three in a row that are one more, two less and one more.
fn like_equal(byte: u8, block: usize, place: usize) -> Vec<u8> {
    let mut bytes = vec![byte; block];
    bytes[place..place + 3].copy_from_slice(&[byte + 1, byte - 2, byte + 1]);
    bytes
}

/// Whoever writes a file of which every place has the rolling digest of a block makes us compute keyed ones in vain, a
/// bounded number of times; what is the same behind it is found.
#[test]
fn chosen_contents_take_no_longer() {
    let (block, length) = (4096, 1 << 22);
    let mut old: Vec<u8> = (0..1000).flat_map(|number| like_equal(100, block, number * 4)).collect();
    let digests = BlockDigests::new(KEY, block);
    let rolling = |block: &[u8]| digests.of(block).rolling();
    assert!(old.chunks(block).all(|other| rolling(other) == rolling(&vec![100; block])));
    let mut new = vec![100; length];
    let (made, fresh, work) = through(&old, &new, block, usize::MAX);
    assert!(made == new && fresh == length);
    // In vain it was, as often as it may be, and not more often.
    assert!(work > IN_VAIN * length && work <= (IN_VAIN + 2) * (length + block), "{work}");
    let same = noise(5, 1 << 20);
    old.extend_from_slice(&same);
    new.extend_from_slice(&same);
    let (made, fresh, _) = through(&old, &new, block, usize::MAX);
    assert!(made == new && fresh == length, "{fresh}");
}

/// A table in which all have the same place would be searched for ever.
#[test]
fn no_place_is_chosen_by_who_chooses_the_sums() {
    let digests = BlockDigests::new(KEY, 4096);
    for (rolling, keyed) in [(24, 0), (0, 24), (8, 16)] {
        let sum = |number: u64| BlockSum::new(number << rolling, number << keyed);
        let sums: Vec<BlockSum> = (0..1 << 16).map(sum).collect();
        let blocks = Blocks::new(digests.clone(), &sums);
        for table in [&blocks.rolling, &blocks.both] {
            let (mut run, mut longest) = (0, 0);
            for number in &table.places {
                run = if *number == NONE { 0 } else { run + 1 };
                longest = longest.max(run);
            }
            assert!(longest < 1 << 12, "{longest}");
        }
        assert!((0..).zip(&sums).all(|(number, sum)| blocks.look(*sum) == Some(number)));
        assert!(sums.iter().all(|sum| blocks.may_have(sum.rolling())));
    }
}
