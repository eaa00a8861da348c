//! What the manual, the README and contrib give as examples works: commands, configurations, targets of make.

use crate::common::{SMSYNCD, Site, keygen};
use clap::Parser;
use smsync::client::config::ClientConfig;
use smsync::client::options::Options;
use std::process::Command;

fn read(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The words of a line with one space between them.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The command lines of smsync in a text, up to where a shell would see something else.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\e\n", " ");
    let lines = text.lines().filter_map(|line| {
        let example = ["    ", "$ ", "17\t", "17 "].iter().any(|start| line.starts_with(start));
        let line = squeezed(line.trim_start().trim_start_matches('$'));
        // In a crontab, after the time.
        let start = line.find("/usr/local/bin/smsync ").map_or(0, |at| at + 15);
        let rest = line[start..].strip_prefix("smsync ").filter(|rest| example && !rest.contains("tcp"))?;
        let end = [" &&", " |", " >"].iter().filter_map(|end| rest.find(end)).min();
        Some(rest[..end.unwrap_or(rest.len())].to_owned())
    });
    lines.collect()
}

#[test]
fn the_commands_are_good() {
    let texts = ["man/smsync.1", "man/smsyncd.conf.5", "README", "contrib/crontab"].map(read);
    let commands: Vec<String> = texts.iter().flat_map(|text| commands(text)).collect();
    for word in ["push", "pull", "check", "list", "spec", "keygen", "-q", "--json", "--spec", "-n"] {
        assert!(commands.iter().any(|line| line.split(' ').any(|said| said == word)), "{word}: {commands:?}");
    }
    for line in commands.into_iter() {
        let words =
            std::iter::once("smsync".into()).chain(line.split(' ').map(|word| word.replace('\'', "")));
        assert!(Options::try_parse_from(words).is_ok(), "smsync {line}");
    }
}

#[test]
fn the_line_for_inetd_is_the_same_everywhere() {
    let inetd = "smsync stream tcp nowait root /usr/local/libexec/smsyncd smsyncd";
    for path in ["README", "man/smsyncd.8", "contrib/inetd.conf", "src/server/options.rs"] {
        assert!(read(path).lines().any(|line| squeezed(line) == inetd), "{path}");
    }
}

#[test]
fn the_targets_of_make_exist() {
    let (readme, makefile) = (read("README"), read("Makefile"));
    let lines = readme.lines().map(|line| line.trim().trim_start_matches("sudo "));
    let targets: Vec<&str> = lines.filter_map(|line| line.strip_prefix("make ")?.split(' ').next()).collect();
    for target in ["demo", "test", "install"].iter().chain(&targets) {
        assert!(targets.contains(target), "README does not say make {target}");
        assert!(makefile.contains(&format!("\n{target}:")), "there is no make {target}");
    }
}

/// A configuration with a secret where the example says that there is to be one.
fn with_secret(text: &str) -> String {
    let line = |line: &str| match line.split_once("secret = ") {
        Some((before, _)) => format!("{before}secret = {}\n", keygen()),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_configurations_are_good() {
    let site = Site::new();
    let page = read("man/smsyncd.conf.5");
    let (_, examples) = page.split_once(".Sh EXAMPLES").unwrap();
    let (_, example) = examples.split_once(".Bd -literal -offset indent\n").unwrap();
    let (example, _) = example.split_once(".Ed").unwrap();
    for text in [example, &read("contrib/smsyncd.conf")] {
        let path = site.write_private("example", &with_secret(text));
        // The trees that it names are not on this host.
        let output = Command::new(SMSYNCD).arg("--check").arg("-c").arg(path).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    }
    let path = site.write_private("example", &with_secret(&read("contrib/smsync.conf")));
    ClientConfig::read(Some(&path)).unwrap();
}

#[test]
fn the_units_leave_a_session_what_it_needs() {
    for unit in ["contrib/smsyncd@.service", "contrib/smsyncd.service"] {
        let unit = read(unit);
        // Whoever takes the advice has the directory beside the state directory too.
        assert!(
            !unit.contains("state dir") || unit.contains("StateDirectory=smsyncd smsyncd.kept\n"),
            "{unit}"
        );
    }
    // What runs the hook when the session was told to end is not told so itself, nor killed.
    let lines = read("contrib/smsyncd@.service");
    assert!(lines.lines().any(|line| line == "KillMode=process"), "{lines}");
}
