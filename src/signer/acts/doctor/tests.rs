//! A whole machine as a folder of files, sound at first, then with one thing wrong each.

use super::*;
use crate::acts::RELEASED;
use std::fs;

const SOUND: [(&str, &str); 9] = [
    ("proc/net/route", "Iface\tDestination\n"),
    ("proc/net/ipv6_route", ""),
    ("proc/swaps", "Filename\n"),
    ("proc/sys/kernel/core_pattern", "core\n"),
    ("proc/self/mountinfo", "22 1 254:0 / / rw - ext4 /dev/vda1 rw\n"),
    ("sys/class/net/lo/flags", "0x9\n"),
    ("sys/class/net/eth0/flags", "0x1002\n"),
    ("sys/class/rtc/rtc0/since_epoch", "1795305700\n"),
    ("bin/coldsign", "\x7fELF"),
];

struct Machine {
    folder: tempfile::TempDir,
    request: Request,
}

fn sound() -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine {
        request: Request {
            root: folder.path().to_owned(),
            store: Some(folder.path().join("store")),
            program: Some(folder.path().join("bin/coldsign")),
            restrictions: Restrictions {
                core_file: false,
                readable_by_others: false,
                may_gain_privileges: false,
                lockable: Some(8 << 20),
            },
            confinement: (Files::Named, Calls::Few),
            release_build: true,
            now: RELEASED + 100,
        },
        folder,
    };
    for (path, text) in SOUND {
        machine.put(path, text);
    }
    let mut elf = b"\x7fELF\x02\x01".to_vec();
    elf.resize(64, 0);
    fs::write(machine.folder.path().join("bin/coldsign"), elf).unwrap();
    machine
}

impl Machine {
    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Everything that is not as it should be.
    fn wrong(&self) -> Vec<(&'static str, Verdict)> {
        let found = examine(&self.request).findings;
        found.iter().filter(|one| one.verdict != Verdict::Ok).map(|one| (one.topic, one.verdict)).collect()
    }
}

#[test]
fn a_sound_machine_has_nothing_to_look_at() {
    let machine = sound();
    assert_eq!(machine.wrong(), []);
    let report = examine(&machine.request);
    assert_eq!(report.count(Verdict::Bad), 0);
    assert_eq!(report.program.unwrap().stands_alone, Some(true));
}

#[test]
fn each_fault_is_told_alone_with_a_reason_and_a_command() {
    for (path, text, topic, verdict) in [
        ("proc/net/route", "Iface\neth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n", "routes", Verdict::Bad),
        ("proc/net/ipv6_route", "fd00 40 0 00 0 0 0 0 00000001 eth0\n", "routes", Verdict::Bad),
        ("sys/class/net/eth0/flags", "0x1003\n", "interfaces", Verdict::Look),
        ("proc/swaps", "Filename\n/dev/sda2 partition 1 0 -2\n", "swap", Verdict::Look),
        ("sys/class/rtc/rtc0/since_epoch", "1795309300\n", "hardware-clock", Verdict::Look),
        ("run/systemd/timesync/synchronized", "", "time-service", Verdict::Look),
        (".git/HEAD", "", "neighbours", Verdict::Bad),
        (".stfolder", "", "neighbours", Verdict::Bad),
        ("proc/self/mountinfo", "22 1 0:1 / / rw - nfs4 server:/x rw\n", "file-system", Verdict::Bad),
        ("proc/self/mountinfo", "22 1 0:1 / / rw - tmpfs tmpfs rw\n", "file-system", Verdict::Bad),
        ("proc/self/mountinfo", "22 1 0:1 / / rw - vfat /dev/sdb1 rw\n", "file-system", Verdict::Bad),
    ] {
        let machine = sound();
        machine.put(path, text);
        assert_eq!(machine.wrong(), [(topic, verdict)], "{path}");
        let findings = examine(&machine.request).findings;
        let told = findings.iter().find(|one| one.topic == topic).unwrap();
        assert!(told.why.is_some() && told.command.is_some(), "{told:?}");
    }
}

#[test]
fn a_radio_is_told_unless_it_is_blocked() {
    let machine = sound();
    machine.put("sys/class/rfkill/rfkill0/type", "wlan\n");
    machine.put("sys/class/rfkill/rfkill0/soft", "0\n");
    machine.put("sys/class/rfkill/rfkill0/hard", "0\n");
    assert_eq!(machine.wrong(), [("radios", Verdict::Look)]);
    machine.put("sys/class/rfkill/rfkill0/soft", "1\n");
    assert_eq!(machine.wrong(), []);
}

#[test]
fn swap_that_nobody_can_read_later_is_fine_and_swap_without_locks_is_not() {
    let mut machine = sound();
    machine.put("proc/swaps", "Filename\n/dev/dm-1 partition 1 0 -2\n/dev/zram0 partition 1 0 5\n");
    machine.put("sys/class/block/dm-1/dm/uuid", "CRYPT-PLAIN-swap\n");
    assert_eq!(machine.wrong(), []);
    machine.put("sys/class/block/zram0/backing_dev", "/dev/sda3\n");
    assert_eq!(machine.wrong(), [("swap", Verdict::Look)]);
    machine.request.restrictions.lockable = Some(64 << 10);
    assert_eq!(machine.wrong(), [("swap", Verdict::Bad), ("memory", Verdict::Look)]);
}

#[test]
fn what_the_process_lets_others_do_is_bad() {
    let mut machine = sound();
    machine.request.restrictions.core_file = true;
    assert_eq!(machine.wrong(), [("core-files", Verdict::Bad)]);
    machine.request.restrictions.core_file = false;
    machine.request.restrictions.readable_by_others = true;
    assert_eq!(machine.wrong(), [("core-files", Verdict::Bad)]);
}

#[test]
fn a_kernel_that_can_not_confine_the_program_is_told() {
    let mut machine = sound();
    for (files, calls) in [(Files::All, Calls::Few), (Files::NamedOrCut, Calls::Few), (Files::Named, Calls::All)] {
        machine.request.confinement = (files, calls);
        assert_eq!(machine.wrong(), [("confinement", Verdict::Look)], "{files:?} {calls:?}");
    }
}

#[test]
fn a_clock_before_this_version_is_bad() {
    let mut machine = sound();
    machine.request.now = RELEASED - 1;
    assert!(machine.wrong().contains(&("clock", Verdict::Bad)));
}

#[test]
fn without_proc_and_sys_nothing_is_called_sound() {
    let machine = sound();
    fs::remove_dir_all(machine.folder.path().join("proc")).unwrap();
    fs::remove_dir_all(machine.folder.path().join("sys")).unwrap();
    let topics: Vec<&str> = machine.wrong().iter().map(|(topic, _)| *topic).collect();
    assert_eq!(topics, ["interfaces", "routes", "swap", "hardware-clock", "file-system"]);
}

#[test]
fn a_store_that_does_not_hold_together_is_bad() {
    let machine = sound();
    machine.put("store/store.json", "{}");
    let wrong = machine.wrong();
    assert!(wrong.contains(&("store", Verdict::Bad)), "{wrong:?}");
    assert!(wrong.contains(&("modes", Verdict::Bad)), "{wrong:?}");
}
