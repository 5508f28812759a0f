use super::*;

#[test]
fn a_panic_is_a_defect_that_says_where_and_why() {
    let told = std::panic::take_hook();
    let failure = caught(|| panic!("the sky\nfell")).expect_err("it panicked");
    std::panic::set_hook(told);
    assert_eq!(failure.exit_code(), 1);
    let told = failure.told().expect("it is told");
    assert_eq!((told.code, told.kind), ("LB-INTERNAL", "Internal"));
    assert!(told.message.contains("failure_tests.rs") && told.message.ends_with("the sky: fell"), "{}", told.message);
    assert!(told.help.is_some_and(|help| help.contains("report it")));
}
