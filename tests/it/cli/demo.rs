//! The guided tour.

use super::Shell;
use serde_json::json;

#[test]
fn the_tour_tells_its_steps_and_leaves_a_table_that_answers() {
    let shell = Shell::new();
    let told = shell.ok(&["demo", "tour"]);
    assert!(told.lines().count() >= 15, "{told}");
    for step in 1..=14 {
        assert!(told.lines().any(|line| line.starts_with(&format!("{step}. "))), "{told}");
    }
    assert!(
        told.contains("8 rows, 5 of them shown. Read 1 of 12 files") && told.contains("401 rows, 5 of them shown. Read 1 of 12 files"),
        "{told}"
    );
    assert!(
        told.contains("11 files skipped") && told.contains("trips@v0") && told.contains("_delta_log/00000000000000000004.json"),
        "{told}"
    );
    assert!(told.contains("2 rows updated, 1 inserted; version 5"), "{told}");
    let deleted = 60_001 - shell.json(&["count", "tour/trips"])["count"].as_u64().unwrap();
    assert!(
        deleted > 0 && told.contains(&format!("  {deleted} rows deleted; 0 data files written, 1 deletion vectors; version 6")),
        "{told}"
    );
    assert!(told.contains(&format!("names {deleted} rows")), "{told}");
    for change in ["version 5:     1 rows  insert", "version 5:     2 rows  update_postimage", "version 5:     2 rows  update_preimage"] {
        assert!(told.contains(change), "{change}: {told}");
    }
    assert!(told.contains(&format!("version 6: {deleted:>5} rows  delete")), "{told}");
    assert_eq!(shell.json(&["count", "tour/trips@v4"]), json!({"count": 60_000}));
    assert_eq!(shell.json(&["count", "tour/trips@v0"]), json!({"count": 0}));
    assert_eq!(shell.json(&["info", "tour/trips"])["version"], 8);
    assert!(told.contains("every row were looked at: 0 findings") && told.matches("  plan: ").count() == 3, "{told}");
    let beside = std::fs::read_dir(shell.path("tour")).unwrap().count();
    assert_eq!(beside, 1, "only the table is left");
    // What it says to try next works as it is printed.
    let commands: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("  lakebed ")).collect();
    assert_eq!(commands.len(), 11, "{told}");
    for command in commands {
        let line = format!("\"$0\" {command}");
        let mut bash = std::process::Command::new("bash");
        let output = bash.args(["-c", &line, env!("CARGO_BIN_EXE_lakebed")]).current_dir(shell.path(".")).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(shell.run(&["demo", "tour"]).code, Some(1), "a table that exists is left alone");
}

#[test]
fn the_tour_makes_a_folder_of_its_own_when_none_is_named() {
    let shell = Shell::new();
    let output = shell.command(&["demo"]).env("TMPDIR", shell.path(".")).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Vec<String> = shell.files(".").into_iter().filter(|f| f.ends_with("/trips/_delta_log/00000000000000000004.json")).collect();
    assert_eq!(made.len(), 1);
    let folder = made[0].split('/').next().unwrap();
    assert!(folder.starts_with("lakebed-demo-") && told.contains(folder), "{told}");
}
