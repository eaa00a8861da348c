//! A change in the eleven letters of rsync's `--itemize-changes`.

use crate::report::{Aspects, Change, Deed, Fate};
use crate::sys::FileKind;
use crate::vis::shown;

/// The line of a change; `sent` is the letter of contents that go over the wire. Nothing is said of what stays as it is.
pub(super) fn itemized(change: &Change, sent: char) -> Option<String> {
    let name = name(change);
    match change.deed {
        Deed::Kept | Deed::Blocked => return None,
        Deed::Removed => return Some(format!("*deleting   {name}")),
        _ => {}
    }
    let new = change.fate == Fate::Missing || change.aspects.contains(Aspects::TYPE);
    let remade = change.aspects.intersects(Aspects::LINK.with(Aspects::DEVICE));
    let how = match change.deed {
        Deed::Sent => sent,
        Deed::Linked => 'h',
        Deed::Set => '.',
        // A pipe of another mode is made anew, but nobody could tell.
        Deed::Made if !new && !remade => '.',
        _ => 'c',
    };
    let kind = match change.kind {
        FileKind::File => 'f',
        FileKind::Dir => 'd',
        FileKind::Link => 'L',
        FileKind::Block | FileKind::Char => 'D',
        FileKind::Fifo | FileKind::Socket => 'S',
    };
    let mut line = format!("{how}{kind}{} {name}", letters(change, new, how));
    if change.deed == Deed::Linked {
        line += &format!(" => {}", shown(&change.target));
    } else if change.kind == FileKind::Link {
        line += &format!(" -> {}", shown(&change.target));
    }
    Some(line)
}

fn name(change: &Change) -> String {
    let slash = if change.kind == FileKind::Dir { "/" } else { "" };
    format!("{}{slash}", change.path)
}

fn letters(change: &Change, new: bool, how: char) -> String {
    if new {
        return "+".repeat(9);
    }
    let contents = Aspects::DIGEST.with(Aspects::LINK).with(Aspects::DEVICE);
    let letters = [
        (contents, 'c'),
        (Aspects::SIZE, 's'),
        (Aspects::TIME, 't'),
        (Aspects::MODE, 'p'),
        (Aspects::USER, 'o'),
        (Aspects::GROUP, 'g'),
        // Times of access and of birth are not carried.
        (Aspects::NONE, 'u'),
        (Aspects::ACL, 'a'),
        (Aspects::XATTR, 'x'),
    ];
    let text: String = letters
        .into_iter()
        .map(|(aspect, letter)| if change.aspects.intersects(aspect) { letter } else { '.' })
        .collect();
    // A file that is only linked: blanks say that nothing else differs.
    if matches!(how, '.' | 'h' | 'c') && text.bytes().all(|letter| letter == b'.') {
        " ".repeat(9)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;

    #[test]
    fn the_letters_of_rsync() {
        let change = |fate, kind, deed, aspects| Change {
            path: RelPath::new(&b"a\x1b"[..]).unwrap().into_owned(),
            fate,
            kind,
            deed,
            aspects,
            target: (*b"to").into(),
            wanted: Vec::new(),
            found: Vec::new(),
        };
        let all = Aspects::WORDS.into_iter().fold(Aspects::NONE, |all, (aspect, _)| all.with(aspect));
        let but_type = Aspects::from_bits(all.bits() & !1).unwrap();
        for (fate, kind, deed, aspects, line) in [
            (Fate::Missing, FileKind::File, Deed::Sent, Aspects::NONE, "<f+++++++++ a\\033"),
            (Fate::Changed, FileKind::File, Deed::Sent, but_type, "<fcstpog.ax a\\033"),
            (Fate::Changed, FileKind::File, Deed::TakenOver, Aspects::SIZE, "cf.s....... a\\033"),
            (Fate::Changed, FileKind::File, Deed::Set, Aspects::TIME, ".f..t...... a\\033"),
            (Fate::Changed, FileKind::Link, Deed::Made, Aspects::TYPE, "cL+++++++++ a\\033 -> to"),
            (Fate::Changed, FileKind::Link, Deed::Made, Aspects::LINK, "cLc........ a\\033 -> to"),
            (Fate::Changed, FileKind::Char, Deed::Made, Aspects::DEVICE, "cDc........ a\\033"),
            (Fate::Changed, FileKind::Fifo, Deed::Made, Aspects::MODE, ".S...p..... a\\033"),
            (Fate::Changed, FileKind::File, Deed::Linked, Aspects::HARDLINK, "hf          a\\033 => to"),
            (Fate::Extra, FileKind::Dir, Deed::Removed, Aspects::NONE, "*deleting   a\\033/"),
        ] {
            assert_eq!(itemized(&change(fate, kind, deed, aspects), '<').as_deref(), Some(line));
        }
        for deed in [Deed::Kept, Deed::Blocked] {
            assert_eq!(itemized(&change(Fate::Extra, FileKind::File, deed, Aspects::NONE), '<'), None);
        }
    }
}
