use super::*;

#[test]
fn every_code_stands_in_the_page_of_the_doctor_and_once() {
    // spec: DOC-1
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/spec/doctor.md")).unwrap();
    let listed: Vec<&str> = page.lines().filter_map(|l| l.strip_prefix("| `LB-DOC-")?.split('`').next()).collect();
    let declared: Vec<&str> = ALL.iter().filter_map(|k| k.code.strip_prefix("LB-DOC-")).collect();
    assert_eq!(listed, declared);
    for kind in ALL {
        let row = page.lines().find(|l| l.starts_with(&format!("| `{}`", kind.code))).unwrap();
        assert!(row.contains(&format!("| {:?} |", kind.severity).to_lowercase()), "{row}");
    }
}

#[test]
fn findings_beyond_the_limit_are_counted_and_the_worst_come_first() {
    // spec: DOC-2
    let mut findings = Findings::new(2);
    for i in 0..5 {
        findings.add(ORPHAN, format!("f{i}"), "nobody names it");
    }
    findings.add(GAP, "3", "version 3 is missing");
    let found = findings.finish();
    let shown: Vec<_> = found.iter().map(|f| (f.code, f.object.as_str())).collect();
    assert_eq!(shown, [("LB-DOC-GAP", "3"), ("LB-DOC-ORPHAN", "f0"), ("LB-DOC-ORPHAN", "f1"), ("LB-DOC-ORPHAN", "\u{2026}")]);
    assert_eq!(found[3].message, "3 more of this kind are not shown");
}
