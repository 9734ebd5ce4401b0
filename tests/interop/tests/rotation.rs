//! Two scheduled rotations, a cutover and an emergency in front of verifiers that nobody changed for us.
//!
//! PyJWT, npm `jose` and Envoy read what the real `coldsign-gate install --export` wrote, and start
//! anew with what is there; FEDn is cut over by appointment. `policies/rotation.toml` promises
//! seconds where others promise weeks; each date is the signer's own, and waited for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use coldsign_interop::{Appliance, Gate, Node, Python, Token, Trial, Verdict, only_file, run};
use serde_json::{Value, json};

use Answer::{Accepted, Expired, Gone, KeyUnknown};

/// A lifetime, in seconds, that no run of this test lives to see the end of.
const LONG: u64 = 3_600;

#[test]
fn two_rotations_a_cutover_and_an_emergency_give_no_wrong_answer() {
    let Some(world) = World::new() else { return };
    let began = Instant::now();
    world.check("a key that they never had", &[(&world.foreign(), KeyUnknown)]);
    // On a slow machine too the old tokens live as long as they are needed.
    let lifetime = 6 + 4 * began.elapsed().as_secs();
    let first = world.issue(lifetime);
    world.check("before", &[(&first, Accepted)]);

    // The stick that carries the standby first is lost; the next one arrives.
    let lost = world.next(&[("generate", "default/2")]);
    world.wait_until_due("publish", "");
    world.install(&world.next(&[("publish", "")]));
    let mut fedn = Fedn::new(&world);
    fedn.issue_cutover();

    world.wait_until_due("activate", "default/2");
    let old = world.issue(lifetime);
    let third = world.next(&[("activate", "default/2"), ("deactivate", "default/1"), ("generate", "default/3")]);
    let new = world.issue(LONG);
    assert_eq!(old.key(), first.key());
    assert_ne!(new.key(), old.key());
    world.check("the successor signs, its publication is on its way", &[(&old, Accepted), (&new, Accepted)]);
    world.install(&third);
    world.check("its publication has arrived", &[(&old, Accepted), (&new, Accepted)]);
    fedn.swap_and_confirm();

    world.wait_until_due("destroy", "default/1");
    world.wait_until_due("activate", "default/3");
    let fourth = world.next(&[("destroy", "default/1"), ("activate", "default/3"), ("deactivate", "fed/1")]);
    let newest = world.issue(LONG);
    world.check("the second rotation", &[(&first, Expired), (&old, Expired), (&new, Accepted), (&newest, Accepted)]);
    world.install(&fourth);
    let gone = [(&first, Gone), (&old, Gone), (&new, Accepted), (&newest, Accepted)];
    world.check("the first key has gone", &gone);
    for service in &world.services {
        assert_eq!(service.gate.install(&lost, service.name), Err("BUNDLE-ROLLBACK".to_owned()), "the stick turns up");
    }

    let (stick, declared) = world.emergency("default");
    assert_eq!(declared["done"]["key"], "default/3");
    let reissued = world.reissued(&stick);
    let spared = [(&new, Accepted), (&reissued, Accepted)];
    // No stock library hears of it before the new file is there: the bound that the command prints.
    world.check("the key is lost", &[&spared[..], &[(&newest, Accepted)]].concat());
    let fifth = fedn.emergency();
    world.install(&fifth);
    world.check("the lost key is gone", &[&spared[..], &[(&newest, KeyUnknown)]].concat());
    fedn.end();
}

/// What a service has to say to a token.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Accepted,
    Expired,
    KeyUnknown,
    /// Expired, and of a key that is not there any more.
    Gone,
}

/// Tokens issued at one time, one for each service.
struct Tokens(BTreeMap<&'static str, Token>);

impl Tokens {
    fn key(&self) -> String {
        let kids: Vec<Value> = self.0.values().map(|token| token.header()["kid"].clone()).collect();
        assert!(kids.iter().all(|kid| *kid == kids[0]), "one keyset, one key: {kids:?}");
        kids[0].as_str().unwrap().to_owned()
    }
}

/// The signing machine, and the services that could be had here.
struct World {
    appliance: Appliance,
    first_publication: PathBuf,
    services: Vec<Service>,
}

impl World {
    fn new() -> Option<Self> {
        let stock = || Python::with("stock");
        let verifiers = [
            ("pyjwt", stock().map(Stock::PyJwt)),
            ("jose", Node::with_packages().map(Stock::Jose)),
            ("envoy", stock().map(Stock::Envoy)),
        ];
        let found = verifiers.into_iter().filter_map(|(name, stock)| Some((name, stock?)));
        let services: Vec<Service> = found.map(|(name, stock)| Service { name, stock, gate: Gate::new() }).collect();
        if services.is_empty() {
            return None;
        }
        let appliance = Appliance::new("rotation");
        let first_publication = appliance.publish().folder().to_owned();
        let world = Self { appliance, first_publication, services };
        world.services.iter().for_each(|service| world.pin(&service.gate, service.name));
        world.install(&world.first_publication);
        Some(world)
    }

    fn pin(&self, gate: &Gate, name: &str) {
        gate.pin(&self.first_publication, name, &self.appliance.root_fingerprint());
    }

    fn install(&self, publication: &Path) {
        for service in &self.services {
            assert_eq!(service.gate.install(publication, service.name), Ok(()), "{}", service.name);
        }
    }

    fn issue(&self, lifetime: u64) -> Tokens {
        let lifetime = format!("{lifetime}s");
        let token = |service: &Service| {
            let grant = format!("{}/reader", service.name);
            (service.name, self.appliance.token(&grant, "ward-7", &["--lifetime", &lifetime]))
        };
        Tokens(self.services.iter().map(token).collect())
    }

    /// Tokens for the same services, by a signer that none of them knows.
    fn foreign(&self) -> Tokens {
        let signer = Appliance::new("rotation");
        let token =
            |service: &Service| (service.name, signer.token(&format!("{}/reader", service.name), "ward-7", &[]));
        Tokens(self.services.iter().map(token).collect())
    }

    /// Shows each service its tokens of these kinds, all services at the same time.
    fn check(&self, when: &str, expected: &[(&Tokens, Answer)]) {
        thread::scope(|scope| {
            for service in &self.services {
                scope.spawn(move || {
                    let trials = expected.iter().enumerate().map(|(number, (tokens, answer))| {
                        service.trial(format!("{when}: {number}, {}", service.name), &tokens.0[service.name], *answer)
                    });
                    service.run(&trials.collect::<Vec<_>>());
                });
            }
        });
    }

    /// Sleeps until the plan says that the step may be taken.
    fn wait_until_due(&self, act: &str, to: &str) {
        let to = if to.is_empty() { Value::Null } else { to.into() };
        let plan = self.appliance.told(&["rotate", "plan", "--until", "+1d"]);
        let mut steps = plan["steps"].as_array().unwrap().iter();
        let step = steps.find(|step| step["act"] == act && step["to"] == to);
        let step = step.unwrap_or_else(|| panic!("{act} {to} is not planned: {plan}"));
        sleep_until(step["earliest"].as_u64().unwrap());
    }

    /// `rotate next`: these steps are taken, if not alone; the publication that carries them.
    fn next(&self, steps: &[(&str, &str)]) -> PathBuf {
        let stick = self.appliance.empty_folder();
        let done = self.appliance.told(&["rotate", "next", "--yes", "--to", stick.to_str().unwrap()]);
        for (act, to) in steps {
            let to = if to.is_empty() { Value::Null } else { (*to).into() };
            let mut taken = done["done"].as_array().unwrap().iter();
            assert!(taken.any(|step| step["act"] == *act && step["to"] == to), "{act} {to}: {done}");
        }
        only_file(&stick)
    }

    /// `rotate emergency`: the stick with the publication and new tokens, and what it says.
    fn emergency(&self, keyset: &str) -> (PathBuf, Value) {
        let stick = self.appliance.empty_folder();
        let to = stick.to_str().unwrap();
        let shown = self.appliance.told(&["rotate", "emergency", keyset, "--dry-run"]);
        let key = shown["dry_run"]["key"].as_str().unwrap();
        let declared = self.appliance.told(&["rotate", "emergency", key, "--yes", "--reissue", "--to", to]);
        assert_eq!(declared["not_reissued"], json!([]), "{declared}");
        (stick, declared)
    }

    fn reissued(&self, stick: &Path) -> Tokens {
        let token = |service: &Service| {
            (service.name, Token::new(&fs::read_to_string(stick.join(format!("{}-ward-7.jwt", service.name))).unwrap()))
        };
        Tokens(self.services.iter().map(token).collect())
    }
}

/// A service's machine: a stock verifier and a gate that exports for it.
struct Service {
    name: &'static str,
    stock: Stock,
    gate: Gate,
}

enum Stock {
    PyJwt(Python),
    Jose(Node),
    Envoy(Python),
}

impl Service {
    fn run(&self, trials: &[Trial]) {
        match &self.stock {
            Stock::PyJwt(python) => run(python.script("stock_libraries.py"), json!({}), trials),
            Stock::Jose(node) => run(node.script("stock_libraries.mjs"), json!({}), trials),
            Stock::Envoy(python) => {
                run(python.script("envoy_proxy.py"), json!({ "services": [self.configuration()] }), trials);
            }
        }
    }

    fn trial(&self, name: String, token: &Token, answer: Answer) -> Trial {
        let mut request = self.configuration();
        request["token"] = token.text().into();
        let verdict = match (&self.stock, answer) {
            (_, Accepted) => Verdict::Accept(token.claims()),
            (Stock::PyJwt(_), Expired) => Verdict::Reject("ExpiredSignatureError"),
            (Stock::PyJwt(_), KeyUnknown | Gone) => Verdict::Reject("KeyError"),
            (Stock::Jose(_), Expired) => Verdict::Reject("ERR_JWT_EXPIRED"),
            (Stock::Jose(_), KeyUnknown | Gone) => Verdict::Reject("ERR_JWKS_NO_MATCHING_KEY"),
            // Envoy looks at the time first.
            (Stock::Envoy(_), Expired | Gone) => Verdict::Reject("401 Jwt is expired"),
            (Stock::Envoy(_), KeyUnknown) => Verdict::Reject("401 Jwks doesn't have key to match kid or alg from Jwt"),
        };
        Trial::new(name, request, verdict)
    }

    /// All from the export: the key set, and what `service.json` says.
    fn configuration(&self) -> Value {
        let export = self.gate.export();
        let service: Value = serde_json::from_slice(&fs::read(export.join("service.json")).unwrap()).unwrap();
        json!({
            "keys": export.join("jwks.json"),
            "verifier": if matches!(self.stock, Stock::PyJwt(_)) { "PyJWT" } else { "jose" },
            "algorithm": service["algorithm"],
            "issuer": service["issuer"],
            "audience": service["audience"],
        })
    }
}

/// A FEDn network, its tokens under the old and the new key, and its runs, which others need not wait for.
struct Fedn<'w> {
    world: &'w World,
    python: Option<Python>,
    gate: Gate,
    hand: PathBuf,
    old: Vec<Token>,
    new: Vec<Token>,
    running: Option<thread::JoinHandle<()>>,
}

impl<'w> Fedn<'w> {
    fn new(world: &'w World) -> Self {
        let gate = Gate::new();
        world.pin(&gate, "fed");
        let old = vec![world.appliance.token("fed/client", "ann", &[])];
        let hand = world.appliance.empty_folder();
        Self { world, python: Python::with("fedn"), gate, hand, old, new: Vec::new(), running: None }
    }

    /// Replacements are handed out; what is issued meanwhile is issued under both keys.
    fn issue_cutover(&mut self) {
        let appliance = &self.world.appliance;
        assert_eq!(self.gate.install(&self.world.first_publication, "fed"), Ok(()));
        let planned = appliance.told(&["rotate", "cutover", "plan", "fed"]);
        assert_eq!((&planned["open"], &planned["tokens"]), (&json!(false), &json!(1)));
        let issued = appliance.told(&["rotate", "cutover", "issue", "fed", "--to", self.hand.to_str().unwrap()]);
        assert_eq!(issued["folders"], json!(["operator-fed", "holder-ann"]));
        let both = appliance.empty_folder();
        let issue = ["token", "issue", "fed/client", "bob", "--form", "raw", "--to"];
        appliance.act(&issue, &both);
        self.old.push(read(&both.join("fed-bob.jwt")));
        self.new.push(read(&self.hand.join("holder-ann/fed-ann.jwt")));
        self.new.push(read(&both.join("after-swap-fed-bob.jwt")));
        self.running = self.start("before the swap", &self.gate.export(), &[(&self.old, true), (&self.new, false)]);
    }

    /// The operator swaps at the appointed time, from the folder that was handed out.
    fn swap_and_confirm(&mut self) {
        let appliance = &self.world.appliance;
        let planned = appliance.told(&["rotate", "cutover", "plan", "fed"]);
        sleep_until(planned["swap"].as_u64().unwrap());
        let confirmed = appliance.told(&["rotate", "cutover", "confirm", "fed"]);
        assert_eq!(confirmed["signs"], "fed/2");
        self.new.push(appliance.token("fed/client", "cyd", &[]));
        self.end();
        let expected = [(&self.old[..], false), (&self.new, true)];
        self.running = self.start("after the swap", &self.hand.join("operator-fed"), &expected);
    }

    /// Its key is lost, too; the publication without it is installed and returned.
    fn emergency(&mut self) -> PathBuf {
        let (stick, declared) = self.world.emergency("fed");
        assert_eq!(declared["done"]["key"], "fed/2");
        let reissued = ["ann", "bob", "cyd"].map(|subject| read(&stick.join(format!("fed-{subject}.jwt"))));
        let publication = PathBuf::from(declared["publication"]["folder"].as_str().unwrap());
        self.end();
        assert_eq!(self.gate.install(&publication, "fed"), Ok(()));
        let expected = [(&self.old[..], false), (&self.new, false), (&reissued, true)];
        self.running = self.start("the key is lost", &self.gate.export(), &expected);
        publication
    }

    /// Starts FEDn with the variables in that folder and shows it tokens, while others go on.
    fn start(&self, when: &str, folder: &Path, expected: &[(&[Token], bool)]) -> Option<thread::JoinHandle<()>> {
        let python = self.python.as_ref()?;
        let mut trials = Vec::new();
        for (tokens, accepted) in expected {
            for (number, token) in tokens.iter().enumerate() {
                for (door, refusal) in
                    [("client_rest", "401 Invalid token"), ("client_grpc", "UNAUTHENTICATED Invalid token")]
                {
                    let verdict = if *accepted { Verdict::Accept(token.claims()) } else { Verdict::Reject(refusal) };
                    let request = json!({ "door": door, "token": token.text() });
                    trials.push(Trial::new(format!("{when}: {number}, {accepted}, at {door}"), request, verdict));
                }
            }
        }
        let fedn = python.script_after_sourcing("fedn_network.py", &folder.join("fedn.env"));
        Some(thread::spawn(move || run(fedn, json!({}), &trials)))
    }

    /// Waits for the last run.
    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.join().expect("FEDn's answers");
        }
    }
}

fn read(file: &Path) -> Token {
    Token::new(&fs::read_to_string(file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display())))
}

fn sleep_until(time: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    thread::sleep(Duration::from_secs(time).saturating_sub(now));
}
