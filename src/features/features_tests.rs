use super::*;

// spec: FEA-3
#[test]
fn every_record_stands_at_its_own_place_and_no_name_is_used_twice() {
    let mut names = std::collections::HashSet::new();
    for (i, spec) in ALL.iter().enumerate() {
        assert_eq!(spec.feature as usize, i, "{}", spec.name);
        for name in std::iter::once(&spec.name).chain(spec.aliases) {
            assert!(names.insert(name.to_lowercase()), "{name}");
        }
    }
}
