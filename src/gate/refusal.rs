//! Why a command did not do what was asked: the fact, why, the command that helps.

use coldsign_verify::files::LockFault;
use coldsign_verify::trust::{Fault, TrustStore};
use coldsign_verify::{UnixTime, bundle, root};
use std::io;
use std::path::Path;

use crate::screen::word;

/// A refusal as it is shown.
#[derive(Debug)]
pub struct Refusal {
    /// What is the matter, one sentence.
    pub fact: String,
    /// The rule that refused.
    pub rule: Option<&'static str>,
    /// What did not happen, and why.
    pub why: Vec<String>,
    /// A command to paste.
    pub hint: Option<String>,
}

impl Refusal {
    /// A fact alone.
    pub fn new(fact: impl Into<String>) -> Self {
        Self { fact: fact.into(), rule: None, why: Vec::new(), hint: None }
    }

    /// Refused by this rule.
    pub fn rule(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }

    /// With a reason more.
    pub fn why(mut self, line: impl Into<String>) -> Self {
        self.why.push(line.into());
        self
    }

    /// With a command that helps.
    pub fn hint(mut self, command: impl Into<String>) -> Self {
        self.hint = Some(command.into());
        self
    }

    /// What the system refused.
    pub fn system(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("{} could not be {action}: {error}", path.display()))
    }

    /// The state that goes on being in force.
    pub fn and_stays(self, trust: &TrustStore, now: UnixTime) -> Self {
        let stays = match trust.bundle() {
            Some(bundle) if now >= bundle.contents().expires_at => format!(
                "nothing was changed: publication {} has expired at {}, and every token is refused",
                bundle.seq(),
                bundle.contents().expires_at
            ),
            Some(bundle) => {
                format!(
                    "nothing was changed: publication {} serves until {}",
                    bundle.seq(),
                    bundle.contents().expires_at
                )
            }
            None => "nothing was changed: nothing is installed".to_owned(),
        };
        self.why(stays)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let refusal = Self::new(fault.to_string()).rule(fault.code());
        let refusal = match &fault {
            Fault::System { path, .. } => refusal.hint(format!("ls -ld {}", word(path))),
            Fault::Missing { .. } => refusal.why("no root has been pinned there").hint("coldsign-gate pin --help"),
            Fault::Pinned { .. } => refusal
                .why("one verifier trusts one root; later roots are followed, not pinned")
                .hint("coldsign-gate status"),
            Fault::Name { .. } => refusal.hint("coldsign-gate pin --help"),
            Fault::Busy => refusal.why("nothing was changed; try again").hint("coldsign-gate status"),
            Fault::Lock(LockFault::Held(path)) => refusal
                .why("one process changes it at a time; nothing was changed; try again when it has ended")
                .hint(format!("fuser -v {}", word(path))),
            Fault::Lock(LockFault::Foreign(path)) => refusal
                .why("nothing was changed: somebody else put it there: look who, and remove it")
                .hint(format!("ls -ld {}", word(path))),
            Fault::Lock(LockFault::System { path, .. }) => refusal.hint(format!("ls -ld {}", word(path))),
            Fault::Exchanged { path } => refusal
                .why("another process may have changed the store meanwhile; nothing is known to be changed here")
                .hint(format!("ls -ld {}", word(path))),
            Fault::Damaged { path, .. } => refusal
                .why("nothing is guessed: put the file back from a copy, or pin the root again into an empty directory")
                .hint(format!("ls -l {}", word(path))),
            Fault::Empty => refusal.hint("coldsign-gate install --help"),
            Fault::ExportDue { directory, service, seq } => {
                let directory = Path::new(directory);
                let service = service.as_ref().map(|service| format!(" --service {}", word(Path::new(service))));
                refusal
                    .why("a receipt would vouch for files that no service reads: no receipt was made")
                    .why(format!(
                        "install publication {seq}, or a newer one, with this export, and with its --reload if it has one; \
                         or --retire the directory, where nothing reads it any more"
                    ))
                    .hint(format!(
                        "coldsign-gate install PUBLICATION --export {}{}",
                        word(directory),
                        service.unwrap_or_default()
                    ))
            }
            Fault::ExportUnknown { known, .. } if known.is_empty() => refusal.why("no export directory is known here"),
            Fault::ExportUnknown { known, .. } => refusal.why(format!("those known are {}", known.join(", "))),
            Fault::Service { known, .. } => refusal.why(format!("it has: {}", known.join(", "))),
            Fault::NoKeys { .. } => refusal.why("every token for it is refused"),
            Fault::Changed { .. } => refusal
                .why("it was changed, copied badly, or belongs to another publication: take the whole folder again"),
            Fault::FileMissing { .. } => refusal.why("the copy is not whole: take the whole folder again"),
            Fault::TooLarge { .. } => refusal.why("no signer writes such a file: don't use what came with it"),
            Fault::NotAFile { .. } => refusal.why("only ordinary files are read from a publication"),
            Fault::Root(root::Fault::Fingerprint { .. }) => refusal.why(
                "compare once more what was typed; if it is what was written down, don't use what came with this root",
            ),
            Fault::Root(root::Fault::Expired { .. }) => {
                refusal.why("bring a publication with a newer root: the signer makes one with `coldsign root rotate`")
            }
            Fault::Root(root::Fault::Future { .. }) => {
                refusal.why("the signer's clock or this one is wrong").hint("date -u")
            }
            Fault::Root(_) => refusal.why("bring the whole publication again: it has every root"),
            Fault::Bundle(fault) => refusal.about_bundle(fault),
            _ => refusal,
        };
        // What is in force helps to judge what was brought.
        if refusal.hint.is_some() { refusal } else { refusal.hint("coldsign-gate status") }
    }
}

impl Refusal {
    fn about_bundle(self, fault: &bundle::Fault) -> Self {
        use bundle::Fault as B;
        match fault {
            B::Rollback { .. } => self.why("this is an older stick; bring the newest"),
            B::SameNumber { .. } | B::Previous { .. } => {
                self.why("two stores, or one put back from a copy, have published: ask the signer's operator")
            }
            B::Leap { .. } => self.why("no signer publishes that often: ask the signer's operator"),
            B::Expired { .. } => self.why("bring the newest publication; the signer makes one with `coldsign publish`"),
            B::Future { .. } => self.why("the signer's clock or this one is wrong").hint("date -u"),
            B::Root { .. } | B::Key { .. } => {
                self.why("a root between is missing, or another signer made it: take the whole folder again")
            }
            _ => self.why("it was changed, or another signer made it"),
        }
    }
}
