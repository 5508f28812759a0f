//! The Security Token Service: roles for keys or for a token. Kind: edge. Spec: STO.

use super::credentials::usable;
use super::fresh::{Answer, time};
use crate::error::{Code, Error};
use crate::storage::failure::{element, redact};
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpConnector, HttpRequest, ReqwestConnector};
use std::time::Duration;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Sts {
    pub endpoint: String,
    pub region: String,
    pub allow_http: bool,
}

impl Sts {
    /// Signed with the base credential.
    pub async fn assume_role(&self, base: &AwsCredential, arn: &str, session: &str, external_id: Option<&str>, seconds: u32) -> Answer {
        let seconds = seconds.to_string();
        let mut pairs = vec![("Action", "AssumeRole"), ("RoleArn", arn), ("RoleSessionName", session), ("DurationSeconds", &seconds)];
        pairs.extend(external_id.map(|id| ("ExternalId", id)));
        self.ask(Some(base), arn, &pairs).await
    }
    /// The token says who asks; nothing is signed.
    pub async fn assume_role_with_token(&self, token: &str, arn: &str, session: &str) -> Answer {
        let action = ("Action", "AssumeRoleWithWebIdentity");
        let pairs = [action, ("RoleArn", arn), ("RoleSessionName", session), ("DurationSeconds", "3600"), ("WebIdentityToken", token)];
        self.ask(None, arn, &pairs).await
    }
    async fn ask(&self, signer: Option<&AwsCredential>, arn: &str, pairs: &[(&str, &str)]) -> Answer {
        let failed = |why: String| {
            Error::new(Code::STORE_CONFIG, format!("the role cannot be assumed: {why}")).with("role", arn).with("endpoint", &self.endpoint)
        };
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("Version", "2011-06-15").extend_pairs(pairs).finish();
        let mut request = HttpRequest::new(form.into());
        *request.method_mut() = "POST".parse().map_err(|_| failed("no method".to_owned()))?;
        *request.uri_mut() =
            format!("{}/", self.endpoint.trim_end_matches('/')).parse().map_err(|_| failed("the endpoint is no URL".to_owned()))?;
        let form_type = object_store::HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert("content-type", form_type);
        if let Some(keys) = signer {
            AwsAuthorizer::new(keys, "sts", &self.region).authorize(&mut request, None);
        }
        let options = ClientOptions::new().with_timeout(PATIENCE).with_allow_http(self.allow_http);
        let client = ReqwestConnector::default().connect(&options).map_err(|e| failed(e.to_string()))?;
        let response = client.execute(request).await.map_err(|e| failed(redact(&e.to_string()).into_owned()))?;
        let status = response.status();
        let body = response.into_body().bytes().await.map_err(|e| failed(redact(&e.to_string()).into_owned()))?;
        let text = String::from_utf8_lossy(&body);
        if !status.is_success() {
            return Err(failed(format!("{status}: {}", redact(&format!("<Error>{text}"))))
                .help("check the role's trust policy and who asks for it"));
        }
        let part = |tag: &str| element(&text, tag).map(str::to_owned).ok_or_else(|| failed(format!("the answer has no {tag}")));
        let keys = AwsCredential { key_id: part("AccessKeyId")?, secret_key: part("SecretAccessKey")?, token: Some(part("SessionToken")?) };
        let expires = time(&part("Expiration")?).ok_or_else(|| failed("the answer's Expiration is no time".to_owned()))?;
        Ok((usable(keys)?, Some(expires)))
    }
}
