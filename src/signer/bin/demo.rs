//! `coldsign demo`: a real session in a throwaway store, every command as an operator would type it.

use super::Ended;
use super::fault::Fault;
use super::reach;
use super::screen::Screen;
use coldsign::acts::shell_word;
use coldsign::issuing::policy::{StarterKeyset, StarterKind, StarterPlan, StarterService, starter};
use coldsign::keystore;
use coldsign::refusal::Refusal;
use coldsign::storage::{create_private_file, new_folder, read_file};
use coldsign_verify::{Algorithm, base64url};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Show all of it in a throwaway store: keys, tokens, a publication, a refusal
///
/// Keys of three algorithms, tokens for four kinds of
/// services, a publication, every token checked from the published folder alone, a forged one
/// refused. Asks for nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  coldsign demo\n  coldsign demo --in /tmp/look")]
pub struct Args {
    /// Make the folder here [default: a new one in the system's folder for temporary files]
    #[arg(long = "in", value_name = "DIR")]
    folder: Option<PathBuf>,
}

const ISSUER: &str = "https://tokens.example.org";
/// The file whose token is forged, and its forged twin.
const ORIGINAL: &str = "tokens/orders-ann.header";
const FORGED: &str = "forged.header";

pub fn run(args: Args, screen: &mut Screen) -> Ended {
    let folder = match args.folder {
        Some(folder) => folder,
        None => {
            let name = base64url::encode(&*keystore::random::<6>()?).replace('-', "x");
            std::env::temp_dir().join(format!("coldsign-demo-{name}"))
        }
    };
    new_folder(&folder)?;
    reach::confine_to(&folder);
    let mut demo = Demo { folder, screen };
    demo.prepare()?;
    demo.play()
}

struct Demo<'a> {
    folder: PathBuf,
    screen: &'a mut Screen,
}

impl Demo<'_> {
    /// What an operator would have in hand: a policy and a passphrase.
    fn prepare(&self) -> Result<(), Refusal> {
        let passphrase = base64url::encode(&*keystore::random::<16>()?);
        create_private_file(&self.folder.join("passphrase"), passphrase.as_bytes())?;
        create_private_file(&self.folder.join("policy.toml"), starter(&plan()).as_bytes())?;
        new_folder(&self.folder.join("tokens"))?;
        Ok(new_folder(&self.folder.join("stick"))?)
    }

    fn play(&mut self) -> Ended {
        self.say(&format!("Everything of this demonstration is in {}", self.folder.display()));
        self.say("\n1. A store: root, bundle and journal keys, and a key for each keyset of the policy.");
        self.done(&[
            "init",
            "--issuer",
            ISSUER,
            "--policy",
            "policy.toml",
            "--recovery-sheet",
            "recovery.txt",
            "--kdf-log-n",
            "14",
        ])?;
        self.say("\n2. What services need to check tokens, for carrying over.");
        self.done(&["publish", "--to", "stick"])?;
        self.say("\n3. Tokens, each in the file its holder needs.");
        for (grant, subject, more) in [
            ("study/client", "hospital-a", &["--lifetime", "30d"][..]),
            ("study/combiner", "combiner-1", &[]),
            ("study/admin", "dana", &["--reason", "first round"]),
            ("flowapi/analyst", "ward7", &[]),
            ("orders/reader", "ann", &[]),
        ] {
            let mut command = vec!["token", "issue", grant, subject, "--to", "tokens"];
            command.extend_from_slice(more);
            self.done(&command)?;
        }
        self.say("\n4. Each token, checked with nothing but the published folder.");
        for (file, service) in [
            ("tokens/study-hospital-a.client.yaml", "study"),
            ("tokens/study-combiner-1.env", "study"),
            ("tokens/study-dana.env", "study"),
            ("tokens/flowapi-ward7.jwt", "flowapi"),
            (ORIGINAL, "orders"),
        ] {
            self.done(&["token", "verify", file, "--published", &published(service)])?;
        }
        self.say("\n5. One byte of ann's claims changed: the same check refuses it.");
        self.forge()?;
        self.refused(&["token", "verify", FORGED, "--published", &published("orders")])?;
        self.say("\n6. Who can reach what today? The journal knows.");
        self.done(&["token", "list", "--live"])?;
        self.say("\n7. And what next?");
        self.done(&["status"])?;
        self.farewell();
        Ok(())
    }

    fn farewell(&mut self) {
        let folder = shell_word(&self.folder);
        // Whoever runs the demonstration from a build folder has no `coldsign` on the path.
        let program = std::env::current_exe().map_or_else(|_| "coldsign".to_owned(), |program| shell_word(&program));
        self.say(&format!(
            "\nLook at  {folder}/tokens                the holders' files\n\
             \x20        {folder}/stick                 what goes to the services; START-HERE.html in each folder\n\
             \x20        {folder}/store/policy.toml     what may be issued\n\
             \x20        {folder}/store/journal         every act, one line each\n\
             \nType next\n\
             \x20 export COLDSIGN_STORE={folder}/store\n\
             \x20 {program} --passphrase-file {folder}/passphrase token issue orders/reader bob --to {folder}/tokens\n\
             \x20 {program} token inspect {folder}/tokens/orders-ann.header\n\
             \nThis store is for play (its passphrase lies beside it). A real one: {program} init\n\
             When you have seen enough: rm -r {folder}"
        ));
    }

    fn say(&mut self, text: &str) {
        self.screen.text(&format!("{text}\n"));
    }

    /// Runs a command that must succeed.
    fn done(&mut self, command: &[&str]) -> Ended {
        match self.command(command) {
            0 => Ok(()),
            _ => Err(Fault::Demo(command.join(" ")).into()),
        }
    }

    /// Runs a command that must be refused.
    fn refused(&mut self, command: &[&str]) -> Ended {
        match self.command(command) {
            1 => Ok(()),
            _ => Err(Fault::Demo(format!("{} (it was not refused)", command.join(" "))).into()),
        }
    }

    /// Shows a command as it would be typed in the folder, and runs it there.
    fn command(&mut self, command: &[&str]) -> u8 {
        let typed: Vec<String> = command.iter().map(|word| shell_word(Path::new(word))).collect();
        self.say(&format!("$ coldsign {}", typed.join(" ")));
        self.screen.flush();
        let here = |word: &str| -> OsString { self.folder.join(word).into() };
        let mut arguments: Vec<OsString> = vec!["coldsign".into()];
        arguments.extend(["--store".into(), here("store"), "--passphrase-file".into(), here("passphrase")]);
        let mut before = "";
        for word in command {
            let is_path = matches!(before, "--to" | "--policy" | "--recovery-sheet" | "--published" | "verify");
            arguments.push(if is_path { here(word) } else { word.into() });
            before = word;
        }
        super::run(arguments, false)
    }

    /// Exchanges one letter in the middle of the claims.
    fn forge(&self) -> Result<(), Refusal> {
        let mut file = read_file(&self.folder.join(ORIGINAL), 1 << 16)?;
        let dots: Vec<usize> = file.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at).collect();
        if let [first, second] = dots[..]
            && let Some(letter) = file.get_mut(first.midpoint(second))
        {
            *letter = if *letter == b'A' { b'B' } else { b'A' };
        }
        Ok(create_private_file(&self.folder.join(FORGED), &file)?)
    }
}

fn published(service: &str) -> String {
    Path::new("stick/coldsign-publication-000001").join(format!("for-{service}")).display().to_string()
}

/// A federated study, a FlowAPI server and an HTTP API, with a keyset each.
fn plan() -> StarterPlan {
    let keyset = |name: &str, algorithm, bits| StarterKeyset { name: name.to_owned(), algorithm, bits };
    let service =
        |name: &str, keyset: &str, kind| StarterService { name: name.to_owned(), keyset: keyset.to_owned(), kind };
    StarterPlan {
        issuer: ISSUER.to_owned(),
        keysets: vec![
            keyset("default", Algorithm::EdDsa, None),
            keyset("study", Algorithm::Es256, None),
            keyset("flowapi", Algorithm::Rs256, Some(2048)),
        ],
        services: vec![
            service(
                "study",
                "study",
                StarterKind::Fedn { discover_host: Some("study.example.org".to_owned()), discover_port: Some(443) },
            ),
            service("flowapi", "flowapi", StarterKind::FlowKit { audience: "flowapi.example.org".to_owned() }),
            service("orders", "default", StarterKind::Api { audience: "https://orders.example.org".to_owned() }),
        ],
    }
}
