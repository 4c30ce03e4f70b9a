//! Redirects, prefixes and dialects: what does not fit the settings is named with the variable to correct.

use std::time::Duration;

use heal_clients::config::Dialect;
use heal_clients::tickets::{Client, Filter, Metadata};
use heal_clients::{CallContext, Effect, Error, RefusalKind, Wiring};
use heal_sandbox::tickets::TicketsConfig;
use heal_sandbox::{Platform, PlatformConfig};
use serde_json::json;

use crate::support::ticket_config;
use crate::support::wire::{self, Wire};

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("k")
}

fn client(url: &str, dialect: Dialect) -> Client {
    let mut config = ticket_config(url);
    config.dialect = dialect;
    Client::new(&config, &Wiring::default()).unwrap()
}

fn like_deployed() -> Platform {
    Platform::start(PlatformConfig::like_deployed()).unwrap()
}

fn guide(prefix: &str) -> Platform {
    let tickets = TicketsConfig { prefix: prefix.to_owned(), ..TicketsConfig::default() };
    Platform::start(PlatformConfig { tickets, ..PlatformConfig::default() }).unwrap()
}

/// The variable to correct, and the whole error.
#[track_caller]
fn misconfigured<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, String) {
    match result.unwrap_err() {
        Error::Misconfigured(fault) => (fault.variable, fault.to_string()),
        other => panic!("{other:?}"),
    }
}

fn no_page() -> Filter {
    Filter { limit: Some(1), ..Filter::default() }
}

#[tokio::test]
async fn either_service_passes_with_the_settings_that_fit() {
    let (deployed, prefixed, plain) = (like_deployed(), guide("/ets"), guide(""));
    for (platform, dialect) in
        [(&deployed, Dialect::StatusPatch), (&prefixed, Dialect::Guide), (&plain, Dialect::Guide)]
    {
        let client = client(&platform.endpoints().tickets_url, dialect);
        client.health(&context()).await.unwrap();
        client.check_dialect(&context()).await.unwrap();
        assert_eq!(client.list_tickets(&no_page(), &context()).await.unwrap().tickets.len(), 1);
        assert!(platform.effects().is_empty());
    }
    let lists: Vec<String> = deployed.calls().into_iter().map(|call| call.path).collect();
    assert!(lists.contains(&"/api/v1/tickets/?limit=1".to_owned()), "asked with its slash: {lists:?}");
}

#[tokio::test]
async fn a_missing_prefix_is_named_with_the_url_that_works() {
    let platform = like_deployed();
    let url = platform.endpoints().tickets_url;
    let without = url.strip_suffix("/api/v1").unwrap();
    let client = client(without, Dialect::StatusPatch);
    client.health(&context()).await.unwrap();
    for (variable, text) in [
        misconfigured(client.get_ticket("ticket-1", &context()).await),
        misconfigured(client.get_ticket("no-such-ticket", &context()).await),
        misconfigured(client.list_tickets(&no_page(), &context()).await),
        misconfigured(client.reallocate_ticket("ticket-1", "r", &Metadata::new(), &context()).await),
        misconfigured(client.check_dialect(&context()).await),
    ] {
        assert_eq!(variable, "EXECUTION_TICKET_SERVICE_URL");
        assert!(text.ends_with(&format!("expected EXECUTION_TICKET_SERVICE_URL={url}")), "{text}");
    }
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn a_prefix_that_the_service_does_not_have_is_named_too() {
    let platform = guide("");
    let url = platform.endpoints().tickets_url;
    let too_long = client(&format!("{url}/api/v1"), Dialect::Guide);
    let (variable, text) = misconfigured(too_long.get_ticket("ticket-1", &context()).await);
    assert!(variable == "EXECUTION_TICKET_SERVICE_URL" && text.ends_with(&format!("={url}")), "{text}");
    let elsewhere = client(&format!("{url}/elsewhere"), Dialect::Guide);
    let (_, text) = misconfigured(elsewhere.check_dialect(&context()).await);
    assert!(text.contains("/elsewhere/tickets") && text.contains("such as /api/v1"), "{text}");
}

#[tokio::test]
async fn the_other_dialect_is_named_with_its_value_both_ways() {
    let (deployed, guide) = (like_deployed(), guide(""));
    for (platform, wrong, right) in
        [(&deployed, Dialect::Guide, "status_patch"), (&guide, Dialect::StatusPatch, "guide")]
    {
        let client = client(&platform.endpoints().tickets_url, wrong);
        let metadata = Metadata::new();
        let status = "failed".parse().unwrap();
        for (variable, text) in [
            misconfigured(client.reallocate_ticket("ticket-1", "r", &metadata, &context()).await),
            misconfigured(client.update_ticket_status("ticket-1", status, None, &metadata, &context()).await),
            misconfigured(client.check_dialect(&context()).await),
        ] {
            assert_eq!(variable, "EXECUTION_TICKET_SERVICE_API", "{text}");
            assert!(text.contains(&format!("EXECUTION_TICKET_SERVICE_API={right}")), "{text}");
        }
        assert!(platform.effects().is_empty());
        // A ticket that does not exist is still that, and no fault of the settings.
        let error = client.reallocate_ticket("ticket-9", "r", &metadata, &context()).await.unwrap_err();
        assert!(error.effect() == Effect::NotApplied && !matches!(error, Error::Misconfigured(_)), "{error}");
    }
}

#[tokio::test]
async fn a_ticket_that_does_not_exist_is_not_a_wrong_setting() {
    let platform = like_deployed();
    let client = client(&platform.endpoints().tickets_url, Dialect::StatusPatch);
    assert!(client.get_ticket("ticket-9", &context()).await.unwrap_err().is_not_found());
    let error = client.reallocate_ticket("ticket-9", "r", &Metadata::new(), &context()).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_page_of_a_proxy_is_not_an_answer_about_a_ticket() {
    let page = wire::reply(404, "content-type: text/html; charset=utf-8\r\n", "<h1>404</h1>");
    let wire = Wire::start([page]).await;
    let (variable, text) = misconfigured(client(&wire.url(), Dialect::Guide).get_ticket("t-1", &context()).await);
    assert!(variable == "EXECUTION_TICKET_SERVICE_URL" && text.contains("/tickets/t-1"), "{text}");
    assert_eq!(wire.seen().len(), 2, "one more try, under the usual prefix");
}

#[tokio::test]
async fn one_redirect_of_a_read_on_the_same_origin_is_followed() {
    let redirect = || wire::reply(307, "location: /tickets/?limit=1\r\n", "");
    let wire = Wire::start([redirect(), wire::json(200, &json!([]))]).await;
    let list = client(&wire.url(), Dialect::Guide).list_tickets(&no_page(), &context()).await.unwrap();
    assert!(list.tickets.is_empty());
    let targets: Vec<String> = wire.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/tickets?limit=1", "/tickets/?limit=1"]);

    let wire = Wire::start([redirect()]).await;
    let error = client(&wire.url(), Dialect::Guide).list_tickets(&no_page(), &context()).await.unwrap_err();
    assert!(error.to_string().contains("a second time"), "{error}");
    assert_eq!(wire.seen().len(), 2);
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_an_error_that_names_both() {
    let other = Wire::start([wire::json(200, &json!([]))]).await;
    let wire = Wire::start([wire::reply(307, &format!("location: {}/tickets/\r\n", other.url()), "")]).await;
    let error = client(&wire.url(), Dialect::Guide).list_tickets(&no_page(), &context()).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == RefusalKind::Redirect), "{error:?}");
    assert!(error.to_string().contains(&other.url()) && error.to_string().contains(&wire.url()), "{error}");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn health_is_asked_at_the_root_and_then_below_the_prefix() {
    let wire = Wire::start([wire::reply(404, "", ""), wire::reply(200, "", "")]).await;
    client(&format!("{}/api/v1", wire.url()), Dialect::Guide).health(&context()).await.unwrap();
    let targets: Vec<String> = wire.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/health", "/api/v1/health"]);
    let wire = Wire::start([wire::reply(404, "", "")]).await;
    client(&wire.url(), Dialect::Guide).health(&context()).await.unwrap_err();
    assert_eq!(wire.seen().len(), 1, "without a prefix there is one place");
}
