//! People sign in with a browser, by an API token or at the issuer.

use heal_api::Role;
use url::Url;

use crate::issuer::Issuer;
use crate::site::{LIMITS, Site, answer, http};

const RUNS: &str = "/api/v1/runs";

/// `name=value` of the cookie that an answer sets, and its attributes.
fn cookie(response: &reqwest::Response, name: &str) -> (String, String) {
    let mut set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let line = set.rfind(|line| line.starts_with(&format!("{name}="))).expect(name);
    let (pair, attributes) = line.split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

#[tokio::test]
async fn a_token_begins_a_session_that_ends_with_it() {
    let site = Site::start(LIMITS, |_| {}).await;
    let token = site.token("anna", Role::Approver, None);
    // A person's browser is led to the page; a program is told.
    let page = site.get(RUNS).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["location"].to_str().unwrap()),
        (303, "/login?next=%2Fapi%2Fv1%2Fruns")
    );
    assert!(answer(site.get("/login")).await.1.contains("API token"));
    let form = |token: &str| http().post(site.url("/login/token")).body(format!("token={token}"));
    assert_eq!(answer(form("heal_wrong")).await.0, 401);
    assert_eq!(answer(form(&token).header("origin", "https://evil.example.com")).await.0, 403);
    let response = form(&token).header("origin", site.url("")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().unwrap()), (303, "/"));
    let (session, attributes) = cookie(&response, "heal_session");
    assert_eq!(attributes, "Path=/; Max-Age=28800; HttpOnly; SameSite=Strict");
    let with = |session: &str| site.get(RUNS).header("cookie", format!("other=1; {session}"));
    assert_eq!(answer(with(&session)).await, (200, "token:anna approver".to_owned()));
    assert_eq!(answer(with(&format!("{session}A"))).await.0, 401);
    let response = http().post(site.url("/logout")).header("cookie", &session).send().await.unwrap();
    assert!(cookie(&response, "heal_session").1.contains("Max-Age=0"));
    site.revoke("anna");
    assert_eq!(answer(with(&session)).await.0, 401);
}

#[tokio::test]
async fn a_person_goes_on_where_the_link_led_and_never_to_another_site() {
    let site = Site::start(LIMITS, |_| {}).await;
    let token = site.token("anna", Role::Approver, None);
    let wanted = "/api/v1/runs?token=a.b";
    // A chat's page led here, so that a strict cookie would be missing even of a person who has signed in.
    let page = || site.get(wanted).header("accept", "text/html");
    let (status, body) = answer(page().header("sec-fetch-site", "cross-site")).await;
    assert_eq!(status, 200);
    assert!(body.contains("content=\"0; url=/api/v1/runs?token=a.b\"") && !body.contains("viewer"), "{body}");
    let again = page().header("sec-fetch-site", "same-origin").send().await.unwrap();
    let login = again.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!((again.status().as_u16(), login.as_str()), (303, "/login?next=%2Fapi%2Fv1%2Fruns%3Ftoken%3Da%2Eb"));
    assert!(answer(site.get(&login)).await.1.contains("name=\"next\" value=\"/api/v1/runs?token=a.b\""));
    for (next, expected) in [(wanted, wanted), ("//evil.example.com", "/"), ("https://evil.example.com", "/")] {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("next", next), ("token", token.as_str())])
            .finish();
        let signed_in = http().post(site.url("/login/token")).body(body).send().await.unwrap();
        let location = signed_in.headers()["location"].to_str().unwrap();
        assert_eq!((signed_in.status().as_u16(), location), (303, expected), "{next}");
    }
}

#[tokio::test]
async fn a_session_has_an_end() {
    let issuer = Issuer::start().await;
    let site = signed_in_site(&issuer).await;
    let (session, _) = sign_in(&site).await;
    let read = || site.get(RUNS).header("cookie", &session);
    assert_eq!(answer(read()).await, (200, "oidc:anna approver".to_owned()));
    site.clock.advance_ms(8 * 3_600_000 - 1);
    assert_eq!(answer(read()).await.0, 200);
    site.clock.advance_ms(1);
    assert_eq!(answer(read()).await.0, 401);
}

#[tokio::test]
async fn an_answer_of_the_issuer_that_nobody_began_is_refused() {
    let issuer = Issuer::start().await;
    let site = signed_in_site(&issuer).await;
    assert_eq!(answer(site.get("/login/callback?code=c-1&state=x")).await.0, 401);
    // Somebody else's code and state in a browser with a sign-in of its own.
    let begun = site.get("/login/oidc").send().await.unwrap();
    let (sign_in, attributes) = cookie(&begun, "heal_sign_in");
    assert!(attributes.contains("HttpOnly") && attributes.contains("Secure"), "{attributes}");
    let callback = site.get("/login/callback?code=c-1&state=theirs").header("cookie", &sign_in);
    let (status, body) = answer(callback).await;
    assert_eq!(status, 401);
    assert!(body.contains("not for the sign-in that began in this browser"), "{body}");
    assert_eq!(site.refused("credentials"), 2);
}

/// People reach it by HTTPS, through a proxy.
async fn signed_in_site(issuer: &Issuer) -> Site {
    Site::start(LIMITS, |access| {
        access.oidc = Some(issuer.oidc());
        access.public_url = Some(Url::parse("https://heal.example.com").unwrap());
    })
    .await
}

/// A browser's way to the issuer and back; the session and its attributes.
async fn sign_in(site: &Site) -> (String, String) {
    let begun = site.get("/login/oidc?next=%2Fruns%2Frun-1").send().await.unwrap();
    let (sign_in, _) = cookie(&begun, "heal_sign_in");
    let issuer = begun.headers()["location"].to_str().unwrap();
    assert!(issuer.contains("code_challenge_method=S256"), "{issuer}");
    let back = http().get(issuer).send().await.unwrap();
    let back = Url::parse(back.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(back.host_str(), Some("heal.example.com"));
    let path = format!("{}?{}", back.path(), back.query().unwrap());
    let ended = site.get(&path).header("cookie", sign_in).send().await.unwrap();
    assert_eq!(ended.status().as_u16(), 200);
    let (session, attributes) = cookie(&ended, "heal_session");
    assert_eq!(attributes, "Path=/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure");
    let page = ended.text().await.unwrap();
    assert!(page.contains("content=\"0; url=/runs/run-1\""), "{page}");
    (session, attributes)
}
