//! How much happened.

use std::ops::AddAssign;

/// What happened, so that nobody mistakes an idle world for a safe one.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub tokens: u64,
    pub uses: u64,
    pub publications: u64,
    pub lost: u64,
    pub old_sticks: u64,
    pub rotations: u64,
    pub emergencies: u64,
    pub revocations: u64,
    pub cutovers: u64,
    pub single_key_emergencies: u64,
    pub forged: u64,
    pub receipts: u64,
    pub edits: u64,
    pub departures: u64,
    pub returns: u64,
    pub restores: u64,
    pub forgotten: u64,
    pub elsewhere: u64,
    /// Answers of real gates, each compared with the model's.
    pub real: u64,
}

impl Counts {
    pub fn all(&self) -> [(&'static str, u64); 18] {
        [
            ("tokens", self.tokens),
            ("uses", self.uses),
            ("publications", self.publications),
            ("lost sticks", self.lost),
            ("old sticks", self.old_sticks),
            ("rotations", self.rotations),
            ("emergencies", self.emergencies),
            ("revocations", self.revocations),
            ("cutovers", self.cutovers),
            ("emergencies of single keys", self.single_key_emergencies),
            ("forged tokens", self.forged),
            ("receipts", self.receipts),
            ("edits of the policy", self.edits),
            ("services that left", self.departures),
            ("services that came back", self.returns),
            ("restores", self.restores),
            ("tokens that a restore lost", self.forgotten),
            ("tokens signed elsewhere", self.elsewhere),
        ]
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.uses += other.uses;
        self.publications += other.publications;
        self.lost += other.lost;
        self.old_sticks += other.old_sticks;
        self.rotations += other.rotations;
        self.emergencies += other.emergencies;
        self.revocations += other.revocations;
        self.cutovers += other.cutovers;
        self.single_key_emergencies += other.single_key_emergencies;
        self.forged += other.forged;
        self.receipts += other.receipts;
        self.edits += other.edits;
        self.departures += other.departures;
        self.returns += other.returns;
        self.restores += other.restores;
        self.forgotten += other.forgotten;
        self.elsewhere += other.elsewhere;
        self.real += other.real;
    }
}
