//! Documents: links that lead somewhere, and nothing that belongs to one machine only.

use crate::{exactly, none, project_files, root, text_of};

/// Link targets of a Markdown text with their lines; code is not searched.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in outside_fences(text) {
        // In `a` b `c`, the parts between back-ticks with odd numbers are code.
        let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join("code");
        for (at, _) in prose.match_indices("](") {
            let target: String = prose[at + 2..].chars().take_while(|c| *c != ')').collect();
            found.push((line, target.split(' ').next().unwrap_or_default().to_owned()));
        }
        if let Some((_, target)) = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((line, target.trim().to_owned()));
        }
    }
    found
}

fn outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// A heading's anchor, as the usual hosts make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

fn anchors(text: &str) -> Vec<String> {
    let headings =
        outside_fences(text).filter_map(|(_, line)| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')));
    headings.map(anchor).collect()
}

/// Links that lead nowhere; `read` gives the text of a path from the root, or an empty one for a folder.
fn dead_links(path: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (line, link) in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
        let target =
            if file.is_empty() { Some(text.to_owned()) } else { from(path, file).and_then(|target| read(&target)) };
        match target {
            None => found.push(format!("{path}:{line}: {link} leads nowhere")),
            Some(text) if !fragment.is_empty() && !anchors(&text).contains(&fragment.to_lowercase()) => {
                found.push(format!("{path}:{line}: {link} names no heading"));
            }
            Some(_) => {}
        }
    }
    found
}

/// A relative link's path from the root; `None` if it leaves the project.
fn from(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Paths of one machine and hosts of registries: a mirror's or a builder's traces. Put together here,
/// so that this file doesn't hold what it looks for.
fn traces() -> Vec<String> {
    let folders = [["/wo", "rk/"], ["/tmp/", "hq"], ["/ro", "ot/"]];
    let hosts = [
        ["index.", "crates.io"],
        ["static.", "crates.io"],
        ["pypi", ".org"],
        ["files.python", "hosted.org"],
        ["registry.", "npmjs.org"],
        ["deb.debian", ".org"],
    ];
    folders.iter().chain(&hosts).map(|parts| parts.concat()).collect()
}

fn traces_in(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for trace in traces() {
            let alone = line.match_indices(&trace).any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '>' | '}' | '_'))
            });
            if alone {
                found.push(format!("{path}:{}: {trace} belongs to one machine only", index + 1));
            }
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let pages: Vec<String> = project_files().into_iter().filter(|path| path.ends_with(".md")).collect();
    assert!(!pages.is_empty(), "no page found: the guard would see nothing");
    let read = |path: &str| {
        let place = root().join(path);
        if place.is_dir() {
            Some(String::new())
        } else {
            std::fs::read(place).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
    };
    none(&pages.iter().flat_map(|page| dead_links(page, &text_of(page), read)).collect::<Vec<_>>());
}

#[test]
fn a_dead_link_is_seen() {
    let read = |path: &str| match path {
        "docs/store.md" => Some("# The store\n## What's in `it`\n".to_owned()),
        "docs" => Some(String::new()),
        _ => None,
    };
    let page = |text: &str| dead_links("docs/formats/a.md", text, read);
    exactly(&page("see [b](b.md), [c](../store.md)\n[d]: ../gone.md"), &[":1: b.md", ":2: ../gone.md"]);
    exactly(
        &page("[x](../store.md#whats-in-it) [y](../store.md#elsewhere) [z](#here)"),
        &["store.md#elsewhere", "#here names"],
    );
    exactly(&page("[out](../../../etc.md)"), &["etc.md"]);
    none(&page("# Here\n[a](#here) [b](https://x.example/y.md) `[c](gone.md)` [d](..)\n```\n[e](gone.md)\n```\n"));
}

#[test]
fn nothing_belongs_to_one_machine() {
    let mut offences = Vec::new();
    for path in project_files() {
        let bytes = std::fs::read(root().join(&path)).expect("a project file can be read");
        offences.extend(traces_in(&path, &String::from_utf8_lossy(&bytes)));
    }
    none(&offences);
}

#[test]
fn a_trace_of_one_machine_is_seen() {
    let [work, .., debian] = &traces()[..] else { panic!("there are traces to look for") };
    exactly(&traces_in("a.sh", &format!("cd {work}main\ncurl http://{debian}/x")), &["a.sh:1:", "a.sh:2:"]);
    none(&traces_in("a.md", &format!("docs{work}x, target/frame{work}")));
}
