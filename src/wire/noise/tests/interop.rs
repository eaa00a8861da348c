//! `snow` on the other side of the wire, in both roles.

use super::*;
use snow::{Builder, TransportState};

/// A handshake with `snow` in one role and us in the other.
fn with_snow(cipher: Cipher, we_start: bool) -> (Transport, TransportState) {
    let secret = psk();
    let builder = Builder::new(cipher.protocol().parse().unwrap())
        .psk(0, secret.bytes())
        .and_then(|builder| builder.prologue(PROLOGUE))
        .unwrap();
    let mut message = [0; MESSAGE];
    let (ours, theirs) = if we_start {
        let mut theirs = builder.build_responder().unwrap();
        let (initiator, message1) = Initiator::start(cipher, PROLOGUE, &secret).unwrap();
        assert_eq!(theirs.read_message(&message1, &mut []).unwrap(), 0);
        assert_eq!(theirs.write_message(&[], &mut message).unwrap(), MESSAGE);
        (initiator.finish(&message).unwrap(), theirs)
    } else {
        let mut theirs = builder.build_initiator().unwrap();
        assert_eq!(theirs.write_message(&[], &mut message).unwrap(), MESSAGE);
        let (message2, ours) = respond(cipher, PROLOGUE, &secret, &message).unwrap();
        assert_eq!(theirs.read_message(&message2, &mut []).unwrap(), 0);
        (ours, theirs)
    };
    assert_eq!(ours.handshake_hash, theirs.get_handshake_hash());
    (ours, theirs.into_transport_mode().unwrap())
}

fn to_snow(ours: &mut Transport, theirs: &mut TransportState, plaintext: &[u8]) {
    let mut read = vec![0; plaintext.len() + TAG];
    let length = theirs.read_message(&sealed(&mut ours.seal, plaintext), &mut read).unwrap();
    assert_eq!(&read[..length], plaintext);
}

fn from_snow(ours: &mut Transport, theirs: &mut TransportState, plaintext: &[u8]) {
    let mut record = vec![0; plaintext.len() + TAG];
    assert_eq!(theirs.write_message(plaintext, &mut record).unwrap(), record.len());
    assert_eq!(opened(&mut ours.open, &record).unwrap(), plaintext);
}

fn each(test: impl Fn(&mut Transport, &mut TransportState)) {
    for cipher in Cipher::ALL {
        for we_start in [true, false] {
            let (mut ours, mut theirs) = with_snow(cipher, we_start);
            test(&mut ours, &mut theirs);
        }
    }
}

#[test]
fn records_of_every_size_in_both_directions() {
    each(|ours, theirs| {
        for length in [0, 1, 15, 16, 17, 63, 64, 65, 4096, 65_518, 65_519] {
            to_snow(ours, theirs, &noise(length));
            from_snow(ours, theirs, &noise(length));
        }
    });
}

#[test]
fn new_keys_after_as_many_records() {
    each(|ours, theirs| {
        for direction in [&mut ours.seal.0, &mut ours.open.0] {
            direction.as_mut().unwrap().records_per_key = 3;
        }
        for record in 1..=10 {
            to_snow(ours, theirs, &noise(100));
            from_snow(ours, theirs, &noise(100));
            if record % 3 == 0 {
                theirs.rekey_incoming();
                theirs.rekey_outgoing();
            }
        }
    });
}

#[test]
fn the_first_key_serves_for_exactly_the_limit() {
    let (mut ours, mut theirs) = with_snow(Cipher::AesGcm, true);
    for _ in 0..limits::RECORDS_PER_KEY {
        to_snow(&mut ours, &mut theirs, b"");
        from_snow(&mut ours, &mut theirs, b"");
    }
    let record = sealed(&mut ours.seal, b"new key");
    assert!(theirs.read_message(&record, &mut [0; 64]).is_err());
    theirs.rekey_incoming();
    theirs.rekey_outgoing();
    assert_eq!(theirs.read_message(&record, &mut [0; 64]).unwrap(), 7);
    from_snow(&mut ours, &mut theirs, b"new key");
}
