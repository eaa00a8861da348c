//! Whole texts as their writers write them.

use super::{check, said};

/// NetBSD's of 2008, as Debian has it: unpadded nanoseconds, a blank at the end of each line.
const NETBSD_C: &str = r"
. type=dir uname=root gname=root mode=0755 nlink=3 time=1700000000.500000000 flags=none 
./file type=file uname=root gname=root mode=0644 nlink=2 size=6 time=1704164645.6007008 cksum=3015617425 md5=b1946ac92492d2347c6235b4d2611184 flags=none 
./sym2 type=link uname=root gname=root mode=0777 nlink=1 link=/no\swhere/x\#y time=1795288730.439448345 flags=none 
./sock type=socket uname=root gname=root mode=0755 nlink=1 time=1795288730.561471309 flags=none 
./chrbig type=char uname=root gname=root mode=0644 device=0xfff1ffff nlink=1 time=1795288730.573471309 flags=none 
./d type=dir uname=root gname=root mode=01777 nlink=3 time=-315619200.500000000 flags=none ignore tags=,a,b, 
./d/f type=file uid=99999 gid=88888 mode=04755 nlink=1 size=1 time=1.0 flags=none optional 
";

const NETBSD_SAID: &str = r". type=dir uname=root gname=root mode=0755 nlink=3 time=1700000000.500000000
./chrbig type=char uname=root gname=root mode=0644 device=native,511,1048575 nlink=1 time=1795288730.573471309
./d type=dir uname=root gname=root mode=01777 nlink=3 time=-315619200.500000000 ignore
./d/f type=file uid=99999 gid=88888 mode=04755 nlink=1 size=1 time=1.000000000 optional
./file type=file uname=root gname=root mode=0644 nlink=2 size=6 time=1704164645.006007008 cksum=3015617425 md5=b1946ac92492d2347c6235b4d2611184
./sock type=socket uname=root gname=root mode=0755 nlink=1 time=1795288730.561471309
./sym2 type=link uname=root gname=root mode=0777 nlink=1 link=/no\040where/x\043y time=1795288730.439448345
";

#[test]
fn netbsd_with_the_path_first_and_last() {
    assert_eq!(said(NETBSD_C.as_bytes()), NETBSD_SAID);
    let last: String = NETBSD_C
        .lines()
        .map(|line| match line.split_once(' ') {
            Some((path, words)) => format!("{words}{path}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(last.contains("optional ./d/f\n"));
    assert_eq!(said(last.as_bytes()), NETBSD_SAID);
    // A file may be called like a keyword.
    check("size=3 type=fifo", "./size\\0753 type=fifo");
    check("./x type=link link=./y", "./x type=link link=./y");
    check("./x type=fifo ./y", "unknown keyword './x'");
}

#[test]
fn netbsd_classic() {
    let text = b"#\t   user: (null)\n#\tmachine: vm\n#\t   tree: /srv/t\n#\t   date: Sat Nov 21 19:18:50 2026\n\n\
        # .\n/set type=file uname=root gname=root mode=0644 nlink=1 flags=none\n\
        .               type=dir mode=0755 nlink=3 time=1795288730.581471309\n    \
            \\#hash      size=1 time=1795288730.581471309 cksum=1220704766 \\\n                \
                        md5=0cc175b9c0f1b6a831c399e269772661\n\n\
        # ./d\n/set type=file uname=root gname=root mode=0755 nlink=1 flags=none\n\
        d               type=dir mode=01777 nlink=3 time=1795288730.577471309\n    x uid=99999 size=0 time=5.0\n\
        # ./d\n..\n\n";
    assert_eq!(
        said(text),
        ". type=dir uname=root gname=root mode=0755 nlink=3 time=1795288730.581471309\n\
         ./\\043hash type=file uname=root gname=root mode=0644 nlink=1 size=1 time=1795288730.581471309 \
         cksum=1220704766 md5=0cc175b9c0f1b6a831c399e269772661\n\
         ./d type=dir uname=root gname=root mode=01777 nlink=3 time=1795288730.577471309\n\
         ./d/x type=file uid=99999 gname=root mode=0755 nlink=1 size=0 time=5.000000000\n"
    );
}

#[test]
fn freebsd_9() {
    let text = b"#\t   user: root\n# .\n/set type=file uid=0 gid=0 mode=0644 nlink=1 flags=none\n\
        .               type=dir mode=0755 nlink=3 size=512 \\\n                time=1457644483.000000000\n    \
            a\\040b\\052   size=5 time=1457644483.000000000 \\\n                \
            md5digest=b1946ac92492d2347c6235b4d2611184\n\
        # ./bin\nbin             type=dir nochange\n";
    let text = String::from_utf8(text.to_vec()).unwrap() + "# ./bin\n..\n\n..\n\n";
    assert_eq!(
        said(text.as_bytes()),
        ". type=dir uid=0 gid=0 mode=0755 nlink=3 time=1457644483.000000000\n\
         ./a\\040b\\052 type=file uid=0 gid=0 mode=0644 nlink=1 size=5 time=1457644483.000000000 \
         md5=b1946ac92492d2347c6235b4d2611184\n\
         ./bin type=dir uid=0 gid=0 mode=0644 nlink=1 nochange\n"
    );
}

#[test]
fn freebsd_10_and_netbsd_7() {
    let text = br". type=dir uname=root uid=0 gname=wheel gid=0 mode=0755 nlink=2 time=1457644483.833957552
./\040\043\052\134\303\251 type=file uname=root uid=0 gname=wheel gid=0 mode=0644 nlink=1 size=0 time=1.000000001 ripemd160digest=9c1185a5c5e9fc54612808977ee8f548b2258d31 flags=uarch
";
    assert_eq!(
        said(text),
        r". type=dir uname=root uid=0 gname=wheel gid=0 mode=0755 nlink=2 time=1457644483.833957552
./\040\043\052\134\303\251 type=file uname=root uid=0 gname=wheel gid=0 mode=0644 nlink=1 size=0 time=1.000000001 rmd160=9c1185a5c5e9fc54612808977ee8f548b2258d31
"
    );
}

#[test]
fn libarchive() {
    let text = br"#mtree
/set type=file uname=root uid=0 gname=root gid=0 mode=644
.               time=1795297155.444261556 mode=755 inode=10010779 \
                resdevice=native,254,0 type=dir
./a\040b        time=1795297155.443586197 inode=10010788 \
                resdevice=native,254,0 size=0 cksum=4294967295 \
                md5digest=d41d8cd98f00b204e9800998ecf8427e
./ln            time=1795297155.444261556 mode=777 type=link \
                link=/no\040where/x\043y
./sub/dir       flags=none time=1795297155.440261556 mode=755 type=dir
./c nlink=2 gname=root uname=root time=5.0 mode=600 gid=0 uid=0 type=char device=native,511,1048575
";
    let owner = "uname=root uid=0 gname=root gid=0";
    assert_eq!(
        said(text),
        format!(
            ". type=dir {owner} mode=0755 time=1795297155.444261556\n\
             ./a\\040b type=file {owner} mode=0644 size=0 time=1795297155.443586197 cksum=4294967295 \
             md5=d41d8cd98f00b204e9800998ecf8427e inode=10010788 resdevice=native,254,0\n\
             ./c type=char {owner} mode=0600 device=native,511,1048575 nlink=2 time=5.000000000\n\
             ./ln type=link {owner} mode=0777 link=/no\\040where/x\\043y time=1795297155.444261556\n\
             ./sub type=dir\n\
             ./sub/dir type=dir {owner} mode=0755 time=1795297155.440261556\n"
        )
    );
}

#[test]
fn libarchive_classic() {
    let text = b"#mtree\n\n# .\n/set type=file uid=0 gid=0 mode=755\n.               time=1795297155.0 type=dir\n    \
        top         nlink=2 time=1795297155.443586197 mode=644 size=0\n\n# ./sub\nsub             time=1.0 type=dir\n\n\
        # ./sub/dir\ndir             time=2.0 type=dir\n    f           time=3.0 mode=644 size=0\n# ./sub/dir\n..\n\n\
        # ./sub\n..\n\n..\n\n";
    assert_eq!(
        said(text),
        ". type=dir uid=0 gid=0 mode=0755 time=1795297155.000000000\n\
         ./sub type=dir uid=0 gid=0 mode=0755 time=1.000000000\n\
         ./sub/dir type=dir uid=0 gid=0 mode=0755 time=2.000000000\n\
         ./sub/dir/f type=file uid=0 gid=0 mode=0644 size=0 time=3.000000000\n\
         ./top type=file uid=0 gid=0 mode=0644 nlink=2 size=0 time=1795297155.443586197\n"
    );
}

#[test]
fn go_mtree() {
    let text = br"#mtree v2.0
#	   user: alice
# .
/set type=file nlink=1 mode=0664 uid=1000 gid=1000
. size=4096 type=dir mode=0775 nlink=3 time=1457644509.817998120
    a\040\043b\134 size=5 tar_time=1457644483.000000000 sha256digest=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 xattr.user.x=YQ==

# lib
/set type=file nlink=1 mode=0664 uid=0 gid=0
lib size=4096 type=dir mode=0755 time=1457644483.833957552
    s type=link size=3 mode=0777 link=a\052\\ time=1457644483.833957552 sha512256digest=00
..
..
";
    assert_eq!(
        said(text),
        r". type=dir uid=1000 gid=1000 mode=0775 nlink=3 time=1457644509.817998120
./a\040\043b\134 type=file uid=1000 gid=1000 mode=0664 nlink=1 size=5 time=1457644483.000000000 sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 xattr.user.x=YQ==
./lib type=dir uid=0 gid=0 mode=0755 nlink=1 time=1457644483.833957552
./lib/s type=link uid=0 gid=0 mode=0777 nlink=1 link=a\052\134 time=1457644483.833957552
"
    );
}

#[test]
fn casync() {
    // Every name counts from the root, though only some have a '/'.
    let head = ". type=dir mode=0775 uid=1000 gid=1000 uname=a gname=a time=1513088963.690901011\n";
    let tail = "empty type=dir\nsock type=socket mode=0755\n\
        z type=file mode=0644 size=4 uid=0 gid=0 flags=nohidden,noarchive time=5.000000001 sha512256digest=00\n";
    let text = format!(
        "{head}.git type=dir mode=0775 uid=0 gid=0 time=1.000000000\n\
        .git/HEAD type=file mode=0664 size=23 uid=0 gid=0 time=1.000000000 sha512256digest=4595\n\
        .git/hooks/x\\040y type=link mode=0777 link=\\134a time=2.000000000\n{tail}"
    );
    let root = ". type=dir uname=a uid=1000 gname=a gid=1000 mode=0775 time=1513088963.690901011\n";
    let last = "./empty type=dir\n./sock type=socket mode=0755\n./z type=file uid=0 gid=0 mode=0644 size=4 time=5.000000001\n";
    assert_eq!(
        said(text.as_bytes()),
        format!(
            "{root}./.git type=dir uid=0 gid=0 mode=0775 time=1.000000000\n\
             ./.git/HEAD type=file uid=0 gid=0 mode=0664 size=23 time=1.000000000\n\
             ./.git/hooks type=dir\n./.git/hooks/x\\040y type=link mode=0777 link=\\134a time=2.000000000\n\
             {last}"
        )
    );
    assert_eq!(said(format!("{head}{tail}").as_bytes()), format!("{root}{last}"));
    // What nobody but a person writes goes on where mtree(8) goes on.
    check("a type=dir\nb type=fifo\n./c type=fifo", "./a type=dir\n./a/b type=fifo\n./c type=fifo");
    check(
        "a type=dir\nb/c type=fifo\n..\nd type=fifo",
        "./a type=dir\n./b type=dir\n./b/c type=fifo\n./d type=fifo",
    );
    check(
        "b/c type=dir\nd type=dir\n..\ne type=fifo",
        "./b type=dir\n./b/c type=dir\n./b/c/d type=dir\n./b/c/e type=fifo",
    );
    check(
        "/set uid=0\nb/c type=dir\nd type=fifo",
        "./b type=dir\n./b/c type=dir uid=0\n./b/c/d type=fifo uid=0",
    );
}

#[test]
fn our_own() {
    let text = "#mtree\n\
        . type=dir uname=root uid=0 gname=root gid=0 mode=0755 time=1700000000.500000000\n\
        ./a type=dir uname=D\\134bob uid=5 gid=0 mode=01777 ignore\n\
        ./a/f\\040g type=file mode=04755 size=5 time=-1.000000001 sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709\n\
        ./a-b type=char mode=0 device=native,511,1048575\n\
        ./h type=file size=0 time=0.000000000 inode=12 resdevice=native,254,0\n\
        ./l type=link link=/no\\040where\n";
    assert_eq!(format!("#mtree\n{}", said(text.as_bytes())), text);
}
