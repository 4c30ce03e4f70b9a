//! The services' endpoints: configured, or AWS's own.

use aws_types::service_config::ServiceConfigKey;
use url::Url;

use super::Session;
use crate::error::Error;
use crate::variables;
pub(super) use crate::variables::{ENDPOINT_URL as ENV_URL, REGION as ENV_REGION};

/// An AWS service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    DynamoDb,
    Eks,
    SecretsManager,
    Sns,
    Sqs,
    Sts,
}

impl Service {
    /// The service id of its API model, which settings refer to.
    fn id(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::Eks => "EKS",
            Self::SecretsManager => "Secrets Manager",
            Self::Sns => "SNS",
            Self::Sqs => "SQS",
            Self::Sts => "STS",
        }
    }

    /// The first label of its host, and its name in signatures.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Eks => "eks",
            Self::SecretsManager => "secretsmanager",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
        }
    }

    /// The variable that errors about its endpoint name.
    fn variable(self) -> &'static str {
        match self {
            Self::DynamoDb => variables::ENDPOINT_URL_DYNAMODB,
            Self::Eks => variables::ENDPOINT_URL_EKS,
            Self::SecretsManager => variables::ENDPOINT_URL_SECRETS_MANAGER,
            Self::Sns => variables::ENDPOINT_URL_SNS,
            Self::Sqs => variables::ENDPOINT_URL_SQS,
            Self::Sts => variables::ENDPOINT_URL_STS,
        }
    }
}

impl Session {
    /// The configured endpoint of `service`: `AWS_ENDPOINT_URL_<SERVICE>`, else `AWS_ENDPOINT_URL`, else the profile's.
    ///
    /// # Errors
    /// [`Error::Invalid`]: not a URL. The SDK by itself would ignore it and call AWS.
    pub(crate) fn endpoint_override(&self, service: Service) -> Result<Option<Url>, Error> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(Some(endpoint.clone()));
        }
        let key =
            ServiceConfigKey::builder().service_id(service.id()).env(ENV_URL).profile("endpoint_url").build().ok();
        let named = self.sdk.service_config().zip(key).and_then(|(settings, key)| settings.load_config(key));
        named.filter(|url| !url.is_empty()).map(|url| parse(service.variable(), &url)).transpose()
    }

    /// The endpoint of `service` in this region, for a service that is called without an SDK client.
    ///
    /// # Errors
    /// [`Error::Invalid`]: as [`Session::endpoint_override`], or the settings ask for a FIPS or dual-stack endpoint.
    pub(crate) fn endpoint(&self, service: Service) -> Result<Url, Error> {
        if let Some(endpoint) = self.endpoint_override(service)? {
            return Ok(endpoint);
        }
        for (asked, field) in [
            (self.sdk.use_fips(), variables::USE_FIPS_ENDPOINT),
            (self.sdk.use_dual_stack(), variables::USE_DUALSTACK_ENDPOINT),
        ] {
            if asked == Some(true) {
                let problem =
                    format!("is set, which is not supported here; set the endpoint in {}", service.variable());
                return Err(Error::Invalid { field, problem });
            }
        }
        let (prefix, region) = (service.prefix(), self.region());
        parse(ENV_REGION, &format!("https://{prefix}.{region}.{}", dns_suffix(region)))
    }
}

/// Parses an endpoint; `field` is the setting that it comes from.
pub(crate) fn parse(field: &'static str, text: &str) -> Result<Url, Error> {
    let invalid =
        |why: &str| Error::Invalid { field, problem: format!("{text:?} is not an http:// or https:// URL ({why})") };
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it has another scheme"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Invalid { field, problem: "the URL contains credentials".to_owned() });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it has a query or a fragment"));
    }
    Ok(url)
}

/// Characters of a region's name: the limit of a host name's label.
const MAX_REGION_CHARS: usize = 63;

/// Checks the region, which becomes part of host names.
pub(super) fn region(found: Option<&str>) -> Result<String, Error> {
    let invalid = |problem: String| Error::Invalid { field: ENV_REGION, problem };
    let region = found.ok_or_else(|| invalid("is not set, and no profile names a region".to_owned()))?;
    let is_label = !region.is_empty()
        && region.len() <= MAX_REGION_CHARS
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    if is_label {
        Ok(region.to_owned())
    } else {
        Err(invalid(format!("{region:?} is not a region such as eu-central-1")))
    }
}

/// The domain of the region's partition (`partitions.json` of the AWS SDKs).
fn dns_suffix(region: &str) -> &'static str {
    const SUFFIXES: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("eusc-", "amazonaws.eu"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("us-isof-", "csp.hci.ic.gov"),
    ];
    SUFFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("amazonaws.com", |(_, suffix)| *suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_its_own_domain() {
        for (region, suffix) in [
            ("us-east-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
        ] {
            assert_eq!(dns_suffix(region), suffix, "{region}");
        }
    }

    #[test]
    fn a_region_that_would_change_the_host_is_refused() {
        assert_eq!(region(Some("eu-central-1")).unwrap(), "eu-central-1");
        for wrong in ["", "eu-central-1.evil.example/", "EU", "-eu", "eu-", "a b", &"x".repeat(MAX_REGION_CHARS + 1)] {
            assert!(region(Some(wrong)).unwrap_err().to_string().starts_with("AWS_REGION: "), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_a_bare_url() {
        assert_eq!(parse(ENV_URL, "http://127.0.0.1:4566").unwrap().as_str(), "http://127.0.0.1:4566/");
        for wrong in ["localhost:4566", "ftp://a", "nothing", "http://a?b=c", "http://a#b"] {
            let error = parse("AWS_ENDPOINT_URL_EKS", wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("AWS_ENDPOINT_URL_EKS: {wrong:?} is not ")), "{error}");
        }
        let error = parse(ENV_URL, "http://me:hunter2@a").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
