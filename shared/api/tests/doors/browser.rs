//! What a page of another site can make a browser do.

use heal_api::doors::access::Access;

use crate::site::{LIMITS, Site, answer, http};

/// Nobody has to be known here: what is refused, is refused for where it comes from.
async fn trial() -> Site {
    Site::start(LIMITS, |access| *access = Access::default()).await
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let site = trial().await;
    let approve = site.url("/api/v1/runs/r/approve");
    let origin = ("origin", "https://evil.example.com");
    let cases = [
        // What a form sends, and what a script of the page sends without asking first.
        (
            http()
                .post(&approve)
                .header("content-type", "application/x-www-form-urlencoded")
                .header(origin.0, origin.1),
            403,
        ),
        (http().post(&approve).header("content-type", "text/plain").header("sec-fetch-site", "cross-site"), 403),
        (http().post(&approve).header("content-type", "application/json").header(origin.0, origin.1), 403),
        // An old browser that says nothing about itself.
        (http().post(&approve).header("content-type", "application/x-www-form-urlencoded"), 415),
        (http().post(&approve), 415),
        (http().post(&approve).header("content-type", "application/json"), 200),
    ];
    for (index, (request, expected)) in cases.into_iter().enumerate() {
        let (status, body) = answer(request).await;
        assert_eq!(status, expected, "{index}: {body}");
    }
    assert_eq!((site.refused("origin"), site.refused("content_type")), (3, 2));
}

#[tokio::test]
async fn a_rebinding_host_reads_nothing() {
    let site = trial().await;
    let (status, body) = answer(site.get("/api/v1/runs").header("host", "evil.example.com")).await;
    assert_eq!(status, 421, "{body}");
    assert!(body.contains("`hosts`") && !body.contains("admin"), "{body}");
    assert_eq!(site.refused("host"), 1);
    // A load balancer's probe.
    assert_eq!(answer(site.get("/health").header("host", "whatever")).await.0, 200);
    assert_eq!(answer(site.get("/api/v1/runs").header("host", "localhost")).await.0, 200);
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_to_refuse() {
    let site = trial().await;
    for request in [
        site.get("/api/v1/runs"),
        site.get("/nothing"),
        site.get("/login"),
        site.get("/api/v1/runs").header("host", "x"),
    ] {
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
    }
}
