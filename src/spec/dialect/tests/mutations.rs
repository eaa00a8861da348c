//! Nothing that is read makes the reader panic, and what it makes of it is sound.

use super::{line, read, said};
use crate::spec::{Keyword, Keywords};

/// Pieces that mean something to the reader.
const PIECES: &[&str] = &[
    "\n",
    " ",
    "\\\n",
    "\\",
    "#",
    "=",
    "/",
    "..",
    ".",
    "./",
    "./a",
    "./a/b",
    "\r\n",
    "\0",
    "\\M-",
    "\\^",
    "\\057",
    "\\x2",
    "type=",
    "type=dir",
    "type=file",
    "type=link",
    "type=socket",
    "type=char",
    "link=x",
    "size=",
    "size=1",
    "mode=u+",
    "mode=0644",
    "time=1.5",
    "time=-",
    "uid=4294967295",
    "uid=7",
    "uname=r",
    "device=native,1,2",
    "device=linux,",
    "0x",
    "inode=1",
    "resdevice=1",
    "ignore",
    "optional",
    "nochange",
    "sha512256digest=0",
    "md5=0",
    "cksum=7",
    "/set ",
    "/unset all",
    "/unset ",
    ",",
    "-",
    "99999999999999999999",
    "\u{ff}",
];

/// A well-known sequence, so that a failure is the same everywhere.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound
    }
}

const SEED: &str = "#mtree\n/set type=file uname=root mode=0644\n. type=dir time=1.5\n./a\\040b type=dir\n  c size=3 \\\n\
    \tmode=u=rw,go=r # x\n..\n./d\\M-# type=link link=x\\sy\n./e/f type=char device=native,1,2\n./g type=socket\n\
    uid=7 type=fifo ./h\n./i inode=3 resdevice=native,8,1 size=1 time=1.000000001 cksum=7\n";

fn mutated(random: &mut Xorshift) -> Vec<u8> {
    let mut text = if random.below(4) == 0 { Vec::new() } else { SEED.as_bytes().to_vec() };
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(20)).min(text.len());
        match random.below(4) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, text[at..end].to_vec())),
            2 => drop(text.splice(at..at, [u8::try_from(random.below(256)).unwrap()])),
            _ => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
        }
    }
    text
}

#[test]
fn twenty_thousand_mutations() {
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    let mut read_well = 0;
    for _ in 0..20_000 {
        let text = mutated(&mut random);
        let Ok(reading) = read(&text) else { continue };
        read_well += 1;
        // The order is checked by `said`; what was read, written down and read again must be the same.
        said(&text);
        let mut canonical = Vec::new();
        reading
            .entries
            .iter()
            .for_each(|entry| line::write(entry, Keywords::of(&Keyword::ALL), &mut canonical));
        assert_eq!(read(&canonical).unwrap().entries, reading.entries, "{}", String::from_utf8_lossy(&text));
    }
    // Neither all nor none: the mutations reach the far end of the reader.
    assert!((500..19_500).contains(&read_well), "{read_well}");
}
