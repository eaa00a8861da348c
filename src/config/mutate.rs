//! Damaged configurations for tests: the same ones in every run.

/// What a configuration is made of, and what it must not be made of.
const PIECES: &[&[u8]] = &[
    b"\\\n",
    b"\r\n",
    b"\n",
    b" ",
    b"\t",
    b"=",
    b"#",
    b";",
    b"[",
    b"]",
    b"[m]\n",
    b"[[::1]:1::m]\n",
    b"::",
    b":",
    b"\\",
    b"\0",
    b"\x1b[2J",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\npath = /x\n",
    b"\nsecret = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    b"\nuser = zoe\n",
    b"\nport = 99999999999999999999\n",
    b"\nread only = maybe\n",
    b"yes",
    b"0",
    b"-1",
];

/// Marsaglia's xorshift, 64 bits.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// `count` damaged versions of a good configuration.
pub(crate) fn mutations(good: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(0x5eed_0f5a_5e11_f1e5);
    (0..count).map(move |_| {
        let mut bytes = good.to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        bytes
    })
}

/// One piece of damage.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(40)).min(bytes.len());
    match random.below(6) {
        0 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.truncate(at),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        _ => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
    }
}
