//! Comments, continuations, blanks and escapes.

use super::check;

#[test]
fn blanks_and_line_ends() {
    for text in [
        "  \t ./a type=fifo",
        "./a \t  type=fifo \t\n",
        "\n   \n\x0b\x0c \n./a type=fifo\n",
        "./a type=fifo\r\n",
        "# head\r\n\r\n./a \\\r\n type=fifo\r\n",
        "./a\ttype=fifo\tflags=none",
    ] {
        check(text, "./a type=fifo");
    }
    // Only at the end of a line is a carriage return no part of a word.
    check("./a\rb type=fifo", "./a\\015b type=fifo");
}

#[test]
fn comments() {
    for text in [
        "#mtree\n./a type=fifo",
        "   # x\n./a type=fifo",
        "./a type=fifo # mode=0644",
        "./a type=fifo #mode=0644",
        // A comment is never continued.
        "# x \\\n./a type=fifo",
        "./a type=fifo # x \\\n# y \\\n\n",
    ] {
        check(text, "./a type=fifo");
    }
    check("./ba#z type=fifo", "./ba\\043z type=fifo");
    check("\\#hash type=fifo", "./\\043hash type=fifo");
    // mtree(8) takes the byte A3 that it wrote itself for a comment; 9C before a '#' too.
    check("./S\\M-C\\M-#o\\sPaulo type=file size=7", "./S\\303\\243o\\040Paulo type=file size=7");
    check("./a\\M^\\\\#b type=fifo", "./a\\234\\043b type=fifo");
    check("./a type=link link=\\M-#", "./a type=link link=\\243");
    // A comment ends a continued line: what follows is an entry of its own.
    check("./a type=fifo \\\n# hi\n size=3 mode=0644", "line 3: an entry has no 'type'");
    check("/set type=fifo\na \\\n  # hi\n size=3", "./a type=fifo\n./size\\0753 type=fifo");
}

#[test]
fn comments_with_a_line_end_in_a_name() {
    let broken = "line 3: the name of a directory holds a line end";
    // What mtree(8), libarchive and go-mtree write of a directory `a<newline>etc type=dir mode=0777` and the like.
    for (raw, word, between) in [
        ("# ./d/a\netc type=dir mode=0777", "a\\netc\\stype=dir\\smode=0777", "/set type=file\n"),
        (
            "# ./d/a\netc type=dir mode=0777",
            "a\\012etc\\040type\\075dir\\040mode\\0750777",
            "/unset flags\n/set mode=644\n",
        ),
        ("    # ./d/a\nb", "a\\012b", "    "),
        ("# a b\nc", "a\\040b\\012c", "\n"),
        ("# ./\n", "\\n", ""),
        ("# ./\n\n", "\\n\\n", ""),
        ("# ./x\n", "x\\012", ""),
        ("# ./tags=x\netc type=dir \\", "tags=x\\netc\\stype=dir\\s\\\\", "/set type=file\n"),
    ] {
        check(format!(". type=dir\nd type=dir\n{raw}\n{between}{word}   type=dir\n"), broken);
    }
    let name = format!("{}\n", "n".repeat(254));
    check(format!(". type=dir\n\n# ./{name}\n{}\\n type=dir", "n".repeat(254)), broken);
    // No name: a comment on a file that happens to be called like what follows.
    check("# ./a\nb type=fifo\n# b\nc type=fifo", "./b type=fifo\n./c type=fifo");
    check("# a\nb\\nc type=fifo", "./b\\012c type=fifo");
}

#[test]
fn continuations() {
    check("./bar\\\nbaz type=fifo", "./barbaz type=fifo");
    check("./b\\\na\\\nr type=fifo", "./bar type=fifo");
    check("./a type=fifo \\\nmode=0644 \\\n   uid=0", "./a type=fifo uid=0 mode=0644");
    check("./a type=fi\\\nfo", "./a type=fifo");
    check("./a\\\n type=fifo", "./a type=fifo");
    check("./b\\\n\\\nar type=fifo", "./bar type=fifo");
    // Before a blank it is no continuation, and no escape.
    check("./a\\ type=fifo", "bad vis(3) escape");
    check("./a type=fifo \\ \n", "unknown keyword '\\134'");
    check("./a type=fifo \\", "./a type=fifo");
    check("./a type=fifo \\\n", "./a type=fifo");
    check("./a type=fifo \\\n\nuid=0", "line 3: an entry has no 'type'");
    // Two backslashes are an escape, three are an escape and a continuation.
    check("/set type=fifo\nbar\\\\\nbaz", "./bar\\134 type=fifo\n./baz type=fifo");
    check("/set type=fifo\nbar\\\\\\\nbaz", "./bar\\134baz type=fifo");
    // Bytes whose escapes end in a backslash, last on a line: no continuation, though mtree(8) takes it for one.
    check(
        "/set type=fifo\na\\^\\\nb\\M^\\\nc\\M-\\\nd",
        "./a\\034 type=fifo\n./b\\234 type=fifo\n./c\\334 type=fifo\n./d type=fifo",
    );
    check("/set type=fifo\na\\M^\\\\\nb", "./a\\234b type=fifo");
    // A line is counted where it starts.
    check("./a type=fifo\n./b \\\n\\\n bogus=1", "line 2: unknown keyword 'bogus'");
}

#[test]
fn keywords() {
    check("./a type=file size =3 mode= 0644", "./a type=file mode=0644 size=3");
    check("./a type=file size=3 size=4", "./a type=file size=4");
    check("./a type = file", "'type' has no value");
    check("./a type=file size=", "'size' has no value");
    check("./a type=file size", "'size' has no value");
    // mtree(8) eats the next word; a word with a value of its own is none.
    check("./a type=file uname= gname=x", "'uname' has no value");
    check("./a type=fifo optional", "./a type=fifo optional");
    check("./a type=fifo optional mode=0644", "./a type=fifo mode=0644 optional");
    check("./a type=fifo optional=1", "bad value of 'optional'");
    check("./a type=dir ignore=1", "bad value of 'ignore'");
    check("./a type=fifo nochange", "./a type=fifo nochange");
    check("/set nochange\n./a type=fifo", "./a type=fifo nochange");
    check("./a type=fifo bogus=\x1b[2J", "unknown keyword 'bogus'");
    check("./a type=fifo b\x1bgus=1", "unknown keyword 'b\\033gus'");
    check("./a type=fifo MODE=0644", "unknown keyword 'MODE'");
    check("./a type=fifo all", "unknown keyword 'all'");
    check(
        "./a type=fifo flags=none tags=,a, contents=/x\\z content=y sha512256digest=00 sha512256=0",
        "./a type=fifo",
    );
}

#[test]
fn escapes() {
    // What libnbcompat's unvis takes, and go-mtree's `\xHH` and `\"`.
    for (word, canonical) in [
        ("a\\\\", "a\\134"),
        ("\\1234", "S4"),
        ("\\12", "\\012"),
        ("\\777", "\\377"),
        ("\\1", "\\001"),
        ("\\18", "\\0018"),
        ("\\^A\\^[\\^?", "\\001\\033\\177"),
        ("\\M-a\\M-/\\M^A\\M^?", "\\341\\257\\201\\377"),
        ("\\n\\r\\b\\a\\v\\t\\f\\s\\E", "\\012\\015\\010\\007\\013\\011\\014\\040\\033"),
        ("a\\$b", "ab"),
        ("\\x41\\\"", "A\""),
        ("%41&amp;", "%41&amp;"),
        ("\u{e9}", "\\303\\251"),
        ("*", "\\052"),
        ("[a]?", "\\133a]\\077"),
        ("^H", "^H"),
        ("M-x", "M-x"),
        ("eq=ual", "eq\\075ual"),
        ("-rf", "-rf"),
    ] {
        check(format!("./x{word} type=fifo"), &format!("./x{canonical} type=fifo"));
    }
    check(b"./\xff\xfe type=fifo", "./\\377\\376 type=fifo");
    for word in
        ["\\z", "\\i", "\\-", "\\=", "\\*", "\\?", "\\[", "\\8", "\\Mx", "\\x4", "a\\M", "a\\M-", "a\\^"]
    {
        check(format!("./{word} type=fifo"), "line 1: bad vis(3) escape");
    }
    for word in ["\\000", "a\\0", "\\400", "\\x00", "\\^@"] {
        check(format!("./{word} type=fifo"), "line 1: a name holds a NUL byte");
    }
    check(b"./a\0b type=fifo", "NUL");
}
