//! `coldsign-gate install`

use crate::Ended;
use crate::export::{self, Export, Staged};
use crate::pin;
use crate::place;
use crate::refusal::Refusal;
use crate::screen::{Screen, word};
use coldsign_verify::bundle::FILE_NAME;
use coldsign_verify::trust::{Accepted, ExportTo, Fault, Publication, TrustStore};
use coldsign_verify::{UnixTime, root};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Install a publication that the pinned root vouches for
///
/// Everything is checked before anything changes. The same publication again is no error: it
/// finishes what a crash interrupted.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign-gate install /media/usb/coldsign-publication-000007
  coldsign-gate install /media/usb/coldsign-publication-000007 \\
      --export /etc/api/keys --service api --reload 'systemctl restart api'")]
pub struct Args {
    /// The publication's folder
    pub publication: PathBuf,
    /// Write the authenticated files here, for services that read files
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Export what this service installs, instead of the whole publication
    #[arg(long, value_name = "NAME", requires = "export")]
    service: Option<String>,
    /// After the files have changed run this with sh, so that the service reads them
    #[arg(long, value_name = "COMMAND")]
    pub reload: Option<String>,
    /// Nothing reads this export directory any more: receipts no longer wait for it
    #[arg(long, value_name = "DIR")]
    retire: Option<PathBuf>,
}

pub fn run(args: &Args, directory: &Path, now: UnixTime, screen: &mut Screen) -> Ended {
    place::check(directory, "TRUST-EXPOSED", screen)?;
    let mut trust = TrustStore::open(directory)?;
    let retired = args.retire.as_deref().map(|retired| known_export(&trust, retired)).transpose();
    let retired = retired.map_err(|refusal| refusal.and_stays(&trust, now))?;
    check_finished(args).map_err(|refusal| refusal.and_stays(&trust, now))?;
    let publication = Publication::at(&args.publication);
    let refused = |fault: Fault, trust: &TrustStore| {
        let foreign = foreign(&fault, args, trust);
        let refusal = refusal(fault, args);
        foreign.into_iter().fold(refusal, Refusal::why).and_stays(trust, now)
    };
    let accepted = trust.examine(&publication, now).map_err(|fault| refused(fault, &trust))?;
    // What is exported is written before the trust store changes, and switched after.
    let staged = match &args.export {
        Some(export) => {
            place::check(export, "EXPORT-EXPOSED", screen).map_err(|refusal| refusal.and_stays(&trust, now))?;
            let files = files(args, &accepted).map_err(|refusal| refusal.and_stays(&trust, now))?;
            Some(stage(export, files).map_err(|refusal| refusal.and_stays(&trust, now))?)
        }
        None => None,
    };
    let before = trust.clone();
    let switched = match staged {
        Some((staged, name)) => {
            // In one write: from then on no receipt is made until the files are switched.
            let to = ExportTo { directory: &name, service: args.service.as_deref(), changes: staged.is_new() };
            trust.install_exporting(&accepted, &to, now).map_err(|fault| refused(fault, &before))?;
            let switched = staged.switch().map_err(|refusal| interrupted(refusal, args, &accepted))?;
            // While the directory is still locked, by the clock after the switch.
            let noted = trust.note_exported(&name, crate::now()?);
            noted.map_err(|fault| not_noted("the files were exported", &fault, args))?;
            switched
        }
        None => {
            trust.install(&accepted, now).map_err(|fault| refused(fault, &before))?;
            accepted.is_new()
        }
    };
    let reloaded = reload(args, &mut trust, switched)?;
    // Last: the same command finishes whatever failed before.
    if let Some(retired) = retired {
        trust.retire_export(&retired).map_err(|fault| not_noted("the directory was to be retired", &fault, args))?;
    }

    let contents = accepted.bundle().contents();
    let what = if accepted.is_new() { "installed" } else { "installed already" };
    let mut lines = vec![format!(
        "{what}: publication {} under root {}, good until {}",
        contents.seq,
        accepted.root().root_version(),
        contents.expires_at
    )];
    if let Some(export) = &args.export {
        let done = if switched { "exported" } else { "exported already" };
        lines.push(format!("{done}: {}", export.display()));
    }
    if reloaded {
        lines.push("reloaded: the command ended well".to_owned());
    }
    let object = json!({
        "seq": contents.seq, "new": accepted.is_new(), "bundle": accepted.bundle().digest().to_string(),
        "root_version": accepted.root().root_version(), "new_roots": accepted.new_roots(),
        "expires_at": contents.expires_at.0, "services": contents.services.keys().collect::<Vec<_>>(),
        "exported": args.export.is_some(), "switched": args.export.is_some() && switched, "reloaded": reloaded,
        "exports_due": due(&trust),
    });
    screen.tell(&lines, &object);
    for directory in due(&trust) {
        screen.warning(&format!("{directory} may still have other files: no receipt before it is exported there too"));
    }
    if args.export.is_some() && args.reload.is_none() && switched {
        screen.note("a service that reads files only at its start has to be restarted now");
    }
    Ok(())
}

/// By the path it will have in the export: one service's own, or everything that the bundle names.
fn files(args: &Args, accepted: &Accepted<'_>) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let own = args.service.as_ref().map(|service| format!("for-{service}/"));
    let mut files = BTreeMap::new();
    for path in accepted.bundle().contents().files.keys() {
        let name = match &own {
            Some(own) => path.strip_prefix(own.as_str()),
            None => Some(path.as_str()),
        };
        if let Some(name) = name {
            files.insert(name.to_owned(), accepted.file(path).map_err(|fault| refusal(fault, args))?);
        }
    }
    match &args.service {
        Some(service) if files.is_empty() => {
            let known: Vec<&str> = accepted.bundle().contents().services.keys().map(String::as_str).collect();
            Err(Refusal::new(format!("the publication has no files for service {service}"))
                .rule("EXPORT-NOTHING")
                .why(format!("it has the services {}", known.join(", "))))
        }
        Some(_) => Ok(files),
        None => {
            files.insert(FILE_NAME.to_owned(), accepted.bundle().text().as_bytes().to_vec());
            Ok(files)
        }
    }
}

/// With the directory's name for the trust store.
fn stage(export: &Path, files: BTreeMap<String, Vec<u8>>) -> Result<(Staged, String), Refusal> {
    let export = Export::open(export)?;
    let name = export.name()?;
    Ok((export.stage(files)?, name))
}

/// The directories that may not have the installed files.
pub fn due(trust: &TrustStore) -> Vec<&str> {
    trust.exports().iter().filter(|(_, export)| export.due).map(|(directory, _)| directory.as_str()).collect()
}

/// As the trust store has it, also where the directory is gone.
fn known_export(trust: &TrustStore, retired: &Path) -> Result<String, Refusal> {
    let places = [retired.canonicalize(), std::path::absolute(retired)].into_iter().flatten();
    let known = places.map(|place| export::name(&place)).find(|name| trust.exports().contains_key(name));
    known.ok_or_else(|| {
        let known = trust.exports().keys().cloned().collect();
        Fault::ExportUnknown { directory: retired.display().to_string(), known }.into()
    })
}

/// A copy that was broken off has its name until it is whole.
fn check_finished(args: &Args) -> Result<(), Refusal> {
    let place = args.publication.canonicalize().unwrap_or_else(|_| args.publication.clone());
    if !place.is_dir() || place.extension().is_none_or(|extension| extension != "partial") {
        return Ok(());
    }
    let refusal = Refusal::new(format!("{} was not copied to its end", args.publication.display()))
        .rule("PUBLICATION-PARTIAL")
        .why("the signer gives a publication its name when all of it is on the stick: take it anew there");
    Err(match place.parent().and_then(newest_below) {
        Some(newest) => refusal.hint(with(args, &newest)),
        None => refusal.hint("coldsign-gate status"),
    })
}

/// The hook runs after the switch, and again if nobody noted that it ever ended well.
fn reload(args: &Args, trust: &mut TrustStore, switched: bool) -> Result<bool, Refusal> {
    if args.reload.is_none() || !switched && trust.loaded_at().is_some() {
        return Ok(false);
    }
    crate::reload::ask().map_err(|what| {
        Refusal::new(format!("the reload command {what}"))
            .rule("INSTALL-RELOAD")
            .why("the publication is installed; the service may not have read it")
            .hint(again(args))
    })?;
    // By the clock after it: until it ended nobody had loaded anything.
    let noted = trust.note_loaded(crate::now()?);
    noted.map(|()| true).map_err(|fault| not_noted("the reload command ended well", &fault, args))
}

fn not_noted(what: &str, fault: &Fault, args: &Args) -> Refusal {
    Refusal::new(format!("{what}, but that was not noted: {fault}"))
        .rule(fault.code())
        .why("the publication is installed; the same installation does the rest again")
        .hint(again(args))
}

fn interrupted(refusal: Refusal, args: &Args, accepted: &Accepted<'_>) -> Refusal {
    let seq = accepted.bundle().seq();
    refusal
        .why(format!("publication {seq} is installed, but the exported files may still be the ones before"))
        .hint(again(args))
}

/// The same command once more.
fn again(args: &Args) -> String {
    with(args, &args.publication)
}

/// The same command with this publication.
fn with(args: &Args, publication: &Path) -> String {
    let mut again = format!("coldsign-gate install {}", word(publication));
    if let Some(export) = &args.export {
        again.push_str(&format!(" --export {}", word(export)));
    }
    if let Some(service) = &args.service {
        again.push_str(&format!(" --service {}", word(Path::new(service))));
    }
    if let Some(reload) = &args.reload {
        again.push_str(&format!(" --reload {}", word(Path::new(reload))));
    }
    if let Some(retire) = &args.retire {
        again.push_str(&format!(" --retire {}", word(retire)));
    }
    again
}

fn refusal(fault: Fault, args: &Args) -> Refusal {
    let no_heart = matches!(&fault, Fault::FileMissing { path } if path == FILE_NAME);
    if no_heart && !args.publication.is_dir() {
        return Refusal::new(format!("there is no folder {}", args.publication.display()))
            .rule(fault.code())
            .why("is the stick mounted, and the name right?");
    }
    let refusal = Refusal::from(fault);
    match newest_below(&args.publication) {
        Some(newest) if no_heart => refusal.why("name the publication's own folder").hint(with(args, &newest)),
        _ => refusal,
    }
}

/// Another store's stick: the root that is trusted here is another one there.
fn foreign(fault: &Fault, args: &Args, trust: &TrustStore) -> Option<String> {
    let name = root::file_name(trust.root().root_version());
    let there = matches!(fault, Fault::Root(_) | Fault::Bundle(_)).then(|| pin::read(&args.publication.join(&name)));
    let differs = there?.is_ok_and(|bytes| bytes != trust.root().text().as_bytes());
    differs.then(|| format!("its {name} is not the one trusted here: it is another store's, or forged"))
}

/// The publication with the highest number in a folder of publications, such as a stick.
fn newest_below(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let numbered = entries.filter_map(|entry| Some((number(&entry.file_name().to_string_lossy())?, entry.path())));
    numbered.filter(|(_, path)| path.join(FILE_NAME).is_file()).max().map(|(_, path)| path)
}

/// Of a publication by its folder's name, which has digits only.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("coldsign-publication-")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}
