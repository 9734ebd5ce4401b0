//! Ways off the machine: interfaces that are up, routes, radios.

use super::{Finding, System};
use crate::acts::shell_word;
use std::collections::BTreeMap;
use std::path::Path;

// Flags of linux/if.h and linux/route.h.
const IFF_UP: u64 = 0x1;
const IFF_LOOPBACK: u64 = 0x8;
const RTF_REJECT: u64 = 0x0200;
const RTF_LOCAL: u64 = 0x8000_0000;

const WHY_ROUTES: &str = "an isolated machine reaches no other; whoever can be reached can be attacked";
const WHY_INTERFACES: &str = "a cable or a setting away from a network";
const WHY_RADIOS: &str = "a radio needs no cable";
const WHY_UNKNOWN: &str = "without /proc and /sys nothing can be said about the network";

pub(super) fn findings(system: &System<'_>) -> Vec<Finding> {
    vec![interfaces(system), routes(system), radios(system)]
}

fn interfaces(system: &System<'_>) -> Finding {
    let names = system.names("sys/class/net");
    if names.is_empty() {
        return match system.text("proc/net/dev") {
            Some(_) => Finding::ok("interfaces", "no network interface"),
            None => Finding::look("interfaces", "the network interfaces could not be read", WHY_UNKNOWN),
        };
    }
    let up: Vec<&String> = names.iter().filter(|name| is_up(system, name)).collect();
    match up[..] {
        [] => Finding::ok("interfaces", "no network interface is up"),
        [first, ..] => {
            let all = up.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            Finding::look("interfaces", format!("up: {all}"), WHY_INTERFACES).try_this(down(first))
        }
    }
}

fn is_up(system: &System<'_>, name: &str) -> bool {
    let flags =
        system.line(&format!("sys/class/net/{name}/flags")).and_then(|flags| hex(flags.trim_start_matches("0x")));
    flags.is_some_and(|flags| flags & IFF_UP != 0 && flags & IFF_LOOPBACK == 0)
}

fn routes(system: &System<'_>) -> Finding {
    let (four, six) = (system.text("proc/net/route"), system.text("proc/net/ipv6_route"));
    if four.is_none() && six.is_none() {
        return Finding::look("routes", "the routes could not be read", WHY_UNKNOWN);
    }
    let mut leading: BTreeMap<String, bool> = ipv4_routes(&four.unwrap_or_default());
    for (interface, default) in ipv6_routes(&six.unwrap_or_default()) {
        *leading.entry(interface).or_default() |= default;
    }
    let Some(first) = leading.keys().next() else {
        return Finding::ok("routes", "no route leads off this machine");
    };
    let told: Vec<String> = leading
        .iter()
        .map(|(interface, default)| if *default { format!("{interface} (to anywhere)") } else { interface.clone() })
        .collect();
    Finding::bad("routes", format!("this machine reaches others by {}", told.join(", ")), WHY_ROUTES)
        .try_this(down(first))
}

fn down(interface: &str) -> String {
    format!("ip link set {} down", shell_word(Path::new(interface)))
}

fn radios(system: &System<'_>) -> Finding {
    let read = |name: &str, what: &str| system.line(&format!("sys/class/rfkill/{name}/{what}"));
    let free = |name: &String| read(name, "soft").as_deref() == Some("0") && read(name, "hard").as_deref() == Some("0");
    let on: Vec<String> = system
        .names("sys/class/rfkill")
        .into_iter()
        .filter(free)
        .map(|name| read(&name, "type").unwrap_or(name))
        .collect();
    if on.is_empty() {
        return Finding::ok("radios", "no radio is on");
    }
    Finding::look("radios", format!("on: {}", on.join(", ")), WHY_RADIOS).try_this("rfkill block all")
}

/// Interfaces that IPv4 routes lead over, and whether one of those leads anywhere: `/proc/net/route`.
fn ipv4_routes(text: &str) -> BTreeMap<String, bool> {
    let mut leading = BTreeMap::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, _, flags, .., mask, _, _, _] = columns[..] else { continue };
        if interface == "lo" || interface == "*" || hex(flags).is_none_or(|flags| flags & RTF_REJECT != 0) {
            continue;
        }
        *leading.entry(interface.to_owned()).or_default() |= hex(destination) == Some(0) && hex(mask) == Some(0);
    }
    leading
}

/// The same for IPv6: `/proc/net/ipv6_route`. Link-local and multicast routes come with any interface.
fn ipv6_routes(text: &str) -> BTreeMap<String, bool> {
    let mut leading = BTreeMap::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [destination, prefix, .., flags, interface] = columns[..] else { continue };
        let own = hex(flags).is_none_or(|flags| flags & (RTF_REJECT | RTF_LOCAL) != 0);
        if interface == "lo" || own || destination.starts_with("fe80") || destination.starts_with("ff") {
            continue;
        }
        *leading.entry(interface.to_owned()).or_default() |= prefix == "00";
    }
    leading
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_that_lead_away_are_told_from_those_that_do_not() {
        let four = "\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth1	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
lo	0000007F	00000000	0001	0	0	0	000000FF	0	0	0
*	00000000	00000000	0200	0	0	0	00000000	0	0	0
broken";
        let expected = BTreeMap::from([("eth0".to_owned(), true), ("eth1".to_owned(), false)]);
        assert_eq!(ipv4_routes(four), expected);
        assert_eq!(ipv4_routes(""), BTreeMap::new());

        let zeros = "0".repeat(32);
        let line = |destination: &str, prefix: &str, flags: &str, interface: &str| {
            format!(
                "{destination:0<32} {prefix} {zeros} 00 {zeros} 00000400 00000003 00000000 {flags}     {interface}\n"
            )
        };
        let six = [
            line("fd00", "40", "00000001", "eth0"),
            line("fe80", "40", "00000001", "wlan0"),
            line("ff00", "08", "00000001", "wlan0"),
            line("fd000002", "80", "80200001", "eth1"),
            line("0", "00", "00200200", "lo"),
            line("0", "00", "00000003", "eth2"),
        ];
        let expected = BTreeMap::from([("eth0".to_owned(), false), ("eth2".to_owned(), true)]);
        assert_eq!(ipv6_routes(&six.concat()), expected);
    }
}
