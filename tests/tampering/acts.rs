//! Every act, with the moments at which somebody can change the store's files.

use crate::ground::{Ground, NOW, POLICY, Stand, batch, passphrase, sign_root};
use coldsign::acts::keys::Change;
use coldsign::acts::revocations::Request;
use coldsign::acts::root::{self, Wish};
use coldsign::acts::unlock::{self, Depth};
use coldsign::acts::{
    Session, Unlocked, backup, check, clock, emergency, issue, journal, keys, policy, publications, publish,
    revocations, rotate, status, verifiers,
};
use coldsign::issuing::revoked::What;
use coldsign::journal::{Audit, hex, sha256};
use coldsign::keystore::{Passphrase, Transition};
use coldsign::refusal::Refusal;
use coldsign::storage::Outbox;

/// When files are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// While nobody is at work.
    Locked,
    /// Between the passphrase and the lock.
    Opened,
    /// Between the lock and what the act does.
    Begun,
}

pub const MOMENTS: [Moment; 3] = [Moment::Locked, Moment::Opened, Moment::Begun];

/// One act on one store.
pub struct Trial<'a> {
    pub ground: &'a Ground,
    pub stand: &'a Stand,
    pub unlock: &'static str,
    pub text: &'static str,
    pub meddle: &'a dyn Fn(Moment),
}

/// What an act that was not refused did, besides what it recorded.
#[derive(Debug, Default)]
pub struct Done {
    pub tokens: Vec<String>,
    /// Whatever it says of the store's files.
    pub told: Vec<String>,
    /// What it showed.
    pub seen: String,
}

pub struct Act {
    pub name: &'static str,
    pub does: fn(&Trial<'_>) -> Result<Done, Refusal>,
}

const CHANGED: &str = "quite another passphrase";

const fn act(name: &'static str, does: fn(&Trial<'_>) -> Result<Done, Refusal>) -> Act {
    Act { name, does }
}

pub const ACTS: [Act; 26] = [
    act("token issue", |trial| {
        let mut session = trial.session()?;
        let issued = issue::issue(&mut session, &batch("cleo"))?;
        issue::deliver(&mut session, &issued, &trial.outbox())?;
        Ok(Done { tokens: issued.iter().map(|one| one.token.to_string()).collect(), ..trial.done(&session) })
    }),
    act("publish", |trial| {
        let mut session = trial.session()?;
        let seq = publish::publish(&mut session, false)?.seq;
        publications::copy(session.store(), seq, &trial.outbox())?;
        Ok(trial.done(&session))
    }),
    act("publish --renew", |trial| {
        let mut session = trial.session()?;
        publish::publish(&mut session, true)?;
        Ok(trial.done(&session))
    }),
    act("publication copy", |trial| {
        let session = trial.session()?;
        publications::copy(session.store(), 2, &trial.outbox())?;
        Ok(trial.done(&session))
    }),
    act("revoke", |trial| {
        let mut session = trial.session()?;
        let request = Request { what: What::Subject, names: vec!["ann".to_owned()], reason: None, unseen: false };
        revocations::revoke(&mut session, &request)?;
        Ok(trial.done(&session))
    }),
    act("revoke key", |trial| {
        let mut session = trial.session()?;
        emergency::declare(&mut session, "default/1", None)?;
        Ok(trial.done(&session))
    }),
    act("key generate", |trial| {
        let mut session = trial.session()?;
        keys::generate(&mut session, "default")?;
        Ok(trial.done(&session))
    }),
    act("key activate", |trial| trial.change("default/2", Transition::Activate)),
    act("key destroy", |trial| trial.change("default/2", Transition::Destroy)),
    act("rotate next", |trial| {
        let mut session = trial.session()?;
        rotate::next(&mut session, true)?;
        Ok(trial.done(&session))
    }),
    act("policy apply", |trial| {
        // Edited by hand, as an administrator does it, and read before it is applied.
        let file = trial.stand.place().join("policy.toml");
        let edited = format!("{POLICY}# edited twice\n");
        if std::fs::symlink_metadata(&file).is_ok_and(|found| found.is_file()) {
            std::fs::write(&file, &edited).unwrap();
        }
        let mut session = trial.session()?;
        let comparison = policy::compare(session.store(), NOW)?;
        policy::must_be(&comparison, &hex(&sha256(edited.as_bytes())))?;
        policy::apply(&mut session, &comparison)?;
        Ok(trial.done(&session))
    }),
    act("root rotate", |trial| {
        let mut session = trial.session()?;
        root::discard(&mut session)?;
        let code = trial.ground.root_codes[0].to_passphrase();
        let by = {
            let key = root::opened_by(session.store(), None, &code)?;
            root::open(session.store(), key, None, &code)?
        };
        let wish = Wish { bundle_key: true, ..Wish::default() };
        let proposal = root::prepare(&session, &wish)?;
        root::propose(&mut session, &wish, proposal, &by)?;
        Ok(Done { told: told_of(&by), ..trial.done(&session) })
    }),
    act("root sign", |trial| {
        let mut session = trial.session()?;
        let told = sign_root(&mut session, &trial.ground.root_codes[1])?;
        Ok(Done { told, ..trial.done(&session) })
    }),
    act("root discard", |trial| {
        let mut session = trial.session()?;
        root::discard(&mut session)?;
        Ok(trial.done(&session))
    }),
    act("unlock add", |trial| {
        let mut session = trial.session()?;
        unlock::add(&mut session, "dora", &passphrase("doras own passphrase"))?;
        Ok(trial.done(&session))
    }),
    act("unlock change", |trial| trial.unlock("carol", Depth::Reseal)),
    act("unlock change, own", |trial| trial.unlock(trial.unlock, Depth::Reseal)),
    act("unlock change --rewrap-only", |trial| trial.unlock(trial.unlock, Depth::RewrapOnly)),
    act("unlock remove", |trial| {
        let mut session = trial.session()?;
        unlock::remove(&mut session, "carol", Some(&trial.passphrase()))?;
        Ok(trial.done(&session))
    }),
    act("unlock test", |trial| {
        let reached = unlock::test(&trial.stand.place(), trial.unlock, &trial.passphrase())?;
        let seen = reached.iter().map(|key| key.kid.clone()).collect::<Vec<_>>().join(" ");
        Ok(Done { seen, ..Done::default() })
    }),
    act("backup create", |trial| {
        let mut session = trial.session()?;
        let made = backup::create(&mut session, &trial.outbox())?;
        let mut done = trial.done(&session);
        done.told.extend(made.left_out);
        done.told.extend(made.lacking.iter().map(|seq| format!("publications/{seq:06}")));
        done.told.extend(made.rewrapped.iter().map(|name| format!("rewrapped {name}")));
        Ok(done)
    }),
    act("receipt", |trial| {
        let mut session = trial.session()?;
        let taken = verifiers::take(&mut session, &[trial.ground.receipt.clone().into_bytes()])?;
        let seen = taken.iter().map(|one| one.is_ok().to_string()).collect();
        Ok(Done { seen, ..trial.done(&session) })
    }),
    act("clock correct", |trial| {
        let passphrase = trial.passphrase();
        let unlocked = Unlocked::open(&trial.stand.place(), Some(trial.unlock), &passphrase)?;
        (trial.meddle)(Moment::Opened);
        let correction = clock::Correction { now: NOW - 6_620, since: None, reason: "it ran ahead" };
        clock::correct(unlocked, &passphrase, &correction)?;
        Ok(Done::default())
    }),
    act("status", |trial| {
        let unlocked = Unlocked::open(&trial.stand.place(), Some(trial.unlock), &trial.passphrase())?;
        (trial.meddle)(Moment::Opened);
        let summary = status::summary(unlocked.store(), NOW)?;
        assert!(unlocked.store().is_vouched());
        let keys = summary.keys.iter().map(|key| format!("{} {:?}", key.kid, key.state)).collect::<Vec<_>>();
        Ok(Done { seen: format!("{keys:?} {:?} {}", summary.unlocks, summary.unconfirmed), ..Done::default() })
    }),
    act("journal verify", |trial| {
        let unlocked = Unlocked::open(&trial.stand.place(), Some(trial.unlock), &trial.passphrase())?;
        (trial.meddle)(Moment::Opened);
        let audit: Audit = journal::verify(unlocked.store())?;
        Ok(Done { seen: audit.checkpoint.size.to_string(), ..Done::default() })
    }),
    act("journal export", |trial| {
        let session = trial.session()?;
        let exported = journal::export(session.store(), &trial.stand.out())?;
        Ok(Done { seen: exported.lines.to_string(), ..trial.done(&session) })
    }),
];

/// A custodian's file that is not the one that the journal names.
fn told_of(by: &root::Custodian) -> Vec<String> {
    if by.as_named { Vec::new() } else { vec!["rewrapped".to_owned()] }
}

impl Trial<'_> {
    pub fn passphrase(&self) -> Passphrase {
        passphrase(self.text)
    }

    fn session(&self) -> Result<Session, Refusal> {
        let passphrase = self.passphrase();
        let unlocked = Unlocked::open(&self.stand.place(), Some(self.unlock), &passphrase)?;
        (self.meddle)(Moment::Opened);
        let session = unlocked.begin(&passphrase, NOW)?;
        (self.meddle)(Moment::Begun);
        Ok(session)
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.stand.out()).unwrap()
    }

    fn done(&self, session: &Session) -> Done {
        let swept = session.swept();
        Done { told: swept.removed.iter().chain(&swept.put_aside).cloned().collect(), ..Done::default() }
    }

    fn change(&self, key: &str, transition: Transition) -> Result<Done, Refusal> {
        let mut session = self.session()?;
        keys::change(&mut session, &Change { key, transition, reason: None, accept_outage: false })?;
        Ok(self.done(&session))
    }

    fn unlock(&self, name: &str, depth: Depth) -> Result<Done, Refusal> {
        let mut session = self.session()?;
        unlock::change(&mut session, name, &passphrase(CHANGED), depth, Some(&self.passphrase()))?;
        Ok(self.done(&session))
    }
}

/// What `store check` says.
pub fn checked(stand: &Stand) -> Vec<String> {
    match check::check(&stand.place()) {
        Ok(report) => {
            let faults = report.faults.iter().map(|fault| format!("{}: {}", fault.file, fault.what));
            faults.chain(report.notes.iter().cloned()).collect()
        }
        Err(refusal) => vec![refusal.to_string()],
    }
}
