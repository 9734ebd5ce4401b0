//! The programs on each service's `START-HERE.html` run as they stand: they accept that service's tokens and refuse twins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test: a panic is a failure")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use coldsign_interop::{Appliance, Publication, Python, Token, folder_of_its_own, node_modules, target_folder};
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn python_programs_accept_ours_and_refuse_twins() {
    let Some(python) = Python::with("stock") else { return };
    for service in Service::all() {
        let Some(source) = service.program("python") else { continue };
        let program = service.folder.path().join("check_token.py");
        fs::write(&program, source).unwrap();
        service.check("python", || python.program(&program));
    }
}

#[test]
fn javascript_programs_accept_ours_and_refuse_twins() {
    let Some(modules) = node_modules() else { return };
    for service in Service::all() {
        let source = service.program("javascript").unwrap();
        fs::write(service.folder.path().join("check_token.mjs"), source).unwrap();
        std::os::unix::fs::symlink(modules.join("node_modules"), service.folder.path().join("node_modules")).unwrap();
        service.check("javascript", || {
            let mut node = Command::new("node");
            node.arg("check_token.mjs");
            node
        });
    }
}

#[test]
fn rust_programs_accept_ours_and_refuse_twins() {
    let services = Service::all();
    // Always the same folder, so that what was compiled in an earlier run serves again.
    let project = folder_of_its_own("snippets");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    write_if_changed(&project.path().join("Cargo.toml"), &manifest(&root));
    write_if_changed(&project.path().join("Cargo.lock"), &fs::read_to_string(root.join("Cargo.lock")).unwrap());
    for service in &services {
        let program = project.path().join(format!("src/bin/snippet-{}.rs", service.name));
        write_if_changed(&program, &service.program("rust").unwrap());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--offline", "--target-dir"]).arg(target_folder()).current_dir(project.path());
    let build = build.output().unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    for service in &services {
        let program = target_folder().join(format!("debug/snippet-{}", service.name));
        service.check("rust", || Command::new(&program));
    }
}

/// With the workspace's own profile, so that what is compiled there serves here too.
fn manifest(root: &Path) -> String {
    let verify = root.join("src/verify");
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let profile = &workspace[workspace.find("[profile.dev]").unwrap()..workspace.find("[profile.release]").unwrap()];
    format!(
        r#"[package]
name = "snippets"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
coldsign-verify = {{ path = {verify:?} }}
serde_json = "1"
{}"#,
        profile.replace("[profile.dev]", "[profile.dev]\nincremental = false")
    )
}

fn write_if_changed(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).unwrap();
    }
}

/// A service's published folder and tokens that its programs have to judge.
struct Service {
    name: &'static str,
    folder: TempDir,
    good: Token,
    twins: Vec<(&'static str, Token)>,
}

impl Service {
    fn all() -> Vec<Self> {
        let libraries =
            of_world("libraries", &[("eddsa", "reader"), ("es256", "reader"), ("rs256", "reader")], "eddsa-other");
        let fedn = of_world("fedn", &[("fedn-eddsa", "client")], "fedn-rs256");
        let flowkit = of_world("flowkit", &[("flowapi", "viewer")], "flowapi-south");
        [libraries, fedn, flowkit, withdrawn()].into_iter().flatten().collect()
    }

    fn new(
        appliance: &Appliance,
        publication: &Publication,
        (name, role): (&'static str, &str),
        other: Token,
        expired: Token,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(publication.service(name)).unwrap() {
            let file = entry.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        let good = appliance.token(&format!("{name}/{role}"), "ward-7", &[]);
        let twins = vec![
            ("payload changed", good.with_payload_byte_changed()),
            ("signature changed", good.with_signature_byte_changed()),
            ("another algorithm", good.with_algorithm("HS256")),
            ("another service's", other),
            ("expired", expired),
        ];
        Self { name, folder, good, twins }
    }

    /// The page's program in this language, if it shows one.
    fn program(&self, language: &str) -> Option<String> {
        let page = fs::read_to_string(self.folder.path().join("START-HERE.html")).unwrap();
        let (_, rest) = page.split_once(&format!("<pre data-language=\"{language}\""))?;
        let (_, rest) = rest.split_once('>')?;
        let (source, _) = rest.split_once("</pre>")?;
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        Some(entities.iter().fold(source.to_owned(), |text, (entity, character)| text.replace(entity, character)))
    }

    fn check(&self, language: &str, program: impl Fn() -> Command) {
        let good = judged(program(), self.folder.path(), &self.good);
        let claims = good.unwrap_or_else(|said| panic!("{language} {}: {said}", self.name));
        assert_eq!(claims, self.good.claims(), "{language} {}", self.name);
        for (what, twin) in &self.twins {
            let said = judged(program(), self.folder.path(), twin).expect_err(what);
            assert!(said.starts_with("refused: "), "{language} {} {what}: {said}", self.name);
        }
    }
}

fn of_world(world: &str, grants: &[(&'static str, &str)], other: &str) -> Vec<Service> {
    let appliance = Appliance::new(world);
    let expired =
        |(name, role): &(&str, &str)| appliance.token(&format!("{name}/{role}"), "ward-7", &["--lifetime", "1s"]);
    let expired: Vec<Token> = grants.iter().map(expired).collect();
    let publication = appliance.publish();
    expired.iter().for_each(Token::wait_until_expired);
    let pairs = grants.iter().zip(expired);
    pairs
        .map(|(&(name, role), expired)| {
            let other = appliance.token(&format!("{other}/{role}"), "ward-7", &[]);
            Service::new(&appliance, &publication, (name, role), other, expired)
        })
        .collect()
}

/// Services whose page reads `revoked.json`. What is taken back is refused; what is issued after it is
/// the good one, though of the same subject, role and second.
fn withdrawn() -> Vec<Service> {
    let appliance = Appliance::new("revoked");
    let services = [("results", "reader", "writer"), ("study", "client", "admin")];
    let issued: Vec<Vec<(&'static str, Token)>> = services
        .iter()
        .map(|(name, role, other)| {
            let token = |role: &str, subject: &str| appliance.token(&format!("{name}/{role}"), subject, &[]);
            vec![
                ("of a revoked subject", token(role, "ward-7")),
                ("of an odd revoked subject", token(role, "__proto__")),
                ("of a revoked role", token(other, "ward-8")),
                ("revoked by its id", token(role, "ward-9")),
            ]
        })
        .collect();
    let revoke = |what: &str, name: &str| appliance.act(&["revoke", what, "--yes"], Path::new(name));
    revoke("subject", "ward-7");
    revoke("subject", "__proto__");
    for ((name, _, other), twins) in services.iter().zip(&issued) {
        revoke("role", &format!("{name}/{other}"));
        revoke("token", twins[3].1.claims()["jti"].as_str().unwrap());
    }
    let foreign = services.map(|(name, role, _)| appliance.token(&format!("{name}/{role}"), "ward-7", &[]));
    let expired = services.map(|(name, role, _)| {
        let token = appliance.token(&format!("{name}/{role}"), "ward-7", &["--lifetime", "1s"]);
        token.wait_until_expired();
        token
    });
    let publication = appliance.publish();
    let folders = services.into_iter().zip(issued).zip(foreign.into_iter().rev().zip(expired));
    folders
        .map(|(((name, role, _), twins), (other, expired))| {
            let mut service = Service::new(&appliance, &publication, (name, role), other, expired);
            service.twins.extend(twins);
            service
        })
        .collect()
}

/// The claims that the program prints, or what it says on stderr when it exits with 1.
fn judged(mut program: Command, folder: &Path, token: &Token) -> Result<Value, String> {
    let mut child = program
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(token.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        Some(1) => Err(said),
        other => panic!("{other:?}: {said}"),
    }
}
