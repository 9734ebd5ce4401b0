//! `coldsign-gate status`

use crate::Ended;
use crate::place;
use crate::screen::Screen;
use coldsign_verify::UnixTime;
use coldsign_verify::trust::TrustStore;
use serde_json::json;
use std::path::Path;

/// A bundle that ends sooner than this deserves a second look.
const SOON: u64 = 14 * 86_400;

/// Show what is trusted and installed here, and until when
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  coldsign-gate status\n  coldsign-gate --trust /srv/api/trust status --json")]
pub struct Args {}

pub fn run(directory: &Path, now: UnixTime, screen: &mut Screen) -> Ended {
    let trust = TrustStore::open(directory)?;
    place::tell(directory, screen);
    let terms = trust.root().terms();
    let mut lines = vec![
        format!("verifier {}: {} (store {})", trust.name(), terms.issuer, terms.store),
        format!("pinned: {}", trust.pinned()),
        format!("root {}: until {}", terms.root_version, terms.expires_at),
    ];
    let mut object = json!({
        "verifier": trust.name(), "issuer": terms.issuer, "store": terms.store, "pinned": trust.pinned().to_string(),
        "root_version": terms.root_version, "root_expires_at": terms.expires_at.0, "installed": null,
    });
    match trust.bundle() {
        None => lines.push("nothing is installed".to_owned()),
        Some(bundle) => {
            let contents = bundle.contents();
            let expired = now >= contents.expires_at;
            let until = if expired { "EXPIRED: every token is refused since" } else { "until" };
            lines.push(format!("publication {}: {until} {}", contents.seq, contents.expires_at));
            let services: Vec<&str> = contents.services.keys().map(String::as_str).collect();
            lines.push(format!("services: {}", services.join(", ")));
            lines.push(match trust.loaded_at() {
                Some(at) => format!("loaded: {at}"),
                None => "loaded: not known".to_owned(),
            });
            for (directory, export) in trust.exports() {
                let state = if export.due { "export due" } else { "exported" };
                lines.push(format!("{state}: {directory}"));
            }
            object["installed"] = json!({
                "seq": contents.seq, "bundle": bundle.digest().to_string(), "expires_at": contents.expires_at.0,
                "expired": expired, "services": services, "installed_at": trust.installed_at().map(|at| at.0),
                "loaded_at": trust.loaded_at().map(|at| at.0), "exports": trust.exports().keys().collect::<Vec<_>>(),
                "exports_due": crate::install::due(&trust),
            });
            for directory in crate::install::due(&trust) {
                screen.warning(&format!("{directory} may still have other files: no receipt is made"));
            }
            if !expired && contents.expires_at.0.saturating_sub(now.0) < SOON {
                screen.warning("a newer publication has to be installed before this one ends");
            }
        }
    }
    screen.tell(&lines, &object);
    Ok(())
}
