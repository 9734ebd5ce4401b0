//! `distribution.html`: one publication explained to whoever carries it.
//!
//! Self-contained as the services' own pages are: no script, nothing loaded, every string escaped.

use std::collections::BTreeMap;

use coldsign_verify::root::Root;

use super::fault::PublishFault;
use super::fingerprint::fingerprint;
use super::material::{Consumer, ServiceMaterial};
use super::page::{self, EDITION, Edition, text};

/// The page's name in a publication's folder.
pub(super) const NAME: &str = "distribution.html";

/// When a publication has to be where.
pub(super) struct Times {
    /// Until when it must be on every machine, in seconds since the epoch.
    pub(super) arrive_by: u64,
    /// From when on its bundle is refused.
    pub(super) expires_at: u64,
}

/// The page of a publication with these files.
pub(super) fn page(
    edition: &Edition<'_>,
    times: &Times,
    root: &Root,
    services: &[ServiceMaterial],
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<String, PublishFault> {
    let mut sorted: Vec<&ServiceMaterial> = services.iter().collect();
    sorted.sort_by(|one, other| one.service.cmp(&other.service));
    let machines = sorted.iter().map(|service| machine(service, files)).collect::<Result<String, _>>()?;
    let body = format!(
        r#"<h1>Carrying this publication</h1>
{EDITION}{of} of store {store}, made {made}</p>
{EDITION}<strong>It must be installed on every machine by {arrive_by}.</strong> A verifier that has no newer one by {expires_at} refuses every token from then on.</p>
<p>The whole folder goes to every machine below: its parts vouch for each other. Nothing in it is secret.</p>
<h2>Before you leave</h2>
<ol>
<li>In this folder, <code>sha256sum -c --quiet SHA256SUMS</code> must say nothing: the copy is whole.</li>
<li><code>sha256sum SHA256SUMS</code> must give the digest that the signing machine printed. Take that digest along on paper, for those who install by hand:</li>
</ol>
<p class="blank">&nbsp;</p>
<p>Where the signing machine is at hand, <code>coldsign publication check FOLDER</code> does both, and says whether there is a newer one.</p>
{root}<h2>Which folder goes where</h2>
{machines}"#,
        of = edition.of,
        store = text(edition.store_id),
        made = text(edition.made),
        arrive_by = page::date(times.arrive_by)?,
        expires_at = page::date(times.expires_at)?,
        root = root_section(root),
    );
    Ok(page::document(&format!("Carrying keys of {}", text(edition.store_id)), &body))
}

fn root_section(root: &Root) -> String {
    let words = root.fingerprint().words();
    let words: Vec<String> = words.chunks(6).map(|line| line.join(" ")).collect();
    let hex = root.fingerprint().to_string();
    let hex: Vec<&str> = hex.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    format!(
        "<h2>For a machine that pins the root</h2>\n<p>A machine with <code>coldsign-gate</code> is given the root's fingerprint once. It must come from the signing machine itself, <code>coldsign root show</code>, by telephone or on paper: this page came with the files and can't vouch for them. Compare what is written here with what is shown there.</p>\n<div class=\"key\">\n<p><strong>root {number}</strong>: <code>{file}</code></p>\n<p class=\"fingerprint\">{hex}</p>\n<p class=\"fingerprint\">{words}</p>\n</div>\n",
        number = root.root_version(),
        file = coldsign_verify::root::file_name(root.root_version()),
        hex = hex.join(" "),
        words = words.join("<br>"),
    )
}

/// One service's part: what it installs, both ways, and the keys to compare.
fn machine(service: &ServiceMaterial, files: &BTreeMap<String, Vec<u8>>) -> Result<String, PublishFault> {
    let name = text(&service.service);
    let folder = format!("for-{}/", service.service);
    let own: Vec<String> = files
        .keys()
        .filter_map(|path| path.strip_prefix(&folder))
        .filter(|file| *file != page::NAME && *file != "service.json")
        .map(|file| format!("<code>{}</code>", text(file)))
        .collect();
    let when = match service.consumer {
        Consumer::Overlap => "on arrival; then restart it, unless it reads its keys anew by itself",
        Consumer::SingleKey => {
            "on arrival where the key is the one it has; a new key at the time its administrator names, with a restart"
        }
    };
    let mut html = format!(
        "<h3>{name}</h3>\n<dl>\n<dt>Folder</dt><dd><code>{folder}</code></dd>\n<dt>It installs</dt><dd>{own}</dd>\n<dt>When</dt><dd>{when}</dd>\n<dt>With coldsign-gate</dt><dd>in the publication's folder, <code>coldsign-gate install . --export DIR --service {name}</code></dd>\n<dt>By hand</dt><dd><code>{folder}{page}</code> says how, and what to compare first</dd>\n<dt>Machine, done on, by</dt><dd class=\"blank\">&nbsp;</dd>\n</dl>\n",
        folder = text(&folder),
        own = own.join(", "),
        page = page::NAME,
    );
    for key in service.installed()? {
        html.push_str(&format!(
            "<div class=\"key\">\n<p><strong>{name}</strong>{signs}</p>\n<p>kid <code>{kid}</code></p>\n<p class=\"fingerprint\">{fingerprint}</p>\n</div>\n",
            name = text(&key.name),
            signs = if key.signs_now { ": signs tokens now" } else { "" },
            kid = text(&key.kid),
            fingerprint = fingerprint(&key.key),
        ));
    }
    Ok(html)
}
