use super::*;

fn stalls(cause: &str, named: u64, found_ns: u64) -> Line {
    Line::Stalls {
        cause: cause.into(),
        provoked: "a slow disk".into(),
        stalled: 200,
        named,
        hidden: 0,
        injected_ns: 1_600_000_000,
        found_ns,
    }
}

fn witness(part: Part, what: &str, witness: &str, agreed: u64) -> Line {
    Line::Witness {
        part,
        what: what.into(),
        provoked: format!("reading {what}"),
        witness: witness.into(),
        asked: 10_000,
        agreed,
    }
}

fn kept(part: Part, found: &str) -> Line {
    Line::Kept {
        part,
        what: "a full ring".into(),
        provoked: "a stopped collector".into(),
        expected: "made = arrived + lost".into(),
        found: found.into(),
    }
}

fn absent() -> Line {
    Line::Absent {
        what: "NFS".into(),
        why: "no server | here".into(),
    }
}

fn proof(runs: Vec<Vec<Line>>) -> Proof {
    Proof {
        machine: Machine {
            kernel: "Linux 6.18.1".into(),
            architecture: "x86_64".into(),
            model: Some("Some  CPU".into()),
            cpus: 2,
            memory_kb: 8 << 20,
            date: "2026-01-02".into(),
        },
        short: false,
        runs,
        damage: vec![witness(Part::Damage, "cut", "the exit code", 10_000)],
        skipped: vec![("a::b".into(), "no disk".into())],
    }
}

fn sample() -> Proof {
    let run = |named, found_ns, agreed, found| {
        vec![
            stalls("server", 200, 1_600_000_000),
            stalls("device", named, found_ns),
            witness(Part::Outcomes, "miss", "mincore", agreed),
            witness(Part::Counts, "ext4, 1 thread", "syscr", agreed),
            witness(Part::Counts, "ext4, 4 threads", "syscr", 10_000),
            witness(Part::Counts, "ext4, 4 threads", "rchar", 10_000),
            kept(Part::Losses, found),
            absent(),
        ]
    };
    proof(vec![
        run(200, 1_616_000_000, 10_000, "7 lost"),
        run(198, 1_592_000_000, 9_999, "8 lost"),
        run(199, 1_600_000_000, 10_000, "7 lost"),
    ])
}

/// The cells of the row that begins so.
#[track_caller]
fn row(page: &str, begin: &str) -> Vec<String> {
    let row = page.lines().find(|line| line.starts_with(begin));
    let row = row.unwrap_or_else(|| panic!("no {begin:?} in {page}"));
    let cells = row.trim_matches('|').split(" | ");
    cells.map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn measures_are_shown_of_each_run_and_counts_of_the_worst() {
    let page = sample().text();
    assert_eq!(
        row(&page, "| device"),
        [
            "device",
            "a slow disk",
            "200",
            "1.60 s",
            "+1.0 % / −0.5 % / +0.0 %",
            "198 of 200",
            "0"
        ]
    );
    assert_eq!(
        row(&page, "| miss"),
        ["miss", "reading miss", "mincore", "10,000", "9,999"]
    );
    let device = page.find("| device").unwrap();
    assert!(device < page.find("| server").unwrap(), "in their order");
}

#[test]
fn the_page_says_what_it_is_and_where_it_was_made() {
    let page = sample().text();
    assert!(page.starts_with(TOP));
    assert!(page.contains(
        "- Linux 6.18.1 on x86_64, Some CPU, 2 CPUs, 8.0 GiB of memory\n\
         - profiler 0.1.0, on 2026-01-02, 3 times in a row, with the long tests\n"
    ));
    let mut titles = page.lines().filter_map(|line| line.strip_prefix("## "));
    for title in [
        "What counts as found",
        "Causes",
        "Outcomes",
        "Counts",
        "Losses",
        "Damage",
        "What cannot be provoked here, and why",
        "How to run it",
    ] {
        assert_eq!(titles.next(), Some(title));
    }
    assert!(!page.contains("\n\n\n"), "{page}");
    assert!(page.contains("\n- NFS: no server | here\n"), "{page}");
    assert!(page.contains("\n- the test `a::b` was skipped: no disk\n"));
}

#[test]
fn counts_are_a_table_of_what_by_witness() {
    let page = sample().text();
    assert_eq!(
        row(&page, "| what            |"),
        ["what", "syscr", "rchar"]
    );
    assert_eq!(
        row(&page, "| ext4, 1 thread "),
        ["ext4, 1 thread", "9,999 of 10,000", "–"]
    );
    assert!(page.contains("\n- *ext4, 4 threads*: reading ext4, 4 threads\n"));
}

#[test]
fn many_witnesses_of_little_go_down() {
    let line = |name: &str| witness(Part::Counts, "ext4", name, 10_000);
    let page = proof(vec![vec![line("syscr"), line("rchar")]]).text();
    assert_eq!(row(&page, "| witness"), ["witness", "ext4"]);
    assert_eq!(row(&page, "| rchar"), ["rchar", "10,000 of 10,000"]);
    assert!(page.contains("\nHow provoked: reading ext4.\n"));
    assert!(page.contains(", once, with the long tests"));
}

#[test]
fn different_findings_are_all_shown_and_the_same_ones_once() {
    let page = sample().text();
    assert_eq!(
        row(&page, "| a full ring"),
        [
            "a full ring",
            "a stopped collector",
            "made = arrived + lost",
            "7 lost / 8 lost / 7 lost"
        ]
    );
    assert_eq!(row(&page, "| cut")[3..], ["10,000", "10,000"]);
}

#[test]
fn what_a_run_lacks_is_seen() {
    let mut proof = sample();
    proof.runs[1].clear();
    let page = proof.text();
    assert_eq!(row(&page, "| device")[4], "+1.0 % / – / +0.0 %");
    assert_eq!(row(&page, "| miss")[4], "10,000 (2 of 3 runs)");
}

#[test]
fn nothing_proved_is_said() {
    let page = proof(Vec::new()).text();
    assert!(
        page.contains("## Causes\n\nNothing.\n\n## Outcomes"),
        "{page}"
    );
}

#[test]
fn a_difference_has_its_sign() {
    assert_eq!(difference(0, 5), "–");
    assert_eq!(difference(10_000, 9_999), "+0.0 %");
    assert_eq!(difference(1_000, 990), "−1.0 %");
}

/// A page that somebody wrote by hand, or that another command made, is none.
#[test]
fn the_page_in_the_docs_was_made_by_this() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/proof.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.starts_with(TOP), "make it anew: cargo xtask proof");
}
