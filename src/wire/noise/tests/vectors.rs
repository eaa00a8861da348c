//! The published vectors, and `x25519` of `snow` to run them.

use super::*;
use serde_json::Value;
use snow::resolvers::{CryptoResolver, DefaultResolver};

fn bytes(value: &Value) -> Vec<u8> {
    hex(value.as_str().unwrap())
}

/// X25519 of `snow`, since `ring` takes no private key from outside: the public key, and the shared secret.
fn x25519(private: &[u8], peer: &[u8]) -> ([u8; 32], [u8; 32]) {
    let mut dh = DefaultResolver.resolve_dh(&snow::params::DHChoice::Curve25519).unwrap();
    dh.set(private);
    let mut shared = [0; 32];
    dh.dh(peer, &mut shared).unwrap();
    (bytes32(dh.pubkey()), shared)
}

fn run(vector: &Value) {
    let name = vector["protocol_name"].as_str().unwrap();
    let cipher = Cipher::ALL.into_iter().find(|cipher| cipher.protocol() == name).unwrap();
    let side = |side: &str, e: &[u8; 32]| {
        let prologue = bytes(&vector[format!("{side}_prologue")]);
        let psk = bytes32(&bytes(&vector[format!("{side}_psks")][0]));
        Symmetric::first(cipher, &prologue, &psk, e)
    };
    let message = |number: usize| {
        let message = &vector["messages"][number];
        (bytes(&message["payload"]), bytes(&message["ciphertext"]))
    };
    let (private_i, private_r) = (bytes(&vector["init_ephemeral"]), bytes(&vector["resp_ephemeral"]));
    let base_point: [u8; 32] = std::array::from_fn(|at| if at == 0 { 9 } else { 0 });
    let (e_i, e_r) = (x25519(&private_i, &base_point).0, x25519(&private_r, &base_point).0);

    let (mut initiator, mut responder) = (side("init", &e_i), side("resp", &e_i));
    exchange(&mut initiator, &mut responder, &e_i, message(0));
    for (symmetric, private, peer) in [(&mut initiator, &private_i, &e_r), (&mut responder, &private_r, &e_i)]
    {
        symmetric.second(&e_r);
        symmetric.mix_key(&x25519(private, peer).1);
    }
    exchange(&mut responder, &mut initiator, &e_r, message(1));

    let hash = bytes32(&bytes(&vector["handshake_hash"]));
    assert_eq!((initiator.hash(), responder.hash()), (hash, hash));
    let [sending, receiving] = initiator.split().unwrap();
    let mut client = Transport::new(sending, receiving, hash);
    let [receiving, sending] = responder.split().unwrap();
    let mut server = Transport::new(sending, receiving, hash);
    for number in 2..vector["messages"].as_array().unwrap().len() {
        let (payload, ciphertext) = message(number);
        let (sealer, opener) = if number % 2 == 0 {
            (&mut client.seal, &mut server.open)
        } else {
            (&mut server.seal, &mut client.open)
        };
        assert_eq!(sealed(sealer, &payload), ciphertext, "{name} message {number}");
        assert_eq!(opened(opener, &ciphertext).unwrap(), payload);
    }
}

/// One handshake message: written by us as published, and what is published opened by us.
fn exchange(from: &mut Symmetric, to: &mut Symmetric, e: &[u8; 32], published: (Vec<u8>, Vec<u8>)) {
    let (payload, message) = published;
    let mut written = payload.clone();
    let tag = from.seal(&mut written).unwrap();
    assert_eq!([&e[..], &written, &tag].concat(), message);
    let mut read = message[32..].to_vec();
    to.open(&mut read).unwrap();
    assert_eq!(read[..payload.len()], payload);
}

#[test]
fn both_published_suites() {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/noise.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    vectors.iter().for_each(run);
}
