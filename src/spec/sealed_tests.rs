//! What is and what is not a canonical specification.

use super::*;
use crate::spec::{Kind, SpecWriter, Time};
use crate::sys::Dir;
use std::io::Write;
use std::path::Path;

fn spool() -> Spool {
    Spool::create(&Dir::open_root(Path::new("/tmp")).unwrap()).unwrap()
}

fn seal(text: &str) -> Result<Spec, SpecError> {
    let mut spool = spool();
    spool.write_all(text.as_bytes()).unwrap();
    Spec::seal(spool)
}

const TREE: &str = "#mtree\n\
    . type=dir uname=root uid=0 gname=root gid=0 mode=0755 time=1700000000.500000000\n\
    ./a type=dir uid=0 gid=0 mode=01777\n\
    ./a/f\\040g type=file mode=04755 size=5 time=-1.000000001 sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709\n\
    ./dev type=char mode=0 device=native,511,1048575\n\
    ./h type=file size=0 time=0.000000000 inode=12 resdevice=native,254,0\n\
    ./l type=link link=/no\\040where\n";

#[test]
fn reads_what_it_would_write() {
    let spec = seal(TREE).unwrap();
    assert_eq!(spec.len(), 6);
    let mut writer = SpecWriter::new(spool(), spec.keywords()).unwrap();
    for (_, entry) in spec.iter() {
        writer.push(&entry).unwrap();
    }
    let again = writer.seal().unwrap();
    assert_eq!(std::str::from_utf8(again.bytes()), Ok(TREE));
    let file = again.entry(again.index(2).unwrap());
    assert_eq!(file.path.as_bytes(), b"a/f g");
    assert_eq!((file.kind, file.mode, file.size), (Kind::File, Some(0o4755), Some(5)));
    assert_eq!(file.time, Some(Time { sec: -1, nsec: 1 }));
    assert!(spec.index(6).is_none());
}

#[test]
fn refuses_everything_else() {
    let file = "type=file size=1 time=1.000000000";
    let table: &[(&str, &str)] = &[
        ("", "line 1: the first line"),
        ("#mtree\n", "no entry"),
        ("#mtree\n. type=dir", "no end"),
        ("#mtree\n./a type=dir\n", "first entry"),
        ("#mtree\n. type=dir\n./.. type=dir\n", "'..'"),
        ("#mtree\n. type=dir\n./a/../b type=dir\n", "'..'"),
        ("#mtree\n. type=dir\n./\\056\\056 type=dir\n", "canonical"),
        ("#mtree\n. type=dir\n./a\\057b type=dir\n", "canonical"),
        ("#mtree\n. type=dir\n./a\\000 type=dir\n", "NUL"),
        ("#mtree\n. type=dir\n/etc type=dir\n", "start with"),
        ("#mtree\n. type=dir\n./ type=dir\n", "empty"),
        ("#mtree\n. type=dir\n./a/ type=dir\n", "empty"),
        ("#mtree\n. type=dir\n./b type=dir\n./a type=dir\n", "line 4: entries are doubled"),
        ("#mtree\n. type=dir\n./a type=dir\n./a type=dir\n", "doubled"),
        ("#mtree\n. type=dir\n./a type=link link=x\n./a/b type=dir\n", "not below"),
        ("#mtree\n. type=dir\n./a\n", "'type' is missing"),
        ("#mtree\n. type=dir\n./a type=door\n", "bad value of 'type'"),
        ("#mtree\n. type=dir bogus=1\n", "unknown keyword"),
        ("#mtree\n. type=dir optional=1\n", "bad value of 'optional'"),
        ("#mtree\n. type=dir mode=0755 uid=0\n", "out of order"),
        ("#mtree\n. type=dir uid=0 uid=0\n", "doubled"),
        ("#mtree\n. type=dir uid=4294967296\n", "bad value of 'uid'"),
        ("#mtree\n. type=dir uid=4294967295\n", "bad value of 'uid'"),
        ("#mtree\n. type=dir gid=-1\n", "bad value of 'gid'"),
        ("#mtree\n. type=dir gid=007\n", "bad value of 'gid'"),
        ("#mtree\n. type=dir mode=755\n", "bad value of 'mode'"),
        ("#mtree\n. type=dir mode=0888\n", "bad value of 'mode'"),
        ("#mtree\n. type=dir mode=010000\n", "bad value of 'mode'"),
        ("#mtree\n. type=dir time=1.5\n", "bad value of 'time'"),
        ("#mtree\n. type=dir time=9223372036854775808.000000000\n", "bad value of 'time'"),
        ("#mtree\n. type=dir time=-0.000000000\n", "bad value of 'time'"),
        ("#mtree\n. type=dir size=4\n", "'size' does not belong"),
        ("#mtree\n. type=dir link=x\n", "'link' does not belong"),
        ("#mtree\n. type=dir  uid=0\n", "unknown keyword"),
        ("#mtree\n. type=dir \n", "unknown keyword"),
        ("#mtree\n. type=dir\r\n", "bad value of 'type'"),
        ("#mtree\n\n. type=dir\n", "start with"),
        ("#mtree\n. type=dir\n# comment\n", "start with"),
        ("#mtree\n. type=dir\n./f type=file size=1\n", "'time' is missing"),
        ("#mtree\n. type=dir\n./f type=file time=1.000000000\n", "'size' is missing"),
        (
            "#mtree\n. type=dir\n./f type=file size=18446744073709551616 time=1.000000000\n",
            "bad value of 'size'",
        ),
        (
            "#mtree\n. type=dir\n./f type=file size=9223372036854775808 time=1.000000000\n",
            "bad value of 'size'",
        ),
        ("#mtree\n. type=dir\n./l type=link\n", "'link' is missing"),
        ("#mtree\n. type=dir\n./l type=link link=\n", "bad value of 'link'"),
        ("#mtree\n. type=dir\n./c type=char\n", "'device' is missing"),
        ("#mtree\n. type=dir\n./c type=char device=0x103\n", "bad value of 'device'"),
        ("#mtree\n. type=dir\n./c type=char device=native,1\n", "bad value of 'device'"),
        ("#mtree\n. type=dir\n./c type=char device=native,1,2,3\n", "bad value of 'device'"),
        ("#mtree\n. type=dir inode=1 resdevice=native,1,2\n", "'inode' does not belong"),
        ("#mtree\n. type=dir ignore=1\n", "bad value of 'ignore'"),
        ("#mtree\n. type=dir uid\n", "bad value of 'uid'"),
    ];
    for (text, expected) in table {
        let error = seal(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    for (tail, expected) in [
        ("ignore", "'ignore' does not belong"),
        ("inode=1", "'resdevice' is missing"),
        ("md5=AA", "bad value of 'md5'"),
    ] {
        let text = format!("#mtree\n. type=dir\n./f {file} {tail}\n");
        let error = seal(&text).expect_err(tail).to_string();
        assert!(error.contains(expected), "{tail}: {error}");
    }
}

#[test]
fn a_line_has_a_limit() {
    let text = format!("#mtree\n. type=dir\n./a type=link link={}\n", "x".repeat(limits::SPEC_LINE));
    assert!(matches!(seal(&text), Err(SpecError { line: 3, fault: SpecFault::Length })));
}

#[test]
fn what_a_writer_seals_can_be_read() {
    // Every subset of what canonical entries need, and of the pair that names an inode.
    let whole = Keywords::TRANSFER;
    for left_out in
        [Keyword::Device, Keyword::Link, Keyword::Size, Keyword::Time, Keyword::Inode, Keyword::Resdevice]
    {
        let writer = SpecWriter::new(spool(), whole.without(Keywords::of(&[left_out]))).unwrap();
        assert_eq!(writer.seal().unwrap_err().kind(), io::ErrorKind::InvalidInput, "{left_out:?}");
    }
    let mut writer = SpecWriter::new(spool(), whole).unwrap();
    let root = Entry::new(RelPath::ROOT, Kind::Dir);
    writer.push(&root).unwrap();
    let file = |size| Entry {
        size: Some(size),
        time: Some(Time { sec: 0, nsec: 0 }),
        ..Entry::new(RelPath::new(&b"f"[..]).unwrap(), Kind::File)
    };
    let error = writer.push(&file(limits::FILE_SIZE + 1)).unwrap_err();
    assert!(error.to_string().contains("'size'"), "{error}");
}

#[test]
fn an_index_is_its_number() {
    for number in [0, 1, 255, 256, 65_535, 65_536, limits::SPEC_ENTRIES - 1] {
        assert_eq!(Index::of(number).get(), number);
        assert!(number == 0 || Index::of(number - 1) < Index::of(number));
    }
}

#[test]
fn what_repeats_is_counted_up_to_the_first_line_that_does_not() {
    const HEAD: &str = "#mtree\n. type=dir\n";
    let spec = |line: &dyn Fn(u32) -> String| {
        seal(&(0..500).map(line).fold(HEAD.to_string(), |text, line| text + &line)).unwrap()
    };
    let file =
        |at: u32, mode: &str, nanos: u32| format!("./f{at:05} type=file{mode} size={at} time=1.{nanos:09}\n");
    let count = |one: &Spec, from: u32, other: &Spec, at: u32| {
        one.repeats(one.index(from).unwrap(), other, other.index(at).unwrap())
    };
    let plain = spec(&|at| file(at, "", 0));
    assert_eq!([0, 1, 499, 500].map(|from| count(&plain, from, &plain, from)), [501, 500, 2, 1]);
    assert_eq!(count(&plain, 1, &plain, 2), 0);
    // Wherever the first other line stands, and whether it is longer, is other in its last byte, or is not there.
    for other in 0..500 {
        let longer = spec(&|at| file(at, if at == other { " mode=0600" } else { "" }, 0));
        let last = spec(&|at| file(at, "", u32::from(at == other)));
        for (one, two) in [(&plain, &longer), (&longer, &plain), (&plain, &last)] {
            assert_eq!(count(one, 0, two, 0), other + 1, "{other}");
            assert_eq!(count(one, other + 1, two, other + 1), 0, "{other}");
            let rest = one.index(other + 2).map(|_| count(one, other + 2, two, other + 2));
            assert_eq!(rest.unwrap_or_default(), 499 - other);
        }
        let cut = seal(&(0..other).fold(HEAD.to_string(), |text, at| text + &file(at, "", 0))).unwrap();
        assert_eq!((count(&plain, 0, &cut, 0), count(&cut, 0, &plain, 0)), (other + 1, other + 1));
    }
    // What is said of more than the path of its line.
    for other in ["type=dir ignore", "type=file size=7 time=1.000000000 inode=7 resdevice=native,1,2"] {
        let marked =
            spec(&|at| if at % 100 == 50 { format!("./f{at:05} {other}\n") } else { file(at, "", 0) });
        let alone = |from, count| marked.alone(marked.index(from).unwrap(), count);
        assert_eq!(count(&marked, 0, &marked, 0), 501);
        assert_eq!(
            [alone(0, 501), alone(0, 51), alone(0, 9), alone(51, 400), alone(52, 400)],
            [51, 51, 9, 0, 99]
        );
    }
    assert_eq!(plain.alone(Index::ROOT, 501), 501);
}
