//! Refusals of the command line itself.

use coldsign::acts::path_word;
use coldsign::issuing::PolicyFaults;
use coldsign::refusal::Refuse;
use std::path::PathBuf;

/// What a command can't go on with.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No place for the store is named, and no home directory is known.
    #[error("no store is named, and there is no home directory to look in")]
    NoPlace,
    /// Nobody can be asked.
    #[error("there is no terminal to ask at: {0}")]
    NoTerminal(&'static str),
    /// The terminal failed while asking.
    #[error("the terminal could not be read: {0}")]
    Terminal(std::io::Error),
    /// Two entries of the same secret differ.
    #[error("{0} was not the same twice")]
    NotTheSame(&'static str),
    /// A code that was read wrong.
    #[error("{0}")]
    Code(#[from] coldsign::keystore::CodeFault),
    /// A passphrase file without a passphrase.
    #[error("the passphrase file is empty")]
    EmptyPassphrase,
    /// A passphrase file that is no text.
    #[error("the passphrase file is not UTF-8 text")]
    PassphraseNotText,
    /// A sheet that an interrupted act has left.
    #[error("{} is there already", .0.display())]
    HalfSheet(PathBuf),
    /// A time nobody could mean.
    #[error("\"{0}\" is no time: write 2027-03-01, 2027-03-01T09:00Z or 2027-03-01T09:00:00+01:00")]
    Time(String),
    /// A duration nobody could mean.
    #[error("\"{0}\" is no duration: write 90s, 15m, 12h, 30d, 2w or 1d12h")]
    Duration(String),
    /// The clock is before 1970.
    #[error("the machine's clock is before 1970")]
    Clock,
    /// Not NAME=VALUE.
    #[error("\"{0}\" is no claim: write NAME=VALUE")]
    Claim(String),
    /// Not SERVICE/ROLE.
    #[error("\"{0}\" is no grant: write SERVICE/ROLE, or SERVICE/ROLE,ROLE")]
    Grant(String),
    /// A file that is no JSON.
    #[error("{file} is no JSON: {what}")]
    Json {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Something to be given is missing.
    #[error("{0}")]
    Missing(&'static str),
    /// A publication that is made and kept, but could not be copied out.
    #[error("publication {seq} is made, but could not be copied: {what}")]
    NotCopied {
        /// Its number.
        seq: u64,
        /// What the system said.
        what: String,
        /// The command that goes on, where copying it out is not all.
        again: Option<String>,
    },
    /// What is done once must be named so that it can't be done twice.
    #[error("with --yes the key itself is named: the one that {keyset} signs with is another one after the first time")]
    Unnamed {
        /// The keyset.
        keyset: String,
        /// The key that signs for it.
        key: Option<String>,
    },
    /// Nothing was issued again for it yet.
    #[error("{0} was not taken for compromised before: --again is for replacements that got lost")]
    NotDeclared(String),
    /// A file that is no key set.
    #[error("{file} is no key set to verify with: {what}")]
    Keys {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Services named at init that make no sound policy.
    #[error("the services named make no sound policy")]
    Services(Vec<String>),
    /// Nobody took the token that was printed.
    #[error("standard output was closed before the token was taken")]
    NotTaken,
    /// A policy file with faults, which is not the store's.
    #[error("{} has {}", file.display(), count(faults))]
    Policy {
        /// The file.
        file: PathBuf,
        /// Its faults.
        faults: PolicyFaults,
    },
    /// A token would be written to nowhere.
    #[error("standard output is closed: the token would be lost")]
    StdoutClosed,
    /// Nobody can see what the act would do.
    #[error("there is no terminal to show {what} at")]
    Unseen {
        /// What is to be seen.
        what: &'static str,
        /// Where a script finds it.
        look: &'static str,
        /// The command that does it without a question.
        command: Option<String>,
    },
    /// The answer was no.
    #[error("not confirmed")]
    NotConfirmed,
    /// Something about the machine is bad.
    #[error("{}", unsound(*.0))]
    Unsound(usize),
    /// A step of the demonstration failed.
    #[error("the demonstration stopped at: {0}")]
    Demo(String),
}

impl Refuse for Fault {
    fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Code(_) => Some("UNLOCK-CODE"),
            Self::NotConfirmed => Some("NOT-CONFIRMED"),
            Self::Unseen { .. } => Some("NOT-SEEN"),
            Self::Unnamed { .. } => Some("EMERGENCY-UNNAMED"),
            Self::NotDeclared(_) => Some("EMERGENCY-AGAIN"),
            Self::NotTaken => Some("TOKEN-UNDELIVERED"),
            Self::Policy { faults, .. } => faults.rule(),
            Self::Unsound(_) => Some("DOCTOR-BAD"),
            _ => None,
        }
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::NotConfirmed | Self::NotTheSame(_) | Self::Code(_) | Self::Unnamed { .. } | Self::NotDeclared(_) => {
                vec!["nothing was done".to_owned()]
            }
            Self::Unseen { look, .. } => vec![(*look).to_owned(), "nothing was done".to_owned()],
            Self::PassphraseNotText => {
                vec!["its first line is the passphrase; `file` shows what it is; nothing was done".to_owned()]
            }
            Self::HalfSheet(_) => vec![
                "an interrupted act has left it; if its code is in force, it is the only one: try it first".to_owned(),
                "in force: give it a name of its own; not in force: remove it; nothing was done".to_owned(),
            ],
            Self::Services(facts) => facts.clone(),
            Self::NotTaken => vec!["the token is recorded as not delivered; issue it again".to_owned()],
            Self::Policy { file, faults } => faults.iter().map(|fault| format!("{} {fault}", file.display())).collect(),
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Policy { file, faults } => {
                let line = faults.iter().next().map_or(1, |fault| fault.line);
                Some(format!("\"${{EDITOR:-vi}}\" +{line} {}", path_word(file)))
            }
            Self::Services(_) => Some("coldsign init --help".to_owned()),
            Self::Unnamed { key, .. } => key.as_ref().map(|key| format!("coldsign rotate emergency {key} --dry-run")),
            Self::NotDeclared(key) => Some(format!("coldsign rotate emergency {key} --dry-run")),
            Self::NotCopied { again: Some(again), .. } => Some(again.clone()),
            Self::NotCopied { seq, .. } => Some(format!("coldsign publication copy {seq} --to .")),
            Self::HalfSheet(_) => Some("coldsign unlock test recovery".to_owned()),
            Self::Unseen { command, .. } => command.clone(),
            Self::NoPlace => Some("coldsign --store DIR status".to_owned()),
            _ => None,
        }
    }
}

fn unsound(findings: usize) -> String {
    format!("{findings} of the findings {} bad", if findings == 1 { "is" } else { "are" })
}

fn count(faults: &PolicyFaults) -> String {
    match faults.iter().count() {
        1 => "one fault".to_owned(),
        many => format!("{many} faults"),
    }
}
