//! Names of AWS's own environment variables, as far as this repository reads them (AWS SDKs and Tools Reference Guide).

/// Region of all services.
pub const REGION: &str = "AWS_REGION";
/// Region if `AWS_REGION` is unset.
pub const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
/// Profile of the configuration files.
pub const PROFILE: &str = "AWS_PROFILE";
/// Credentials: id of the access key.
pub const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// Credentials: the secret access key.
pub const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// Credentials: the session token of temporary ones.
pub const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// Endpoint of all services.
pub const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// Endpoint of DynamoDB.
pub const ENDPOINT_URL_DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// Endpoint of EKS.
pub const ENDPOINT_URL_EKS: &str = "AWS_ENDPOINT_URL_EKS";
/// Endpoint of Secrets Manager.
pub const ENDPOINT_URL_SECRETS_MANAGER: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
/// Endpoint of SNS.
pub const ENDPOINT_URL_SNS: &str = "AWS_ENDPOINT_URL_SNS";
/// Endpoint of SQS.
pub const ENDPOINT_URL_SQS: &str = "AWS_ENDPOINT_URL_SQS";
/// Endpoint of STS.
pub const ENDPOINT_URL_STS: &str = "AWS_ENDPOINT_URL_STS";
/// Whether FIPS endpoints are used.
pub const USE_FIPS_ENDPOINT: &str = "AWS_USE_FIPS_ENDPOINT";
/// Whether dual-stack endpoints are used.
pub const USE_DUALSTACK_ENDPOINT: &str = "AWS_USE_DUALSTACK_ENDPOINT";
/// The platform's own interface, set in every Lambda function (AWS Lambda, "Using the Lambda runtime API").
pub const LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
