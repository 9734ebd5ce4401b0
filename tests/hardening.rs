//! What the system may write of the running program to a disk, and who may look into it: the real
//! binary, stopped while it waits for a passphrase.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use coldsign::storage::{Files, Reach, Restrictions, lock_memory, restrict_process};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A user without privileges, where this test may become one.
const NOBODY: u32 = 65_534;

/// A folder with a store, and the binary where any user can start it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        open_to_all(place.folder.path());
        // By another process: were the copy open for writing in this one, a test starting a program
        // just then would hand that on, and a file that is open for writing can't be started.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_coldsign")).arg(place.path("coldsign")).status();
        assert!(copied.expect("cp").success());
        std::fs::write(place.path("pass"), "correct horse battery staple").expect("a passphrase");
        let init = "./coldsign --store store --passphrase-file pass init --issuer https://tokens.example \
                    --api api=https://api.example --recovery-sheet sheet --kdf-log-n 10";
        let made = Command::new("sh").args(["-c", init]).current_dir(place.folder.path()).output().expect("init");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        if is_root() {
            let given = Command::new("chown").arg("-R").arg(NOBODY.to_string()).arg(place.folder.path()).status();
            assert!(given.expect("chown").success());
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `command` with core files of any size allowed, as an ordinary user.
    fn start(&self, command: &str) -> Child {
        let mut sh = if is_root() {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh"]);
            setpriv
        } else {
            Command::new("sh")
        };
        sh.args(["-c", &format!("ulimit -c $(ulimit -Hc); exec {command}")]).current_dir(self.folder.path());
        sh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process")
    }

    /// The signer, waiting for its passphrase.
    fn waiting_signer(&self) -> Child {
        let child = self.start("./coldsign --store store --passphrase-file - key generate default");
        wait_until_it_sleeps(&child, "coldsign");
        child
    }

    /// Whether another process of the same user can read the child's memory.
    fn can_be_read(&self, child: &Child) -> bool {
        // The first page that the list of its memory names; without the list there is nothing to try.
        let look = format!(
            "a=$(sed -n '1s/-.*//p' /proc/{0}/maps) && dd if=/proc/{0}/mem bs=1 count=1 skip=$((0x$a)) of=/dev/null",
            child.id()
        );
        self.start(&format!("sh -c \"{}\"", look.replace('$', "\\$"))).wait().expect("a look").success()
    }
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("modes");
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn status_of(child: &Child, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap_or_default().trim().to_owned()
}

fn wait_until_it_sleeps(child: &Child, name: &str) {
    let began = Instant::now();
    while !(status_of(child, "Name") == name && status_of(child, "State").starts_with('S')) {
        assert!(began.elapsed() < Duration::from_secs(60), "{name} does not wait: {}", status_of(child, "State"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(child: &mut Child, signal: &str) -> ExitStatus {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    child.wait().expect("its end")
}

fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

#[test]
fn a_crash_leaves_no_core_file() {
    let place = Place::new();
    // The twin shows that this machine writes core files at all, wherever its core_pattern sends them.
    let mut twin = place.start("sleep 60");
    wait_until_it_sleeps(&twin, "sleep");
    if !kill(&mut twin, "-ABRT").core_dumped() {
        skipped("this machine writes no core files, so that nothing shows that coldsign prevents them");
        return;
    }
    for signal in ["-ABRT", "-SEGV", "-QUIT"] {
        let mut signer = place.waiting_signer();
        if signal == "-SEGV" {
            // Rust's own handler lets the first one go that is no fault of an address, and no other.
            let sent = Command::new("kill").args([signal, &signer.id().to_string()]).status().expect("kill");
            assert!(sent.success());
            std::thread::sleep(Duration::from_millis(200));
        }
        let ended = kill(&mut signer, signal);
        assert!(ended.signal().is_some(), "{signal}: {ended:?}");
        assert!(!ended.core_dumped(), "{signal} left a core file");
    }
}

#[test]
fn nobody_of_the_same_user_looks_into_its_memory() {
    let place = Place::new();
    let mut twin = place.start("sleep 60");
    wait_until_it_sleeps(&twin, "sleep");
    let mut signer = place.waiting_signer();
    let (twin_s, signer_s) = (place.can_be_read(&twin), place.can_be_read(&signer));
    let owner = std::fs::metadata(format!("/proc/{}/mem", signer.id())).expect("its memory").uid();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", signer.id())).expect("its limits");
    let no_new_privileges = status_of(&signer, "NoNewPrivs");
    let locked = status_of(&signer, "VmLck");
    kill(&mut twin, "-KILL");
    kill(&mut signer, "-KILL");

    assert!(!signer_s, "another process of the same user read its memory");
    assert_eq!(owner, 0, "its memory belongs to the user, not to the system");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("the limit on core files");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(no_new_privileges, "1");
    if !twin_s {
        skipped("this machine lets no process read another's memory");
    }
    let kibibytes: u64 = locked.trim_end_matches(" kB").parse().expect("a size");
    if Restrictions::of_this_process().lockable.is_none_or(|limit| limit >= 3 << 20) {
        assert!(kibibytes >= 100, "only {locked} of its memory is locked");
    } else {
        skipped("this machine lets no ordinary user lock enough memory");
    }
}

/// What a command of the copied signer says on stdout and stderr.
fn said(place: &Place, command: &str) -> (String, String) {
    let command = format!("./coldsign --store store {command}");
    let ran = Command::new("sh").args(["-c", &command]).current_dir(place.folder.path()).output().expect("a command");
    (String::from_utf8_lossy(&ran.stdout).into_owned(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn before_it_asks_it_can_open_no_socket_and_start_no_program() {
    let place = Place::new();
    let mut signer = place.waiting_signer();
    let (seccomp, filters) = (status_of(&signer, "Seccomp"), status_of(&signer, "Seccomp_filters"));
    kill(&mut signer, "-KILL");
    let mut twin = place.start("sleep 60");
    wait_until_it_sleeps(&twin, "sleep");
    let twin_s = status_of(&twin, "Seccomp_filters");
    kill(&mut twin, "-KILL");
    assert_eq!(seccomp, "2", "no filter of system calls");
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    assert_eq!(number(&filters), number(&twin_s) + 1, "one filter of its own");
}

/// What the test below says.
const CAN: &str = "files can be kept apart";

#[test]
#[ignore = "confines its whole process: run by a_store_that_leads_out_of_itself_is_not_followed"]
fn it_says_whether_the_kernel_can_keep_files_apart() {
    if Reach::new().confine().files != Files::All {
        let _ = writeln!(std::io::stdout(), "{CAN}");
    }
}

#[test]
fn a_store_that_leads_out_of_itself_is_not_followed() {
    let place = Place::new();
    let (findings, _) = said(&place, "doctor");
    // By another process than the signer's own word.
    let asked = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture", "it_says_whether_the_kernel_can_keep_files_apart"])
        .output();
    if !String::from_utf8_lossy(&asked.expect("a process").stdout).contains(CAN) {
        skipped("this kernel has no Landlock");
        assert!(findings.contains("this kernel has no Landlock"), "doctor does not say so: {findings}");
        return;
    }
    assert!(findings.contains("a command opens only the files that it names"), "{findings}");
    std::fs::create_dir(place.path("elsewhere")).expect("a folder");
    std::fs::rename(place.path("store/journal"), place.path("elsewhere/journal")).expect("a move");
    std::os::unix::fs::symlink("../elsewhere/journal", place.path("store/journal")).expect("a link");
    // The store is whole, and the program wants to read it; the system doesn't let it.
    let (_, refused) = said(&place, "status");
    assert!(refused.contains("Permission denied"), "{refused}");
    std::fs::remove_file(place.path("store/journal")).expect("no link");
    std::fs::rename(place.path("elsewhere/journal"), place.path("store/journal")).expect("a move back");
    let (status, refused) = said(&place, "status");
    assert!(!status.is_empty(), "{refused}");
}

#[test]
fn all_of_it_holds_and_its_cost_is_printed() {
    restrict_process();
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let began = Instant::now();
            restrict_process();
            lock_memory();
            began.elapsed()
        })
        .collect();
    times.sort();
    let now = Restrictions::of_this_process();
    assert!(!now.core_file && !now.readable_by_others && !now.may_gain_privileges, "{now:?}");
    // The quickest: what else runs on this machine is not our cost.
    let _ = writeln!(std::io::stderr(), "hardening: {:?} at best, {:?} in the middle", times[0], times[10]);
}
