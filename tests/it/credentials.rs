//! Where AWS credentials come from and that they stay fresh and secret. STS, the metadata service and S3 are scripted, on loopback.

use crate::support::http::{Ask, Objects, Say, Server, s3, status};
use futures::future::{BoxFuture, join_all};
use lakebed::{Clock, Code, Env, LogStore, PathLogStore, StorageOptions, TableRoot, Timestamp, Version};
use object_store::ObjectStoreExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const MINUTE: i64 = 60_000;

/// A clock that only the test moves; whoever sleeps never wakes.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}

/// A machine: its home folder, its S3, its clock.
struct Machine {
    home: tempfile::TempDir,
    s3: Server,
    _objects: Objects,
    hands: Arc<Hands>,
    variables: Vec<(String, String)>,
}

fn machine() -> Machine {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let (s3, objects) = s3(|_, _, _| None);
    let variables = vec![("HOME".to_owned(), home.path().to_str().unwrap().to_owned()), ("AWS_ENDPOINT_URL".to_owned(), s3.url.clone())];
    let machine = Machine { home, s3, _objects: objects, hands: Arc::default(), variables };
    machine.at("2026-11-21T12:00:00Z");
    machine
}

impl Machine {
    fn at(&self, time: &str) {
        self.hands.0.store(chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis(), Ordering::SeqCst);
    }
    fn wait(&self, millis: i64) {
        self.hands.0.fetch_add(millis, Ordering::SeqCst);
    }
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
    fn options(&self) -> StorageOptions {
        StorageOptions::new().environment(self.variables.clone()).set("max_retries", "0")
    }
    fn open(&self, more: impl Fn(StorageOptions) -> StorageOptions) -> lakebed::Result<TableRoot> {
        TableRoot::open("s3://lake/t", &more(self.options()), &Env::system().with_clock(self.hands.clone()))
    }
    fn table(&self) -> TableRoot {
        self.open(|o| o).unwrap()
    }
    /// Asks S3 for something; who signed the request: key and session token.
    async fn signer(&self, table: &TableRoot) -> (String, String) {
        let answer = table.store().head(&table.key("x")).await;
        assert!(matches!(answer, Err(object_store::Error::NotFound { .. })), "{answer:?}");
        let ask = self.s3.asked().pop().unwrap();
        let signed = ask.header("authorization");
        let key = signed.split_once("Credential=").map_or(signed, |(_, rest)| rest.split('/').next().unwrap());
        (key.to_owned(), ask.header("x-amz-security-token").to_owned())
    }
    async fn key(&self, table: &TableRoot) -> String {
        self.signer(table).await.0
    }
}

/// An STS that answers `KEY<n>` for its nth request, which lives an hour from noon and 50 minutes more each time.
fn sts() -> Server {
    let n = AtomicUsize::new(0);
    Server::start(move |_| {
        let n = n.fetch_add(1, Ordering::SeqCst) + 1;
        let end = chrono::DateTime::parse_from_rfc3339("2026-11-21T12:10:00Z").unwrap() + chrono::TimeDelta::minutes(50 * n as i64);
        let end = end.to_rfc3339();
        let text = format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>KEY{n}</AccessKeyId><SecretAccessKey>SECRETCANARY{n}\
             </SecretAccessKey><SessionToken>TOKEN{n}</SessionToken><Expiration>{end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        );
        Say::Status(200, vec![], text.into_bytes())
    })
}

fn form(ask: &Ask, name: &str) -> String {
    url::form_urlencoded::parse(&ask.body).into_owned().find(|(k, _)| k == name).map(|(_, v)| v).unwrap_or_default()
}

// spec: STO-18
#[tokio::test]
async fn sources_are_tried_in_the_order_that_is_promised() {
    let m = machine().variable("AWS_ACCESS_KEY_ID", "VARIABLE").variable("AWS_SECRET_ACCESS_KEY", "s").variable("AWS_SESSION_TOKEN", "t");
    m.file(
        ".aws/credentials",
        "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n[dev]\naws_access_key_id=DEV\naws_secret_access_key=s\n",
    );
    assert_eq!(m.signer(&m.table()).await, ("VARIABLE".to_owned(), "t".to_owned()));
    let given = m.open(|o| o.set("access_key_id", "GIVEN").set("secret_access_key", "s")).unwrap();
    assert_eq!(m.signer(&given).await, ("GIVEN".to_owned(), String::new()), "the token of the environment belongs to another key");
    assert_eq!(m.key(&m.open(|o| o.set("profile", "dev")).unwrap()).await, "DEV");
    assert_eq!(m.key(&m.open(|o| o.set("skip_signature", "true")).unwrap()).await, "");

    let m = machine().variable("AWS_PROFILE", "dev");
    m.file(
        ".aws/credentials",
        "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n[dev]\naws_access_key_id=DEV\naws_secret_access_key=s\n",
    );
    assert_eq!(m.key(&m.table()).await, "DEV");
    let m = machine();
    m.file(".aws/credentials", "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n");
    m.file(".aws/config", "[default]\nregion = eu-north-7\n");
    assert_eq!(m.key(&m.table()).await, "DEFAULT");
    let signed = m.s3.asked().pop().unwrap().header("authorization").to_owned();
    assert!(signed.contains("/eu-north-7/s3/"), "{signed}");
}

// spec: STO-18, STO-19
#[tokio::test]
async fn a_credential_process_is_run_once_and_again_before_its_keys_expire() {
    let m = machine();
    let script = m.file(
        "keys.sh",
        "echo run >>\"$1\"; n=$(wc -l <\"$1\")\necho '{\"Version\":1,\"AccessKeyId\":\"KEY'$n'\",\"SecretAccessKey\":\"SECRETCANARY\",\"SessionToken\":\"T'$n'\",\"Expiration\":\"2026-11-21T'$((12 + n))':00:00Z\"}'\n",
    );
    let runs = m.home.path().join("runs");
    m.file(".aws/config", &format!("[profile p]\ncredential_process = sh {} {}\n", script.display(), runs.display()));
    let table = m.open(|o| o.set("profile", "p")).unwrap();
    assert!(!runs.exists(), "opening a table runs nothing");
    assert_eq!(m.signer(&table).await, ("KEY1".to_owned(), "T1".to_owned()));
    m.wait(54 * MINUTE);
    assert_eq!(m.key(&table).await, "KEY1");
    m.wait(2 * MINUTE);
    assert_eq!(m.key(&table).await, "KEY2", "four minutes before the end");
    assert_eq!(m.key(&table).await, "KEY2");
    // While the keys hold, a process that fails harms nobody; afterwards it is an error without what it printed.
    std::fs::write(&script, "echo SECRETCANARY; echo SECRETCANARY >&2; exit 3\n").unwrap();
    m.at("2026-11-21T13:58:00Z");
    assert_eq!(m.key(&table).await, "KEY2");
    m.at("2026-11-21T14:00:01Z");
    let e = format!("{:?}", table.store().head(&table.key("x")).await.unwrap_err());
    assert!(e.contains("exit status: 3") && !e.contains("CANARY"), "{e}");
    std::fs::write(&script, "echo SECRETCANARY\n").unwrap();
    let e = format!("{:?}", table.store().head(&table.key("x")).await.unwrap_err());
    assert!(e.contains("JSON") && !e.contains("CANARY"), "{e}");
}

// spec: STO-18, STO-19
#[tokio::test]
async fn a_role_is_assumed_with_the_keys_of_its_source_profile_and_again_before_it_expires() {
    let m = machine();
    let sts = sts();
    m.file(
        ".aws/config",
        "[profile work]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nexternal_id = x 1\nrole_session_name = me\nduration_seconds = 900\n",
    );
    m.file(".aws/credentials", "[base]\naws_access_key_id = BASE\naws_secret_access_key = BASECANARY\n");
    let table = m.open(|o| o.set("AWS_PROFILE", "work").set("endpoint_url_sts", &sts.url)).unwrap();
    let signers = join_all((0..8).map(|_| m.key(&table))).await;
    assert!(signers.iter().all(|s| s == "KEY1"), "{signers:?}");
    let asked = sts.asked();
    assert_eq!(asked.len(), 1, "eight requests at once ask once");
    let said = ["Action", "RoleArn", "ExternalId", "RoleSessionName", "DurationSeconds"].map(|n| form(&asked[0], n));
    assert_eq!(said, ["AssumeRole", "arn:aws:iam::1:role/r", "x 1", "me", "900"]);
    assert!(asked[0].header("authorization").contains("Credential=BASE/"), "{:?}", asked[0]);
    assert_eq!(m.signer(&table).await, ("KEY1".to_owned(), "TOKEN1".to_owned()));
    m.wait(54 * MINUTE);
    assert_eq!(m.key(&table).await, "KEY1");
    m.wait(MINUTE);
    assert_eq!(m.key(&table).await, "KEY2", "five minutes before the end");
}

// spec: STO-18
#[tokio::test]
async fn roles_lead_to_roles_and_a_circle_is_refused() {
    let m = machine();
    let sts = sts();
    m.file(
        ".aws/config",
        "[profile a]\nrole_arn = A\nsource_profile = b\n[profile b]\nrole_arn = B\nsource_profile = c\n[profile c]\naws_access_key_id = C\naws_secret_access_key = s\n\
         [profile x]\nrole_arn = X\nsource_profile = y\n[profile y]\nrole_arn = Y\nsource_profile = x\n[profile sso]\nsso_start_url = https://x\n",
    );
    let table = m.open(|o| o.set("profile", "a").set("endpoint_url_sts", &sts.url)).unwrap();
    assert_eq!(m.key(&table).await, "KEY2");
    let arns: Vec<String> = sts.asked().iter().map(|a| form(a, "RoleArn")).collect();
    assert_eq!(arns, ["B", "A"]);
    assert!(sts.asked()[1].header("authorization").contains("Credential=KEY1/"));
    for (profile, said) in [("x", "leads to itself"), ("nobody", "does not exist"), ("sso", "SSO")] {
        let e = m.open(|o| o.set("profile", profile)).unwrap_err();
        assert!(e.code() == Code::STORE_CONFIG && e.message().contains(said), "{e:?}");
        assert!(e.context().iter().any(|(_, v)| v == profile || v == "y"), "{e:?}");
    }
    // Delta-rs's key: a role on top of whatever else there is.
    let role = m.open(|o| {
        o.set("access_key_id", "GIVEN").set("secret_access_key", "s").set("AWS_IAM_ROLE_ARN", "R").set("endpoint_url_sts", &sts.url)
    });
    assert_eq!(m.key(&role.unwrap()).await, "KEY3");
    assert!(sts.asked()[2].header("authorization").contains("Credential=GIVEN/"));
}

// spec: STO-18, STO-19
#[tokio::test]
async fn a_web_identity_token_is_read_anew_for_each_role_and_never_signed() {
    let sts = sts();
    let m = machine();
    let token = m.file("token", "JWTCANARY1\n");
    let m = m
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .variable("AWS_ROLE_ARN", "arn:pod")
        .variable("AWS_ENDPOINT_URL_STS", &sts.url);
    let table = m.table();
    assert_eq!(m.signer(&table).await, ("KEY1".to_owned(), "TOKEN1".to_owned()));
    std::fs::write(&token, "JWTCANARY2\n").unwrap();
    m.wait(54 * MINUTE);
    assert_eq!(m.key(&table).await, "KEY1");
    m.wait(MINUTE);
    assert_eq!(m.key(&table).await, "KEY2");
    let asked = sts.asked();
    assert_eq!(asked.iter().map(|a| form(a, "WebIdentityToken")).collect::<Vec<_>>(), ["JWTCANARY1", "JWTCANARY2"]);
    assert!(asked.iter().all(|a| form(a, "Action") == "AssumeRoleWithWebIdentity"
        && form(a, "RoleArn") == "arn:pod"
        && a.header("authorization").is_empty()));
    assert!(asked.iter().all(|a| a.query.is_empty() && !a.path.contains("CANARY")), "the token is in no URL");
    // The same through a profile.
    let m = machine();
    m.file(".aws/config", &format!("[profile pod]\nrole_arn = arn:profile\nweb_identity_token_file = {}\n", token.display()));
    let table = m.open(|o| o.set("profile", "pod").set("endpoint_url_sts", &sts.url)).unwrap();
    assert_eq!(m.key(&table).await, "KEY3");
    assert_eq!(form(&sts.asked()[2], "RoleArn"), "arn:profile");
}

/// A metadata service that answers `KEY<n>` for its nth set of keys, which live so many seconds.
fn metadata(seconds: i64) -> Server {
    let n = AtomicUsize::new(0);
    Server::start(move |ask| {
        let text = match (ask.method.as_str(), ask.path.as_str()) {
            ("PUT", "/latest/api/token") => "METATOKEN".to_owned(),
            _ if ask.path != "/keys" && ask.header("x-aws-ec2-metadata-token") != "METATOKEN" => return status(401),
            (_, "/latest/meta-data/iam/security-credentials/") => "role".to_owned(),
            _ => {
                let n = n.fetch_add(1, Ordering::SeqCst) + 1;
                let end = (chrono::Utc::now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
                format!("{{\"AccessKeyId\":\"KEY{n}\",\"SecretAccessKey\":\"SECRETCANARY\",\"Token\":\"T{n}\",\"Expiration\":\"{end}\"}}")
            }
        };
        Say::Status(200, vec![], text.into_bytes())
    })
}

// spec: STO-18, STO-19
#[tokio::test]
async fn the_machines_metadata_is_asked_last_with_a_session_token_and_again_before_its_keys_expire() {
    let long = metadata(3600);
    let m = machine().variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &long.url);
    let table = m.table();
    assert_eq!(m.signer(&table).await, ("KEY1".to_owned(), "T1".to_owned()));
    assert_eq!(m.key(&table).await, "KEY1");
    let asked: Vec<String> = long.asked().iter().map(|a| format!("{} {}", a.method, a.path)).collect();
    assert_eq!(
        asked,
        ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/", "GET /latest/meta-data/iam/security-credentials/role"]
    );
    // Keys with less than five minutes left are replaced while they still hold.
    let short = metadata(200);
    let m = machine().variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &short.url);
    let table = m.table();
    let limit = Instant::now() + Duration::from_secs(30);
    while m.key(&table).await == "KEY1" {
        assert!(Instant::now() < limit, "the keys were not replaced");
    }
}

// spec: STO-18
#[tokio::test]
async fn a_container_is_asked_with_its_authorization_token() {
    let container = metadata(3600);
    let m = machine();
    let token = m.file("authorization", "PODTOKEN");
    let m = m
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/keys", container.url))
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap());
    assert_eq!(m.key(&m.table()).await, "KEY1");
    assert_eq!(container.asked()[0].header("authorization"), "PODTOKEN");
}

// spec: STO-18
#[tokio::test]
async fn without_any_credentials_the_error_says_what_to_do_and_a_forbidden_machine_is_not_asked() {
    let machine_service = metadata(3600);
    let m = machine().variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &machine_service.url).variable("AWS_EC2_METADATA_DISABLED", "true");
    let e = PathLogStore::new(m.table()).read_commit(Version(0)).await.unwrap_err();
    assert!(e.code() == Code::STORE_CONFIG && e.message().contains("no AWS credentials"), "{e}");
    assert!(e.next_step().unwrap().contains("skip_signature=true"), "{e}");
    assert_eq!((machine_service.asked().len(), m.s3.asked().len()), (0, 0));
    let m = machine().variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &Server::unreachable().url);
    let table = m.table();
    assert!(table.store().head(&table.key("x")).await.is_err());
    assert_eq!(m.s3.asked().len(), 0);
}

// spec: STO-16, STO-18
#[tokio::test]
async fn a_role_that_is_refused_names_the_role_and_no_secret() {
    let sts = Server::start(|ask| {
        let said = format!(
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for you</Message><Echo>{}</Echo></Error></ErrorResponse>",
            String::from_utf8_lossy(&ask.body)
        );
        Say::Status(403, vec![], said.into_bytes())
    });
    let m = machine();
    let token = m.file("token", "JWTCANARY");
    m.file(".aws/config", "[profile p]\nrole_arn = arn:r\nsource_profile = b\n[profile b]\naws_access_key_id = KEYCANARY\naws_secret_access_key = SECRETCANARY\n");
    for (key, value) in [("profile", "p"), ("web_identity_token_file", token.to_str().unwrap())] {
        let table = m.open(|o| o.set(key, value).set("role_arn", "arn:r").set("endpoint_url_sts", &sts.url)).unwrap();
        let e = format!("{:?}", table.store().head(&table.key("x")).await.unwrap_err());
        assert!(e.contains("arn:r") && e.contains("AccessDenied: not for you") && !e.contains("CANARY"), "{e}");
        assert!(!format!("{table:?} {:?}", table.store()).contains("CANARY"));
    }
}

// spec: STO-16
#[tokio::test]
async fn secrets_go_in_plain_text_to_no_other_machine() {
    let m = machine();
    let keys = |o: StorageOptions| o.set("access_key_id", "K").set("secret_access_key", "s");
    for (key, host) in
        [("endpoint", "http://store.example:9000"), ("endpoint_url_s3", "http://10.0.0.1"), ("endpoint_url_sts", "http://sts.example")]
    {
        let role = |o: StorageOptions| if key == "endpoint_url_sts" { o.set("iam_role_arn", "arn:r") } else { o };
        let e = m.open(|o| role(keys(o)).set(key, host)).unwrap_err();
        assert!(e.code() == Code::STORE_CONFIG && e.message().contains("plain HTTP"), "{key}: {e}");
        assert!(m.open(|o| role(keys(o)).set(key, host).set("allow_http", "true")).is_ok(), "{key}");
    }
}
