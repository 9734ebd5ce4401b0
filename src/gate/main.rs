//! The command `coldsign-gate`: the service side of coldsign.
//!
//! It knows public material only: it can't read a store, and links nothing that could sign. For
//! now it answers one question, at a service's machine and without the signer: would this token be
//! accepted here, by what was installed here?

use clap::Parser;
use coldsign_verify::escape::escaped;
use coldsign_verify::{Expectations, Jwks, Profile, UnixTime, VerifiedToken, Verifier};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// A token is at most 16 KiB, a key set at most 1 MiB; more is never read.
const LARGEST_FILE: u64 = 1 << 20;

#[derive(Parser)]
#[command(name = "coldsign-gate", version, about = "Checks tokens against installed public material")]
enum Command {
    /// Say whether a token would be accepted: exit status 0 if so, 1 if not
    #[command(after_help = "\
Examples:
  coldsign-gate check --jwks /etc/api/jwks.json --issuer https://tokens.example \\
      --audience https://api.example token.jwt
  coldsign-gate check --profile fedn --jwks jwks.json < token.jwt")]
    Check(Check),
}

#[derive(clap::Args)]
struct Check {
    /// The file with the token; standard input without
    token: Option<PathBuf>,
    /// The installed key set
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// The claim layout: rfc9068, flowkit, fedn or plain
    #[arg(long, default_value = "rfc9068")]
    profile: Profile,
    /// The issuer to expect
    #[arg(long)]
    issuer: Option<String>,
    /// The audience to expect
    #[arg(long)]
    audience: Option<String>,
    /// Clock difference to forgive, in seconds
    #[arg(long, default_value_t = 0)]
    leeway: u64,
}

fn main() -> ExitCode {
    let Command::Check(check) = Command::parse();
    match answer(&check) {
        Ok(verified) => {
            let subject = escaped(verified.subject().unwrap_or_default()).to_string();
            let line =
                format!("accepted: {subject} until {}, key {}\n", verified.expires_at(), escaped(verified.kid()));
            match io::stdout().write_all(line.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
                _ => ExitCode::SUCCESS,
            }
        }
        Err(what) => {
            let _ = writeln!(io::stderr(), "coldsign-gate: error: {what}");
            ExitCode::FAILURE
        }
    }
}

fn answer(check: &Check) -> Result<VerifiedToken, String> {
    let keys = read(Some(&check.jwks))?;
    let keys = Jwks::parse(&keys).map_err(|error| format!("{}: {error}", check.jwks.display()))?;
    let verifier = Verifier::new(keys, expectations(check)?.leeway(check.leeway));
    let now = UnixTime::try_from(SystemTime::now()).map_err(|_| "the clock is before 1970".to_owned())?;
    let token = read(check.token.as_deref())?;
    let token = String::from_utf8_lossy(&token);
    verifier.verify(bare(&token), now).map_err(|refusal| format!("refused: {refusal} [{}]", refusal.code()))
}

/// The token in a header file: what stands before it is set aside.
fn bare(text: &str) -> &str {
    let mut token = text.trim_ascii();
    for before in ["authorization:", "bearer "] {
        if let Some((start, rest)) = token.split_at_checked(before.len())
            && start.eq_ignore_ascii_case(before)
        {
            token = rest.trim_ascii();
        }
    }
    token
}

fn expectations(check: &Check) -> Result<Expectations, String> {
    let needed = |value: &Option<String>, option: &str| {
        value.clone().ok_or_else(|| format!("profile {} needs {option}", check.profile))
    };
    Ok(match check.profile {
        Profile::Rfc9068 => {
            Expectations::rfc9068(needed(&check.issuer, "--issuer")?, needed(&check.audience, "--audience")?)
        }
        Profile::FlowKit => Expectations::flowkit(needed(&check.audience, "--audience")?),
        Profile::Fedn => Expectations::fedn(None),
        Profile::Plain => Expectations::plain(check.issuer.as_deref(), check.audience.as_deref()),
    })
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, String> {
    let name = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let mut bytes = Vec::new();
    let read = match file {
        Some(file) => File::open(file).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)),
        None => io::stdin().take(LARGEST_FILE + 1).read_to_end(&mut bytes),
    };
    read.map_err(|error| format!("{name} could not be read: {error}"))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("{name} is larger than {LARGEST_FILE} bytes"));
    }
    Ok(bytes)
}
