//! The values of keywords, and their limits.

use super::check;

/// Checks one keyword of an entry of this kind; an empty canonical form means that nothing is left of it.
#[track_caller]
fn value(kind: &str, word: &str, canonical: &str) {
    let space = if canonical.is_empty() { "" } else { " " };
    check(format!("./a type={kind} {word}"), &format!("./a type={kind}{space}{canonical}"));
}

/// Checks that values of a keyword are refused.
#[track_caller]
fn bad(kind: &str, keyword: &str, values: &[&str]) {
    for value in values {
        check(format!("./a type={kind} {keyword}={value}"), &format!("line 1: bad value of '{keyword}'"));
    }
}

#[test]
fn times() {
    for (word, canonical) in [
        ("5", "5.000000000"),
        ("5.0", "5.000000000"),
        ("1.", "1.000000000"),
        (".5", "0.000000005"),
        ("978307201.1", "978307201.000000001"),
        ("1704164645.6007008", "1704164645.006007008"),
        ("1704164645.006007008", "1704164645.006007008"),
        ("1700000000.500000000", "1700000000.500000000"),
        ("-315619200.500000000", "-315619200.500000000"),
        ("-5.7", "-5.000000007"),
        ("007.0000000000007", "7.000000007"),
        ("9223372036854775807.999999999", "9223372036854775807.999999999"),
        ("-9223372036854775808.0", "-9223372036854775808.000000000"),
    ] {
        value("fifo", &format!("time={word}"), &format!("time={canonical}"));
        value("fifo", &format!("tar_time={word}"), &format!("time={canonical}"));
    }
    bad("fifo", "time", &["x", ".", "-", "-.5", "-5.-7", "5.-7", "+5", "5.1e3", "0x10", "1.2.3"]);
    bad(
        "fifo",
        "time",
        &["1.1000000000", "1.9999999999999", "9223372036854775808", "-9223372036854775809.0"],
    );
    bad("fifo", "time", &["99999999999999999999.0"]);
    bad("fifo", "tar_time", &["1.1000000000"]);
}

#[test]
fn modes() {
    for (word, canonical) in [
        ("0644", "0644"),
        ("644", "0644"),
        ("04755", "04755"),
        ("7777", "07777"),
        ("0", "0"),
        ("0000755", "0755"),
        ("u=rw,go=r", "0644"),
        ("u=rw,g=r", "0640"),
        ("a+x", "0111"),
        // As umask 0 would have it.
        ("+rw", "0666"),
        ("=rwx,u+t", "01777"),
        ("u=rwxs,g=u", "04770"),
        ("ug+s", "06000"),
        ("o+s", "0"),
        ("+t", "01000"),
        ("o+t", "0"),
        ("a=rwx,o-w", "0775"),
        ("u+rw-r", "0200"),
        ("ug=rw,o=u", "0666"),
        ("u=rwX", "0600"),
        ("=", "0"),
    ] {
        value("fifo", &format!("mode={word}"), &format!("mode={canonical}"));
    }
    value("link", "mode=0755 link=x", "mode=0755 link=x");
    bad(
        "fifo",
        "mode",
        &["0888", "0100644", "010000", "8", "rw", "u", "u=rw,", ",u=r", "u=q", "u=rg", "-1", "0x1ff"],
    );
    bad("fifo", "mode", &["77777777777777777777777777"]);
}

#[test]
fn owners() {
    for (word, canonical) in [("0", "0"), ("007", "7"), ("99999", "99999"), ("4294967294", "4294967294")] {
        value("fifo", &format!("uid={word}"), &format!("uid={canonical}"));
        value("fifo", &format!("gid={word}"), &format!("gid={canonical}"));
    }
    for keyword in ["uid", "gid"] {
        bad(
            "fifo",
            keyword,
            &["-1", "4294967295", "4294967296", "0x10", "root", "1.", "18446744073709551616"],
        );
    }
    for (word, canonical) in [
        ("root", "root"),
        ("12345", "12345"),
        ("domain\\040users", "domain\\040users"),
        ("D\\134bob", "D\\134bob"),
        // mtree(8) writes names as they are, and no name holds a backspace.
        ("D\\bob", "D\\134bob"),
        ("D\\12b", "D\\13412b"),
    ] {
        value("fifo", &format!("uname={word}"), &format!("uname={canonical}"));
        value("fifo", &format!("gname={word}"), &format!("gname={canonical}"));
    }
    bad("fifo", "uname", &["\\000", &"u".repeat(256)]);
}

#[test]
fn devices() {
    for (word, canonical) in [
        ("0x107", "1,7"),
        ("263", "1,7"),
        ("0407", "1,7"),
        ("0", "0,0"),
        ("0x801", "8,1"),
        // 511, 1048575 in the 32 bits of NetBSD's mtree; 64 bits with glibc's makedev(0x12345678, 0x9abcdef0).
        ("0xfff1ffff", "511,1048575"),
        ("0x123459abcde678f0", "305419896,2596069104"),
        ("native,511,1048575", "511,1048575"),
        ("native,0x1,010", "1,8"),
        ("native,4294967295,4294967295", "4294967295,4294967295"),
        ("linux,8,1", "8,1"),
        ("linux,259,300", "259,300"),
        ("netbsd,300,70000", "300,70000"),
        ("freebsd,4,255", "4,255"),
        ("386bsd,1,2", "1,2"),
        ("4bsd,1,2", "1,2"),
        ("isc,1,2", "1,2"),
        ("sco,1,2", "1,2"),
        ("sunos,1,2", "1,2"),
        ("svr3,1,2", "1,2"),
        ("ultrix,255,255", "255,255"),
    ] {
        for kind in ["block", "char"] {
            value(kind, &format!("device={word}"), &format!("device=native,{canonical}"));
        }
        value("fifo", &format!("inode=7 resdevice={word}"), &format!("inode=7 resdevice=native,{canonical}"));
    }
    bad(
        "char",
        "device",
        &["0x", "fff", "08", "-1", "0x10000000000000000", "native,1", "native,1,2,3", "native,1,"],
    );
    bad(
        "char",
        "device",
        &["native,-1,2", "native,4294967296,0", "netbsd,4096,0", "netbsd,0,1048576", "sco,256,0"],
    );
    // What Linux would put into other bits is another device.
    bad("char", "device", &["freebsd,4,256", "ultrix,1,256"]);
    for format in ["bsdos", "hpux", "osf1", "solaris", "svr4", "foo", "NATIVE"] {
        check(
            format!("./a type=char device={format},1,2"),
            &format!("line 1: device numbers of format '{format}' mean another device here"),
        );
    }
    check("./a type=char device=bsdos,1,2,3", "'bsdos'");
}

#[test]
fn numbers() {
    value("file", "size=0", "size=0");
    value("file", "size=9007199254740992", "size=9007199254740992");
    bad("file", "size", &["-1", "0x10", "1k", "9007199254740993", "99999999999999999999"]);
    value("file", "nlink=3", "nlink=3");
    value("dir", "nlink=3", "nlink=3");
    value("file", "nlink=99999999999", "nlink=99999999999");
    bad("file", "nlink", &["-1", "x", "18446744073709551616"]);
    bad("file", "inode", &["-1", "18446744073709551616"]);
    bad("file", "type", &["door", "File", "regular"]);
}

#[test]
fn digests() {
    let md5 = "b1946ac92492d2347c6235b4d2611184";
    let sha1 = "f572d396fae9206628714fb2ce00f72e94f2258f";
    let rmd160 = "0057b0dc5aac7c215a9a458d6c3c85cd21089af8";
    let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let (sha384, sha512) = ("1d".repeat(48), "e7".repeat(64));
    for (canonical, names, hex) in [
        ("md5", &["md5", "md5digest"][..], md5),
        ("rmd160", &["rmd160", "rmd160digest", "ripemd160digest"], rmd160),
        ("sha1", &["sha1", "sha1digest"], sha1),
        ("sha256", &["sha256", "sha256digest"], sha256),
        ("sha384", &["sha384", "sha384digest"], &sha384),
        ("sha512", &["sha512", "sha512digest"], &sha512),
        ("blake3", &["blake3"], sha256),
    ] {
        for name in names {
            for written in
                [hex.to_owned(), hex.to_uppercase(), format!("0x{hex}"), format!("0x{}", hex.to_uppercase())]
            {
                value("file", &format!("{name}={written}"), &format!("{canonical}={hex}"));
            }
            bad("file", name, &["0", &hex[1..], &format!("{hex}0"), &hex.replace(|_| true, "g")]);
        }
    }
    value("file", "cksum=3015617425", "cksum=3015617425");
    value("file", "cksum=007", "cksum=7");
    value("file", &format!("md5={} md5={md5}", "0".repeat(32)), &format!("md5={md5}"));
    bad("file", "cksum", &["x", "-1", "0x7"]);
}

#[test]
fn links() {
    value("link", "link=/no\\swhere/x\\#y", "link=/no\\040where/x\\043y");
    value("link", "link=..", "link=..");
    value("link", "link=a=b", "link=a\\075b");
    value("link", "link= ./x", "link=./x");
    value("link", "link=\\057x", "link=/x");
    value("link", &format!("link={}", "x".repeat(4095)), &format!("link={}", "x".repeat(4095)));
    bad("link", "link", &["\\$", &"x".repeat(4096)]);
    check("./a type=link link=\\z", "line 1: bad vis(3) escape");
    check("./a type=link link=a\\000", "line 1: a name holds a NUL byte");
}

#[test]
fn what_a_type_cannot_have_is_dropped() {
    let sha1 = "f572d396fae9206628714fb2ce00f72e94f2258f";
    let all =
        format!("size=4096 link=x device=1 sha1={sha1} ignore inode=1 resdevice=native,8,1 nlink=2 time=1");
    let rest = "time=1.000000000";
    let id = "inode=1 resdevice=native,8,1";
    for (kind, left) in [
        ("dir", format!("nlink=2 {rest} ignore")),
        ("file", format!("nlink=2 size=4096 {rest} sha1={sha1} {id}")),
        ("link", format!("nlink=2 link=x {rest} {id}")),
        ("fifo", format!("nlink=2 {rest} {id}")),
        ("char", format!("device=native,0,1 nlink=2 {rest} {id}")),
        ("block", format!("device=native,0,1 nlink=2 {rest} {id}")),
    ] {
        value(kind, &all, &left);
    }
    value("file", "inode=5", "");
    value("file", "resdevice=5", "");
    // Both may come from anywhere.
    check("/set resdevice=native,8,1\n./a type=fifo inode=1", "./a type=fifo inode=1 resdevice=native,8,1");
}
