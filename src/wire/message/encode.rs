//! The bytes of each message, written.

use crate::wire::codec::put_bytes;
use crate::wire::{Message, change, refusal, scope};

impl Message<'_> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Open { module, path } => {
                put_bytes(out, module.as_bytes());
                put_bytes(out, path.as_bytes());
            }
            Message::Welcome { single } => put_bytes(out, single.as_bytes()),
            Message::Module { name, comment, read_only, write_only } => {
                put_bytes(out, name.as_bytes());
                put_bytes(out, comment.as_bytes());
                out.push((*read_only).into());
                out.push((*write_only).into());
            }
            Message::Motd(text) => put_bytes(out, text.as_bytes()),
            Message::Round(round) => round.encode(out),
            Message::Rules(local) => scope::put_local(out, local),
            Message::Paths(paths) => scope::put_paths(out, paths),
            Message::Base { index, block, key } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&block.to_be_bytes());
                out.extend_from_slice(&key.to_be_bytes());
            }
            Message::Copy { from, length } => {
                out.extend_from_slice(&from.to_be_bytes());
                out.extend_from_slice(&length.to_be_bytes());
            }
            Message::Sums(bytes) | Message::Spec(bytes) | Message::Edits(bytes) | Message::Data(bytes) => {
                out.extend_from_slice(bytes);
            }
            Message::Packed { size, piece } => {
                out.extend_from_slice(&size.to_be_bytes());
                out.extend_from_slice(piece);
            }
            Message::SpecEnd { digest, entries, whole, skipped, holes } => {
                out.extend_from_slice(digest);
                out.extend_from_slice(&entries.to_be_bytes());
                out.push((*whole).into());
                out.extend_from_slice(&skipped.to_be_bytes());
                out.extend_from_slice(&holes.to_be_bytes());
            }
            Message::Ask { first, count }
            | Message::AskTogether { first, count }
            | Message::Want { first, count } => {
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
            }
            Message::Have { place, first, count } => {
                out.extend_from_slice(place);
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
            }
            Message::TakenAway { removed, kept, problems } => {
                [removed, kept, problems]
                    .iter()
                    .for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
            }
            Message::Digest { index, digest } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(digest);
            }
            Message::File { index, size, time } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&size.to_be_bytes());
                out.extend_from_slice(&time.sec.to_be_bytes());
                out.extend_from_slice(&time.nsec.to_be_bytes());
            }
            Message::Hole(length) => out.extend_from_slice(&length.to_be_bytes()),
            Message::FileEnd { digest }
            | Message::Held { digest }
            | Message::Baseline { digest }
            | Message::Together { digest } => out.extend_from_slice(digest),
            Message::Missing { index, errno } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&errno.unsigned_abs().to_be_bytes());
            }
            Message::Problem(problem) => {
                out.push(problem.step as u8);
                out.push(problem.side as u8);
                out.extend_from_slice(&problem.errno.unsigned_abs().to_be_bytes());
                put_bytes(out, problem.path.as_bytes());
            }
            Message::Change(change) => change::encode(change, out),
            Message::Unsupported(lost) => {
                out.push(lost.feature as u8);
                out.extend_from_slice(&lost.entries.to_be_bytes());
                put_bytes(out, lost.path.as_bytes());
            }
            Message::Report(report) => {
                report.values().iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
            }
            Message::Doubt(doubt) => refusal::encode_doubt(doubt, out),
            Message::Refusal(refusal) => refusal::encode(refusal, out),
            Message::Resume { index, offset, digest } => {
                out.extend_from_slice(&index.to_be_bytes());
                out.extend_from_slice(&offset.to_be_bytes());
                out.extend_from_slice(digest);
            }
            Message::Abort { exit, text } => {
                out.push(exit.code());
                put_bytes(out, text.as_bytes());
            }
            Message::List
            | Message::ModulesEnd
            | Message::AskEnd
            | Message::DigestsEnd
            | Message::WantEnd
            | Message::Again
            | Message::FilesEnd
            | Message::Resumed
            | Message::Whole
            | Message::Bye
            | Message::Alive => {}
        }
    }
}
