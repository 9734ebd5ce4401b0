//! A process that is confined, and then tries everything that it may not.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_types, reason = "that they can't be opened is what is tested")]

use coldsign::storage::{Calls, Files, Reach, has_made, tidy};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind::{CrossesDevices, PermissionDenied};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const FOLDER: &str = "COLDSIGN_CONFINED";

/// Runs one of the ignored tests below in a process of its own: the whole process is confined.
fn in_a_process(name: &str, folder: &Path) -> Output {
    let program = std::env::current_exe().unwrap();
    let ended = Command::new(program)
        .args(["--ignored", "--exact", "--nocapture", "--test-threads", "1", name])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}{}", text(&ended.stdout), text(&ended.stderr));
    assert!(text(&ended.stdout).contains("1 passed"), "{}", text(&ended.stdout));
    ended
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// None where the test beside it has not started this one.
fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// The system said no; or, where the kernel can't, somebody is told.
fn refused<T: std::fmt::Debug>(what: &str, can: bool, tried: io::Result<T>) {
    if !can {
        let _ = writeln!(io::stderr(), "skipped: this kernel can't refuse {what}");
        return;
    }
    let kind = tried.map_err(|error| error.kind()).expect_err(what);
    // A link into another folder is answered as if that were another file system.
    assert!([PermissionDenied, CrossesDevices].contains(&kind), "{what}: {kind:?}");
}

#[test]
fn no_socket_and_no_program() {
    let temp = tempfile::tempdir().unwrap();
    in_a_process("inside_no_socket_and_no_program", temp.path());
}

#[test]
#[ignore = "run by no_socket_and_no_program"]
fn inside_no_socket_and_no_program() {
    let Some(folder) = folder() else { return };
    let mut reach = Reach::new();
    reach.keep(&folder);
    // All but the first are made before: the filter holds for every thread, whenever it began.
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (answer, answered) = std::sync::mpsc::channel();
    let early = std::thread::spawn(move || {
        told.recv().unwrap();
        answer.send(UdpSocket::bind("127.0.0.1:0").map(drop)).unwrap();
    });
    let confined = reach.confine();
    let can = confined.calls == Calls::Few;
    refused("TCP", can, TcpStream::connect("127.0.0.1:9").map(drop));
    refused("listening", can, TcpListener::bind("127.0.0.1:0").map(drop));
    refused("UDP", can, UdpSocket::bind("127.0.0.1:0").map(drop));
    refused("Unix sockets", can, UnixStream::connect(folder.join("socket")).map(drop));
    refused("listening there", can, UnixListener::bind(folder.join("socket")).map(drop));
    refused("pairs of sockets", can, UnixStream::pair().map(drop));
    refused("datagrams", can, UnixDatagram::unbound().map(drop));
    refused("other programs", can, Command::new("/bin/true").status().map(drop));
    tell.send(()).unwrap();
    refused("sockets of a thread from before", can, answered.recv().unwrap());
    early.join().unwrap();
    let (sent, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || sent.send(TcpStream::connect("127.0.0.1:9").map(drop)).unwrap()).join().unwrap();
    refused("sockets of a later thread", can, received.recv().unwrap());
}

#[test]
fn no_file_that_was_not_named() {
    let temp = tempfile::tempdir().unwrap();
    for name in ["store/deep", "given", "products", "beside", "other"] {
        fs::create_dir_all(temp.path().join(name)).unwrap();
    }
    for name in ["store/deep/key", "given/input", "given/neighbour", "products/theirs", "beside/theirs", "other/secret"]
    {
        fs::write(temp.path().join(name), b"x").unwrap();
    }
    symlink("../other/secret", temp.path().join("store/way-out")).unwrap();
    in_a_process("inside_no_file_that_was_not_named", temp.path());
    assert_eq!(fs::read(temp.path().join("other/secret")).unwrap(), b"x");
}

#[test]
#[ignore = "run by no_file_that_was_not_named"]
fn inside_no_file_that_was_not_named() {
    let Some(folder) = folder() else { return };
    let path = |name: &str| folder.join(name);
    let mut reach = Reach::new();
    reach.keep(&path("store"));
    reach.read(&path("given/input"));
    reach.read(&path("not/there"));
    reach.put_into(&path("products"));
    reach.put_into(&path("new"));
    reach.put_into(&path("stays/empty"));
    reach.put_at(&path("beside/sheet"));
    assert!(path("new").is_dir() && !path("stays").exists());
    let confined = reach.confine();

    fs::write(path("store/deep/new"), b"x").unwrap();
    fs::rename(path("store/deep/new"), path("store/moved")).unwrap();
    fs::create_dir(path("store/folder")).unwrap();
    fs::remove_dir(path("store/folder")).unwrap();
    assert_eq!(fs::read(path("store/deep/key")).unwrap(), b"x");
    assert_eq!(fs::read(path("given/input")).unwrap(), b"x");
    fs::write(path("new/product"), b"x").unwrap();
    fs::write(path("products/product"), b"x").unwrap();
    fs::write(path("beside/.sheet.partial"), b"x").unwrap();
    fs::rename(path("beside/.sheet.partial"), path("beside/sheet")).unwrap();
    File::open(path("beside")).unwrap().sync_all().unwrap();

    let can = confined.files != Files::All;
    refused("another file", can, fs::read(path("other/secret")));
    refused("a link out of the store", can, fs::read(path("store/way-out")));
    refused("a neighbour of an input", can, fs::read(path("given/neighbour")));
    refused("a list of names", can, fs::read_dir(path("other")).map(drop));
    refused("writing an input", can, OpenOptions::new().write(true).open(path("given/input")).map(drop));
    refused("a new file", can, File::create(path("other/new")).map(drop));
    refused("a file gone", can, fs::remove_file(path("other/secret")));
    refused("a file renamed", can, fs::rename(path("other/secret"), path("other/renamed")));
    refused("a file taken in", can, fs::hard_link(path("other/secret"), path("store/taken")));
    refused("a file beside a product read", can, fs::read(path("beside/theirs")));
    refused("a link made", can, symlink("/", path("store/link")));
    refused("the system's files", can, fs::read("/etc/passwd"));
    refused("its own memory", can, fs::read("/proc/self/mem"));
}

#[test]
fn a_folder_for_products_that_stays_empty_goes_again() {
    let temp = tempfile::tempdir().unwrap();
    in_a_process("inside_a_folder_that_stays_empty_goes_again", temp.path());
    let mut left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["full", "used"]);
}

#[test]
#[ignore = "run by a_folder_for_products_that_stays_empty_goes_again"]
fn inside_a_folder_that_stays_empty_goes_again() {
    let Some(folder) = folder() else { return };
    fs::create_dir(folder.join("full")).unwrap();
    let mut reach = Reach::new();
    reach.put_into(&folder.join("empty"));
    reach.put_into(&folder.join("used"));
    reach.put_into(&folder.join("full"));
    reach.link_into(&folder.join("a/b/c"), 0o755);
    reach.keep_beside(&folder.join("d/e/store"));
    let _ = reach.confine();
    assert!(has_made(&folder.join("empty")) && !has_made(&folder.join("full")));
    fs::write(folder.join("used/x"), b"x").unwrap();
    symlink("x", folder.join("a/b/c/link")).unwrap();
    fs::remove_file(folder.join("a/b/c/link")).unwrap();
    fs::create_dir(folder.join("d/e/.store.partial")).unwrap();
    fs::rename(folder.join("d/e/.store.partial"), folder.join("d/e/store")).unwrap();
    fs::remove_dir(folder.join("d/e/store")).unwrap();
    tidy();
}

#[test]
fn its_cost_is_printed() {
    let temp = tempfile::tempdir().unwrap();
    let ended = in_a_process("inside_its_cost_is_printed", temp.path());
    io::stderr().write_all(text(&ended.stderr).as_bytes()).unwrap();
}

#[test]
#[ignore = "run by its_cost_is_printed"]
fn inside_its_cost_is_printed() {
    let Some(folder) = folder() else { return };
    // Each one lies on top of those before; the kernel takes sixteen.
    let mut times: Vec<Duration> = (0..12)
        .map(|_| {
            let began = Instant::now();
            let mut reach = Reach::new();
            reach.keep(&folder);
            reach.put_into(&folder);
            reach.read(Path::new("/usr/share/zoneinfo"));
            reach.read(Path::new("/etc/localtime"));
            reach.terminal(Path::new("/dev/tty"));
            let _ = reach.confine();
            began.elapsed()
        })
        .collect();
    times.sort();
    writeln!(io::stderr(), "confinement: {:?} at best, {:?} in the middle", times[0], times[6]).unwrap();
    assert!(times[0] < Duration::from_millis(2), "{times:?}");
}
