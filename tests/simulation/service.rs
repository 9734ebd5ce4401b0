//! Services: what they have installed, what they have in memory, and what they accept.

use coldsign::rotation::{Reader, Rules, Timing};

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
    pub kind: Kind,
    pub leeway: u64,
    /// Places in the list of publications.
    pub installed: usize,
    pub loaded: usize,
    pub lost_in_a_row: u64,
}

impl Service {
    pub fn reader(&self) -> Reader {
        if self.kind == Kind::Gate { Reader::Bundle } else { Reader::File }
    }

    /// Whether it accepts a token when its clock shows that time.
    pub fn accepts(
        &self,
        rules: &dyn Rules,
        timing: &Timing,
        publication: &Publication,
        token: &Token,
        clock: u64,
    ) -> Result<(), &'static str> {
        let ensure = |holds: bool, otherwise: &'static str| if holds { Ok(()) } else { Err(otherwise) };
        ensure(publication.kids.contains(&token.kid), "it does not have the key")?;
        within_time(token, self.leeway, clock)?;
        match self.kind {
            Kind::File => Ok(()),
            Kind::Dated => {
                let end = publication.ends.iter().find(|(kid, _)| *kid == token.kid);
                ensure(end.is_none_or(|(_, end)| clock < *end), "the key's time is over")
            }
            Kind::Gate => {
                ensure(clock < publication.bundle_expiry, "its bundle is over")?;
                ensure(clock < publication.root_expiry, "its root is over")?;
                let validity = token.exp.saturating_sub(token.iat.max(token.nbf));
                ensure(validity <= rules.longest_validity(timing), "the token is valid for too long")?;
                ensure(token.exp - token.iat <= rules.longest_reach(timing), "the token reaches too far")?;
                let cut =
                    publication.cut_offs.iter().any(|(subject, at)| *subject == token.subject && token.iat <= *at);
                ensure(!cut, "its subject is revoked")
            }
        }
    }
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
