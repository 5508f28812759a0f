use super::*;

// spec: STO-18
#[test]
fn both_files_are_read_with_their_own_headings_and_credentials_win() {
    let mut p = Profiles::default();
    p.read(
        Kind::Config,
        "[default]\nregion = eu-west-1\n# no\n[profile dev]\nregion=us-west-2 # here\ns3 =\n  max_concurrent_requests = 20\naws_access_key_id = old\n[dev2]\nx=1\n[sso-session s]\nsso_region=r\n",
    );
    p.read(Kind::Credentials, "[dev]\naws_access_key_id = new\n; c\nAWS_SECRET_ACCESS_KEY = a=b/c+d=\n[profile odd]\nx=1\n");
    assert_eq!(p.get("default", "region"), Some("eu-west-1"));
    assert_eq!(p.get("dev", "region"), Some("us-west-2"));
    assert_eq!(p.get("dev", "aws_access_key_id"), Some("new"));
    assert_eq!(p.get("dev", "aws_secret_access_key"), Some("a=b/c+d="));
    assert_eq!(p.get("dev", "s3"), None);
    assert_eq!(p.get("dev", "max_concurrent_requests"), None);
    assert!(!p.has("dev2") && !p.has("s") && !p.has("odd"));
}
