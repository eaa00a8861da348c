//! Paths: full and relative, doubled, missing, out of bounds.

use super::{check, read, said};

#[test]
fn the_root() {
    for text in [". type=dir", ".", "/set type=dir\n.", ". type=dir\n.", ". type=dir mode=0755\n. type=dir"] {
        assert_eq!(said(text.as_bytes()), ". type=dir\n", "{text}");
    }
    assert_eq!(said(b". mode=0755"), ". type=dir mode=0755\n");
    assert_eq!(said(b"./a type=fifo\n. type=dir uid=3"), ". type=dir uid=3\n./a type=fifo\n");
    check(". type=file", "line 1: '.' must be a directory");
    check("/set type=file\n.", "line 2: '.' must be a directory");
    check("./a type=fifo\n. type=socket", "line 2: '.' must be a directory");
    check("./ type=dir", "empty component");
    for text in ["", "\n\n", "# x\n\n", "/set type=dir", ".."] {
        check(text, "there is no entry");
    }
}

#[test]
fn relative_names() {
    check(
        ". type=dir\n a type=dir\n  b type=dir\n   c type=fifo\n   d type=fifo\n  ..\n  e type=fifo\n ..\n f type=fifo",
        "./a type=dir\n./a/b type=dir\n./a/b/c type=fifo\n./a/b/d type=fifo\n./a/e type=fifo\n./f type=fifo",
    );
    check("a type=dir\nb type=fifo", "./a type=dir\n./a/b type=fifo");
    check(
        "a type=dir\n.. mode=bad # words after it do not matter\nb type=fifo",
        "./a type=dir\n./b type=fifo",
    );
    // One `..` leads out of the root, as FreeBSD and libarchive end a text; nothing may follow but full paths.
    check(". type=dir\na type=fifo\n..", "./a type=fifo");
    check(". type=dir\n..\n..", "line 3: '..' leads out of the tree");
    check(". type=dir\n..\nb type=fifo", "line 3: '..' leads out of the tree");
    check(". type=dir\n..\n./b type=dir\nc type=fifo", "./b type=dir\n./b/c type=fifo");
    check(". type=dir\n..\n.\nc type=fifo", "./c type=fifo");
    // An encoded `..` goes nowhere.
    check("a type=dir\n\\056\\056 type=dir", "line 2: a path has a component '.' or '..'");
    check("\\056 type=dir", "'.' or '..'");
}

#[test]
fn full_paths() {
    check(
        ". type=dir\n./b type=dir\n./b/c type=fifo\n./a type=fifo",
        "./a type=fifo\n./b type=dir\n./b/c type=fifo",
    );
    // A full path moves the current directory: into a directory, beside anything else.
    check(
        "./a type=dir\nb type=fifo\n./c/d type=fifo\ne type=fifo\n..\nf type=fifo",
        "./a type=dir\n./a/b type=fifo\n./c type=dir\n./c/d type=fifo\n./c/e type=fifo\n./f type=fifo",
    );
    for (path, expected) in [
        ("./..", "'.' or '..'"),
        ("./a/..", "'.' or '..'"),
        ("./a/../b", "'.' or '..'"),
        ("././b", "'.' or '..'"),
        ("../x", "'.' or '..'"),
        (".//b", "empty component"),
        ("./b/", "empty component"),
        ("b/", "empty component"),
        ("/etc", "'/etc' is neither '/set' nor '/unset' nor a path below '.'"),
        ("/", "'/' is neither"),
        ("\\057etc", "'/' written as an escape"),
        ("./a\\057b", "'/' written as an escape"),
        ("a\\57b", "'/' written as an escape"),
        ("./\\056\\056/a", "'.' or '..'"),
    ] {
        check(format!(". type=dir\n{path} type=dir"), expected);
        assert!(said(format!(". type=dir\n{path} type=dir").as_bytes()).starts_with("line 2: "), "{path}");
    }
    check(format!("./{} type=fifo", "n".repeat(255)), &format!("./{} type=fifo", "n".repeat(255)));
    check(format!("./{} type=fifo", "n".repeat(256)), "longer than 255 bytes");
    check(format!("./{}a type=fifo", "n/".repeat(2048)), "longer than 4095 bytes");
    check(format!("./{}a type=fifo", "n/".repeat(256)), "deeper than 256");
    check("a type=dir\n".repeat(257), "line 257: a path is deeper than 256");
    assert_eq!(read("a type=dir\n".repeat(256).as_bytes()).unwrap().entries.len(), 257);
}

#[test]
fn parents_are_added() {
    check(
        "./a/b/c type=fifo mode=0644\n./a/b-c type=fifo\n./a-b/c type=fifo",
        "./a type=dir\n./a/b type=dir\n./a/b/c type=fifo mode=0644\n./a/b-c type=fifo\n./a-b type=dir\n./a-b/c type=fifo",
    );
    // `/set` says nothing of what is not listed.
    check("/set type=fifo mode=0600\n./a/b", "./a type=dir\n./a/b type=fifo mode=0600");
    // The parent may come later.
    check("./a/b type=fifo\n./a type=dir mode=0700", "./a type=dir mode=0700\n./a/b type=fifo");
    check("./a type=fifo\n./a-b type=fifo", "./a type=fifo\n./a-b type=fifo");
    for kind in ["fifo", "file", "link", "char", "socket"] {
        check(
            format!("./a type={kind}\n./a/b type=fifo"),
            "line 2: an entry is below something that is no directory",
        );
        check(
            format!("./a/b/c type=fifo\n./a type={kind}"),
            "line 1: an entry is below something that is no directory",
        );
    }
}

#[test]
fn doubles() {
    // NetBSD's rule: the later line speaks for the path, and all of it.
    check("./a type=file mode=0755 size=3\n./a type=file mode=0700", "./a type=file mode=0700");
    check("a type=file size=3\na type=file mode=0700\na type=file uid=1", "./a type=file uid=1");
    check("./a type=dir uid=7\n./a/b type=fifo\n./a type=dir", "./a type=dir\n./a/b type=fifo");
    check(
        "./a type=file\n./b type=fifo\n./a type=dir",
        "line 3: an earlier line gives this path another type",
    );
    check("./a type=socket\n./a type=fifo", "line 2: an earlier line gives this path another type");
    check("./a type=fifo\n./a", "line 2: an entry has no 'type'");
}

#[test]
fn sockets_are_named() {
    let text = b"./a type=fifo\n./d/s\\040k type=socket mode=0755\nt type=fifo\n./d/s\\040k type=socket";
    assert_eq!(
        said(text),
        ". type=dir\n./a type=fifo\n./d type=dir\n./d/s\\040k type=socket\n./d/t type=fifo\n"
    );
}

#[test]
fn set_and_unset() {
    let set = "/set type=file uid=1 mode=0600\n";
    check(
        format!("{set}a\nb mode=0644\nc"),
        "./a type=file uid=1 mode=0600\n./b type=file uid=1 mode=0644\n./c type=file uid=1 mode=0600",
    );
    // Not scoped to a directory, and added to, not replaced.
    check(
        format!("{set}d type=dir\n/set gid=2\ne\n..\nf"),
        "./d type=dir uid=1 mode=0600\n./d/e type=file uid=1 gid=2 mode=0600\n./f type=file uid=1 gid=2 mode=0600",
    );
    check(format!("{set}/unset uid mode\na"), "./a type=file");
    check(format!("{set}/unset all\na"), "line 3: an entry has no 'type'");
    check(format!("{set}/unset all\na type=fifo"), "./a type=fifo");
    check(format!("{set}/unset type\na"), "line 3: an entry has no 'type'");
    check(format!("{set}/unset flags optional xattr.user.x\na"), "./a type=file uid=1 mode=0600");
    check(format!("{set}/unset bogus\na"), "line 2: unknown keyword 'bogus'");
    check("/set bogus=1\n./a type=fifo", "line 1: unknown keyword 'bogus'");
    check("/sett type=file\n", "line 1: '/sett' is neither");
    let all = "uname=u uid=1 gname=g gid=1 mode=1 device=1 nlink=1 link=x size=1 time=1 cksum=1 inode=1 resdevice=1 ignore";
    for kind in ["file", "char", "link", "dir"] {
        let names: String =
            all.split(' ').map(|word| format!(" {}", word.split('=').next().unwrap())).collect();
        check(format!("/set {all}\n/unset{names}\n./a type={kind}"), &format!("./a type={kind}"));
    }
}

#[test]
fn owners_by_name_and_number_replace_each_other() {
    // mtree(8) has one owner, set by whichever came last, and writes the number only of who has no name.
    let set = "/set type=fifo uname=root uid=0 gname=wheel gid=0\n";
    check(format!("{set}a"), "./a type=fifo uname=root uid=0 gname=wheel gid=0");
    check(format!("{set}a uid=99999"), "./a type=fifo uid=99999 gname=wheel gid=0");
    check(format!("{set}a uname=bob"), "./a type=fifo uname=bob gname=wheel gid=0");
    check(format!("{set}a gid=7"), "./a type=fifo uname=root uid=0 gid=7");
    check(format!("{set}a gid=7 uid=8 gname=g uname=u"), "./a type=fifo uname=u uid=8 gname=g gid=7");
    check(format!("{set}/set uid=5\na"), "./a type=fifo uid=5 gname=wheel gid=0");
}
