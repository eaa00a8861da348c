//! Who may open which module.

use crate::limits;
use crate::server::config::hosts::Caller;
use crate::server::config::{Access, Module};
use crate::sys::ids;
use crate::sys::process::Program;
use crate::sys::stdio::Peer;
use std::sync::OnceLock;

/// Somebody who has proven who he is, or is about to.
#[derive(Debug)]
pub(super) struct Visitor {
    peer: Peer,
    user: String,
    /// The name of his host, once it was looked for.
    name: OnceLock<Option<String>>,
}

impl Visitor {
    /// `user` is empty for somebody without a name.
    pub(super) fn new(peer: Peer, user: String) -> Visitor {
        Visitor { peer, user, name: OnceLock::new() }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// The name of his host, if it was looked up.
    pub(super) fn known_name(&self) -> Option<&str> {
        self.name.get().and_then(Option::as_deref)
    }

    /// The name of his host, if that has one which leads back to it. Another process asks for it, which knows nothing: the
    /// answer comes from strangers.
    fn name(&self) -> Option<String> {
        let Peer::Inet(address) = self.peer else { return None };
        let look = || {
            let question = vec!["--name-of".into(), address.ip().to_string().into()];
            let answer = Program::itself(question).ask(limits::LOOKUP, limits::HOST_NAME).ok()??;
            String::from_utf8(answer).ok().filter(|name| !name.is_empty())
        };
        self.name.get_or_init(look).clone()
    }

    /// Has the name looked up now, so that a module that goes by it takes no longer than one that does not.
    pub(super) fn look_up(&self) {
        let _ = self.name();
    }

    /// The module as it is to him; nothing if he may not open it.
    pub(super) fn enter(&self, module: &Module) -> Option<Module> {
        let address = if let Peer::Inet(address) = self.peer { Some(address.ip()) } else { None };
        let name = || self.name();
        let caller = Caller { address, name: &name };
        let mut module = module.clone();
        match module.access(&self.user, &caller, &ids::is_member) {
            Access::Denied => return None,
            Access::AsSaid => {}
            Access::ReadOnly => module.read_only = true,
            Access::ReadWrite => module.read_only = false,
        }
        Some(module)
    }
}
