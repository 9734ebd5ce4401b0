//! Services: what they have installed, what they have in memory, and what they accept.

use coldsign::rotation::{Reader, Timing};

/// How a service reads what is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The gate: bundles, cut-offs, caps.
    Gate,
    /// A stock library on an exported key set.
    File,
    /// A stock service on certificates: a key ends when its planned time is over.
    Dated,
}

/// What one publication says.
pub struct Publication {
    pub made_at: u64,
    pub kids: Vec<String>,
    pub ends: Vec<(String, u64)>,
    pub bundle_expiry: u64,
    pub root_expiry: u64,
    pub cut_offs: Vec<(u64, u64)>,
    /// By service; nothing for those that it does not speak to.
    pub told: Vec<Option<Told>>,
}

/// What a publication tells one service.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub leeway: u64,
    /// The most that exp − iat may be.
    pub reach: u64,
    /// The most that exp − max(iat, nbf) may be, for verifiers with a cap of their own.
    pub validity: u64,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub kid: String,
    pub subject: u64,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
}

pub struct Service {
    pub place: usize,
    pub kind: Kind,
    /// What the last policy that had it says.
    pub timing: Timing,
    /// The most that it ever forgave.
    pub widest_leeway: u64,
    /// Whether it is in the policy no more.
    pub left: bool,
    /// How many publications there were when its policy last became wider.
    pub widened: Option<usize>,
    /// Places in the list of publications.
    pub installed: usize,
    pub loaded: usize,
    pub lost_in_a_row: u64,
}

impl Service {
    pub fn new(place: usize, kind: Kind, timing: Timing) -> Self {
        let widest_leeway = timing.leeway;
        Self {
            place,
            kind,
            timing,
            widest_leeway,
            left: false,
            widened: None,
            installed: 0,
            loaded: 0,
            lost_in_a_row: 0,
        }
    }

    /// A new policy says so of it; `widened` where it says more than the last.
    pub fn promises(&mut self, timing: Timing, widened: Option<usize>) {
        self.timing = timing;
        self.widest_leeway = self.widest_leeway.max(timing.leeway);
        self.widened = widened.or(self.widened);
    }

    /// Whether its operator has anything to install from a stick: of files there are none for who is not told.
    pub fn takes(&self, publication: &Publication) -> bool {
        self.kind == Kind::Gate || publication.told[self.place].is_some()
    }

    pub fn reader(&self) -> Reader {
        if self.kind == Kind::Gate { Reader::Bundle } else { Reader::File }
    }

    /// Whether it accepts a token when its clock shows that time.
    pub fn accepts(&self, publication: &Publication, token: &Token, clock: u64) -> Result<(), &'static str> {
        let told = publication.told[self.place].ok_or("it is told nothing")?;
        ensure(publication.kids.contains(&token.kid), "it does not have the key")?;
        within_time(token, told.leeway, clock)?;
        match self.kind {
            Kind::File => Ok(()),
            Kind::Dated => {
                let end = publication.ends.iter().find(|(kid, _)| *kid == token.kid);
                ensure(end.is_none_or(|(_, end)| clock < *end), "the key's time is over")
            }
            Kind::Gate => {
                ensure(clock < publication.bundle_expiry, "its bundle is over")?;
                ensure(clock < publication.root_expiry, "its root is over")?;
                ensure(token.exp - token.iat <= told.reach, "the token reaches too far")?;
                let cut =
                    publication.cut_offs.iter().any(|(subject, at)| *subject == token.subject && token.iat <= *at);
                ensure(!cut, "its subject is revoked")
            }
        }
    }

    /// Whether a gate with a cap of its own accepts the validity, counted from when the token begins.
    pub fn within_cap(&self, publication: &Publication, token: &Token) -> Result<(), &'static str> {
        let validity = token.exp.saturating_sub(token.iat.max(token.nbf));
        let told = publication.told[self.place].filter(|_| self.kind == Kind::Gate);
        ensure(told.is_none_or(|told| validity <= told.validity), "the token is valid for too long")
    }
}

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}

pub fn within_time(token: &Token, leeway: u64, clock: u64) -> Result<(), &'static str> {
    if clock >= token.exp + leeway {
        return Err("it is expired");
    }
    if token.iat > clock + leeway || token.nbf > clock + leeway {
        return Err("it is not valid yet");
    }
    Ok(())
}
