//! Records at their limits, and frames that do not stay in theirs.

use super::*;
use crate::exit::Exit;

/// A record of these frames as they stand: kind, length, body.
fn record(frames: &[(u8, u32, &[u8])]) -> Record {
    let frame =
        |(kind, length, body): &(u8, u32, &[u8])| [&[*kind], &length.to_be_bytes()[..], body].concat();
    let buffer: Vec<u8> = frames.iter().flat_map(frame).collect();
    Record::of(&buffer)
}

const ALIVE: (u8, u32, &[u8]) = (26, 0, b"");
const BYE: (u8, u32, &[u8]) = (25, 0, b"");

#[test]
fn a_batch_takes_what_a_record_holds_and_not_a_byte_more() {
    let contents = vec![7; limits::RECORD];
    let most = limits::RECORD - FRAME;
    let mut batch = Batch::new();
    assert!(!batch.push(&Message::Data(&contents[..=most])));
    assert!(batch.is_empty(), "what does not fit leaves nothing behind");
    assert!(batch.push(&Message::Data(&contents[..most])));
    assert_eq!((batch.room(), batch.end), (0, HEADER + limits::RECORD));
    assert!(!batch.push(&Message::Alive));
    assert_eq!(batch.end, HEADER + limits::RECORD);
    batch.clear();
    assert_eq!(batch.room(), most);
}

#[test]
fn contents_are_read_right_into_a_batch_up_to_its_end() {
    let mut batch = Batch::new();
    let all = batch.read_data(u64::MAX, |space| {
        space.fill(1);
        Ok(space.len())
    });
    assert_eq!(all.unwrap(), limits::RECORD - FRAME);
    assert_eq!(batch.last(3), [1, 1, 1]);
    // No room is no error: nothing is read.
    assert_eq!(batch.read_data(1, |space| Ok(space.len())).unwrap(), 0);
    assert_eq!(batch.end, HEADER + limits::RECORD);

    let mut batch = Batch::new();
    assert_eq!(batch.read_data(10, |space| Ok(space.len().min(3))).unwrap(), 3);
    assert!(batch.read_data(10, |_| Err(io::ErrorKind::Other.into())).is_err());
    assert_eq!(batch.read_data(10, |_| Ok(0)).unwrap(), 0);
    let mut record = Record::of(batch.plaintext());
    assert_eq!(record.message().unwrap(), Some(Message::Data(&[0, 0, 0])));
    assert_eq!(record.message().unwrap(), None);
}

#[test]
fn frames_stay_in_their_record() {
    let table: [&[(u8, u32, &[u8])]; 5] = [
        &[(16, 5, b"four")],
        &[(16, u32::MAX, b"four")],
        &[(25, 1, b"")],
        &[BYE, (16, 1, b"")],
        &[ALIVE, (16, 2, b"x")],
    ];
    for frames in table {
        let mut record = record(frames);
        let error = loop {
            match record.message() {
                Ok(Some(_)) => {}
                end => break end.map(|_| ()),
            }
        };
        assert!(matches!(error, Err(WireError::Malformed(_))), "{frames:?}: {error:?}");
    }
    for length in 1..FRAME {
        let mut record = Record::of(&[25; FRAME][..length]);
        assert!(matches!(record.message(), Err(WireError::Malformed(_))), "{length} bytes");
    }
}

#[test]
fn alive_is_passed_over_wherever_it_stands() {
    let mut full = record(&[ALIVE, BYE, ALIVE, ALIVE, (16, 1, b"x"), ALIVE]);
    assert!(!full.is_over());
    assert_eq!(full.message().unwrap(), Some(Message::Bye));
    assert!(full.ends_with(&Message::Data(b"")));
    assert_eq!(full.message().unwrap(), Some(Message::Data(b"x")));
    assert!(full.is_over());
    assert_eq!(full.message().unwrap(), None);
    // Contents that look like it are contents.
    let mut contents = record(&[(16, 5, &[26, 0, 0, 0, 0]), BYE]);
    assert_eq!(contents.message().unwrap(), Some(Message::Data(&[26, 0, 0, 0, 0])));
    assert_eq!(contents.message().unwrap(), Some(Message::Bye));
    assert!(record(&[ALIVE]).is_over() && !record(&[ALIVE]).ends_with(&Message::Alive));
    assert!(matches!(record(&[(26, 1, b"x")]).message(), Err(WireError::Malformed(_))));
}

#[test]
fn abort_ends_it_behind_whatever_it_stands() {
    let mut record = record(&[BYE, ALIVE, (27, 7, b"\x4a\0\x04full")]);
    assert_eq!(record.message().unwrap(), Some(Message::Bye));
    let error = record.message().unwrap_err();
    assert!(matches!(error, WireError::Aborted { exit: Exit::Io, ref text } if text == "full"), "{error:?}");
}

#[test]
fn a_file_is_whole_when_all_of_it_is_in_one_record_and_one_piece() {
    let time = crate::spec::Time { sec: 1, nsec: 2 };
    let file = |index, size| Message::File { index, size, time };
    let (data, end) = (Message::Data(b"hello"), Message::FileEnd { digest: [7; 32] });
    let mut batch = Batch::new();
    let whole = [file(3, 5), data.clone(), end.clone(), file(4, 0), end.clone()];
    // Too short, in two pieces, cut off.
    let others = [
        file(5, 6),
        data.clone(),
        end.clone(),
        file(6, 10),
        data.clone(),
        data.clone(),
        end,
        file(7, 5),
        data,
    ];
    assert!(whole.iter().chain(&others).all(|message| batch.push(message)));
    let mut record = batch.reopened();
    let first = record.whole().unwrap();
    assert_eq!((first.index, first.size, first.time, first.digest), (3, 5, time, [7; 32]));
    assert_eq!(record.contents(&first), b"hello");
    let second = record.whole().unwrap();
    assert_eq!((second.index, record.contents(&second)), (4, &b""[..]));
    for message in &others {
        assert!(record.whole().is_none());
        assert_eq!(record.message().unwrap().as_ref(), Some(message));
    }
    assert!(record.whole().is_none() && record.message().unwrap().is_none());
}
