//! Signs requests without a body (AWS signature version 4).

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SignatureLocation, SigningSettings};
use aws_sigv4::sign::v4;

use crate::error::Error;
use crate::text::chain;

/// What a signature covers besides the request: credentials, region, service and time.
pub(crate) struct Scope<'a> {
    pub credentials: Credentials,
    pub region: &'a str,
    pub service: &'static str,
    pub at: SystemTime,
}

/// Signs in headers.
pub(crate) fn headers(request: &mut http::Request<()>, scope: Scope<'_>) -> Result<(), Error> {
    sign(request, scope, SigningSettings::default())
}

/// Signs in the query. For `life`, anyone with the URL can make the request with the signer's rights.
pub(crate) fn query(request: &mut http::Request<()>, scope: Scope<'_>, life: Duration) -> Result<(), Error> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(life);
    sign(request, scope, settings)
}

fn sign(request: &mut http::Request<()>, scope: Scope<'_>, settings: SigningSettings) -> Result<(), Error> {
    let unusable = |problem: String| Error::Unusable { what: "signature".to_owned(), problem };
    let identity = scope.credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(scope.at)
        .settings(settings)
        .build()
        .map_err(|error| unusable(chain(&error)))?
        .into();
    let headers: Vec<(&str, &str)> =
        request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let uri = Cow::Owned(request.uri().to_string());
    let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), SignableBody::empty())
        .map_err(|error| unusable(chain(&error)))?;
    let signed = http_request::sign(signable, &params).map_err(|error| unusable(chain(&error)))?;
    signed.into_parts().0.apply_to_request_http1x(request);
    Ok(())
}
