//! Tests of the handshake and its records: what an attacker may try, and the bounds.

mod interop;
mod vectors;

use super::*;

const PROLOGUE: &[u8] = b"smsync 1 aesgcm alice";
/// Small-order points of Curve25519 and their unreduced forms (libsodium, `x25519_ref10.c`, `has_small_order`).
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn psk() -> Secret {
    Secret::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

fn pair(cipher: Cipher) -> (Transport, Transport) {
    let (initiator, message1) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
    let (message2, server) = respond(cipher, PROLOGUE, &psk(), &message1).unwrap();
    (initiator.finish(&message2).unwrap(), server)
}

/// A plaintext as its record on the wire.
fn sealed(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut record = plaintext.to_vec();
    let tag = sealer.seal(&mut record).unwrap();
    record.extend_from_slice(&tag);
    record
}

fn opened(opener: &mut Opener, record: &[u8]) -> Result<Vec<u8>, NoiseError> {
    opener.open(&mut record.to_vec()).map(|plaintext| plaintext.to_vec())
}

fn flipped(message: &[u8; MESSAGE], bit: usize) -> [u8; MESSAGE] {
    let mut message = *message;
    message[bit / 8] ^= 1 << (bit % 8);
    message
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Bytes with no pattern a cipher mistake could hide in.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_cipher_has_one_number_and_one_name() {
    let table = [(Cipher::AesGcm, 1, "aesgcm"), (Cipher::ChaChaPoly, 2, "chachapoly")];
    for (cipher, number, name) in table {
        assert_eq!((cipher.wire(), cipher.name()), (number, name));
        assert_eq!((Cipher::from_wire(number), Cipher::from_name(name)), (Some(cipher), Some(cipher)));
    }
    assert!([0, 3, 255].into_iter().all(|number| Cipher::from_wire(number).is_none()));
    assert!(["", "AESGCM", "aes"].into_iter().all(|name| Cipher::from_name(name).is_none()));
}

#[test]
fn another_secret_prologue_or_cipher_is_refused() {
    for cipher in Cipher::ALL {
        let (_, message1) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
        let other = Secret::generate().unwrap();
        let swapped = if cipher == Cipher::AesGcm { Cipher::ChaChaPoly } else { Cipher::AesGcm };
        let refused = |cipher, prologue, psk: &Secret| respond(cipher, prologue, psk, &message1).err();
        assert_eq!(refused(cipher, PROLOGUE, &psk()), None);
        assert_eq!(refused(cipher, PROLOGUE, &other), Some(NoiseError::Handshake));
        assert_eq!(refused(cipher, b"smsync 1 aesgcm bob", &psk()), Some(NoiseError::Handshake));
        assert_eq!(refused(cipher, b"", &psk()), Some(NoiseError::Handshake));
        assert_eq!(refused(swapped, PROLOGUE, &psk()), Some(NoiseError::Handshake));
    }
}

#[test]
fn a_server_without_the_secret_is_refused() {
    for cipher in Cipher::ALL {
        let (initiator, message1) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
        let e = split(&message1).0;
        let mut server = Symmetric::first(cipher, PROLOGUE, Secret::generate().unwrap().bytes(), &e);
        let (private, public) = ephemeral().unwrap();
        server.second(&public);
        agree(private, &e, &mut server).unwrap();
        let message2 = join(&public, &server.seal(&mut []).unwrap());
        assert_eq!(initiator.finish(&message2).err(), Some(NoiseError::Handshake));
    }
}

#[test]
fn a_bit_flipped_in_a_handshake_message_is_refused() {
    for cipher in Cipher::ALL {
        for bit in 0..MESSAGE * 8 {
            let (initiator, message1) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
            let refused = respond(cipher, PROLOGUE, &psk(), &flipped(&message1, bit)).err();
            assert_eq!(refused, Some(NoiseError::Handshake), "message 1, bit {bit}");
            let (message2, _) = respond(cipher, PROLOGUE, &psk(), &message1).unwrap();
            let refused = initiator.finish(&flipped(&message2, bit)).err();
            assert_eq!(refused, Some(NoiseError::Handshake), "message 2, bit {bit}");
        }
    }
}

#[test]
fn small_order_points_are_refused_but_a_wrong_secret_first() {
    for cipher in Cipher::ALL {
        for point in SMALL_ORDER {
            let mut point = bytes32(&hex(point));
            for high_bit in [0, 0x80] {
                point[31] |= high_bit;
                let mut symmetric = Symmetric::first(cipher, PROLOGUE, psk().bytes(), &point);
                let message1 = join(&point, &symmetric.seal(&mut []).unwrap());
                assert_eq!(respond(cipher, PROLOGUE, &psk(), &message1).err(), Some(NoiseError::Point));
                // The order of these two errors is what shows that strangers cost no public-key work.
                let stranger = respond(cipher, PROLOGUE, &Secret::generate().unwrap(), &message1);
                assert_eq!(stranger.err(), Some(NoiseError::Handshake));

                let (initiator, _) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
                assert_eq!(initiator.finish(&join(&point, &[0; TAG])).err(), Some(NoiseError::Point));
            }
        }
    }
}

#[test]
fn a_replayed_first_message_leads_nowhere() {
    for cipher in Cipher::ALL {
        let (initiator, message1) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
        let (message2, mut server) = respond(cipher, PROLOGUE, &psk(), &message1).unwrap();
        let mut client = initiator.finish(&message2).unwrap();
        let recorded = sealed(&mut client.seal, b"Open");
        assert_eq!(opened(&mut server.open, &recorded).unwrap(), b"Open");

        let (answer, mut replayed) = respond(cipher, PROLOGUE, &psk(), &message1).unwrap();
        assert_ne!(answer, message2);
        assert_ne!(replayed.handshake_hash, server.handshake_hash);
        assert_eq!(opened(&mut replayed.open, &recorded), Err(NoiseError::Record));
        let (other, _) = Initiator::start(cipher, PROLOGUE, &psk()).unwrap();
        assert_eq!(other.finish(&answer).err(), Some(NoiseError::Handshake));
    }
}

#[test]
fn every_session_has_its_own_keys() {
    let (mut one, mut two) = (pair(Cipher::AesGcm).0, pair(Cipher::AesGcm).0);
    assert_ne!(one.handshake_hash, two.handshake_hash);
    assert_ne!(sealed(&mut one.seal, b"same"), sealed(&mut two.seal, b"same"));
}

#[test]
fn a_damaged_record_is_refused_and_ends_the_stream() {
    let plaintext = noise(37);
    for cipher in Cipher::ALL {
        for bit in 0..(37 + TAG) * 8 {
            let (mut client, mut server) = pair(cipher);
            let mut record = sealed(&mut client.seal, &plaintext);
            record[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&mut server.open, &record), Err(NoiseError::Record), "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&mut server.open, &record), Err(NoiseError::Over), "bit {bit}");
        }
        for length in 0..37 + TAG {
            let (mut client, mut server) = pair(cipher);
            let record = sealed(&mut client.seal, &plaintext);
            assert_eq!(opened(&mut server.open, &record[..length]), Err(NoiseError::Record), "{length}");
            assert_eq!(opened(&mut server.open, &record), Err(NoiseError::Over), "{length}");
        }
    }
}

#[test]
fn a_record_opens_once_in_order_and_on_the_other_side() {
    for cipher in Cipher::ALL {
        let (mut client, mut server) = pair(cipher);
        let first = sealed(&mut client.seal, b"first");
        let second = sealed(&mut client.seal, b"second");
        assert_eq!(opened(&mut server.open, &first).unwrap(), b"first");
        assert_eq!(opened(&mut server.open, &first), Err(NoiseError::Record), "replayed");
        assert_eq!(opened(&mut server.open, &second), Err(NoiseError::Over), "after a failure");
        assert_eq!(opened(&mut client.open, &sealed(&mut server.seal, b"up")).unwrap(), b"up");

        let (mut client, mut server) = pair(cipher);
        sealed(&mut client.seal, b"lost");
        let next = sealed(&mut client.seal, b"next");
        assert_eq!(opened(&mut server.open, &next), Err(NoiseError::Record), "out of order");
        assert_eq!(opened(&mut client.open, &next), Err(NoiseError::Record), "reflected");
    }
}

#[test]
fn records_are_bounded() {
    let (mut client, mut server) = pair(Cipher::ChaChaPoly);
    let largest = noise(limits::RECORD);
    assert_eq!(opened(&mut server.open, &sealed(&mut client.seal, &largest)).unwrap(), largest);
    assert_eq!(client.seal.seal(&mut noise(limits::RECORD + 1)), Err(NoiseError::TooLong));
    assert_eq!(client.seal.seal(&mut []), Err(NoiseError::Over));
    assert_eq!(opened(&mut server.open, &noise(limits::RECORD + TAG + 1)), Err(NoiseError::TooLong));
}

#[test]
fn the_last_counter_is_never_used_for_a_record() {
    let (mut client, mut server) = pair(Cipher::AesGcm);
    for direction in [&mut client.seal.0, &mut server.open.0] {
        direction.as_mut().unwrap().records = u64::MAX - 1;
    }
    let last = sealed(&mut client.seal, b"last");
    assert_eq!(opened(&mut server.open, &last).unwrap(), b"last");
    assert_eq!(client.seal.seal(&mut []), Err(NoiseError::Over));
    assert_eq!(opened(&mut server.open, &last), Err(NoiseError::Over));
}

#[test]
fn the_directions_go_to_different_threads() {
    let (client, server) = pair(Cipher::AesGcm);
    let (Transport { mut seal, .. }, Transport { mut open, .. }) = (client, server);
    let (sender, receiver) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        (0..1000_u32).for_each(|n| sender.send(sealed(&mut seal, &n.to_be_bytes())).unwrap());
    });
    for (n, record) in (0..1000_u32).zip(&receiver) {
        assert_eq!(opened(&mut open, &record).unwrap(), n.to_be_bytes());
    }
    writer.join().unwrap();
}
