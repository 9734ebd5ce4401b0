//! An old system's own tokens, under its own `kid`, before PyJWT and the real `coldsign-gate`: good until
//! their end, also once the key is retired here, and refused once the key is revoked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use coldsign_interop::{Appliance, Gate, Python};
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// The name of the key in the old system's tokens.
const OLD: &str = "prod-2024";

struct World {
    appliance: Appliance,
    gate: Gate,
    python: Python,
}

impl World {
    /// What the old system signs by itself.
    fn old_token(&self, kid: &str, seconds: u64) -> PathBuf {
        let mut sign = self.python.script("imported.py");
        sign.arg("sign").arg(self.gate.path("old.pem")).args([kid, &seconds.to_string()]);
        let token = sign.output().expect("the old system");
        assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
        let file = self.gate.path(&format!("{kid}-{seconds}.jwt"));
        fs::write(&file, token.stdout).unwrap();
        file
    }

    /// What PyJWT says, and what the gate says.
    fn answers(&self, token: &PathBuf) -> (String, Result<(), String>) {
        let mut check = self.python.script("imported.py");
        check.arg("check").arg(token).arg(self.gate.export());
        let said = check.output().expect("the service");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let gate = self.gate.ended(&["check", "--service", "api", &token.display().to_string()]);
        (String::from_utf8(said.stdout).unwrap().trim().to_owned(), gate)
    }

    fn carry(&self) {
        assert_eq!(self.gate.install(&self.appliance.publish_again(), "api"), Ok(()));
    }
}

#[test]
fn an_old_systems_tokens_are_good_until_their_end_or_until_the_key_is_revoked() {
    let Some(python) = Python::with("stock") else { return };
    let world = World { appliance: Appliance::new("imported"), gate: Gate::new(), python };
    let first = world.appliance.publish();
    world.gate.pin(first.folder(), "api-1", &world.appliance.root_fingerprint());
    assert_eq!(world.gate.install(first.folder(), "api"), Ok(()));
    let (accepted, refused) = (
        || ("accepted".to_owned(), Ok(())),
        |said: &str, rule: &str| (said.to_owned(), Err::<(), String>(rule.to_owned())),
    );

    let long = world.old_token(OLD, 3_600);
    assert_eq!(world.answers(&long), refused("unknown key", "TOKEN-KEY-UNKNOWN"));
    let key = world.gate.path("old.pem").display().to_string();
    let import = |options: &[&str]| world.appliance.ended(&[&["key", "import", "default", &key], options].concat());
    assert_eq!(import(&["--tokens-until", "+1h", "--tokens-longest", "2h", "--keep-kid=prod-2024"]), Ok(()));
    world.carry();
    assert_eq!(world.answers(&long), accepted());
    assert_eq!(world.answers(&world.old_token("prod-2023", 60)), refused("unknown key", "TOKEN-KEY-UNKNOWN"));

    assert_eq!(world.appliance.ended(&["key", "deactivate", "default/2", "--yes"]), Ok(()));
    world.carry();
    assert_eq!(world.answers(&long), accepted(), "the key is retired here, its tokens are not over");
    let lifetime = 8;
    let short = world.old_token(OLD, lifetime);
    assert_eq!(world.answers(&short), accepted());
    sleep(Duration::from_secs(lifetime + 1));
    assert_eq!(world.answers(&short), refused("expired", "TOKEN-EXPIRED"));

    assert_eq!(world.appliance.ended(&["revoke", "key", OLD, "--yes"]), Ok(()));
    world.carry();
    assert_eq!(world.answers(&long), refused("revoked", "TOKEN-REVOKED"));
    let own = world.appliance.token("api/reader", "ward-7", &[]).text();
    let file = world.gate.path("own.jwt");
    fs::write(&file, own).unwrap();
    assert_eq!(world.answers(&file), accepted(), "no other key's token");
}
