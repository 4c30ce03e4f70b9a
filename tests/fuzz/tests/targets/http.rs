//! Requests to the HTTP API: none is an error of the server's own, whatever its method, path, query, header fields and body.

mod home;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{Method, Request, StatusCode, Uri};
use heal_api::doors::Peer;
use heal_api::{Caller, Role};
use heal_fuzz::fuzz;
use tower::ServiceExt as _;

use home::{Home, RUN};

/// Requests that one home gets before the next one starts empty.
const REQUESTS: usize = 64;
/// Frames of a response that are read: a stream of news has no end.
const FRAMES: usize = 64;
/// Longest wait for a frame, in time that stands still unless nothing else is to be done.
const FRAME_TIMEOUT: Duration = Duration::from_mins(1);

#[test]
fn no_request_is_an_error_of_the_server() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let homes = RefCell::new((None::<Home>, 0_usize));
    let statuses = RefCell::new(BTreeMap::<u16, u64>::new());
    fuzz("http", &["tests/fuzz/corpus/http"], |input| {
        let mut homes = homes.borrow_mut();
        let (home, served) = &mut *homes;
        if *served % REQUESTS == 0 {
            *home = Some(runtime.block_on(Home::start()));
        }
        *served += 1;
        let home = home.as_ref().unwrap();
        // Who calls, and whether through the doors, follows from the input too.
        let chance = input.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        let Some(mut request) = parse(&home.with_ids(input)) else { return };
        let what = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let router = if chance.is_multiple_of(4) {
            request.extensions_mut().insert(Peer(std::net::Ipv4Addr::LOCALHOST.into()));
            &home.guarded
        } else {
            if let Some(role) = Role::ALL.into_iter().rev().nth(chance / 4 % 5) {
                request.extensions_mut().insert(Caller { identity: "token:fuzz".to_owned(), role });
            }
            &home.open
        };
        let (status, body) = runtime.block_on(answer(router.clone(), request));
        assert!(!status.is_server_error(), "{what}: {status}: {body}");
        *statuses.borrow_mut().entry(status.as_u16()).or_default() += 1;
    });
    let statuses = statuses.into_inner();
    println!("http: answers by status: {statuses:?}");
    // Fewer would mean that hardly a request comes past the routes.
    for status in [200, 202, 401, 404, 415, 422] {
        assert!(statuses.contains_key(&status), "no answer {status}: {statuses:?}");
    }
}

/// The request in a text in the form of HTTP/1.1; `None` if a server would not pass it on.
fn parse(input: &[u8]) -> Option<Request<Body>> {
    let end = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
    let (method, target) = (Method::from_bytes(first.next()?).ok()?, first.next()?);
    let uri = Uri::try_from(target).ok().filter(|uri| uri.path().starts_with('/'))?;
    let mut request = Request::new(Body::from(body.to_vec()));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(HeaderName::from_bytes(&line[..colon]).ok()?, value);
    }
    Some(request)
}

/// Status and body of the answer.
async fn answer(router: axum::Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let mut body = response.into_body();
    let mut text = Vec::new();
    for _ in 0..FRAMES {
        let frame = std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context));
        let Ok(Some(frame)) = tokio::time::timeout(FRAME_TIMEOUT, frame).await else { break };
        text.extend(frame.expect("a response has no fault").into_data().unwrap_or_default());
    }
    (status, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_request_of_the_corpus_is_read_whole() {
    let text = format!("POST /api/v1/runs/{RUN}/hold HTTP/1.1\ncontent-type: application/json\n\n{{}}");
    let request = parse(text.replace(" HTTP/1.1", "").as_bytes()).unwrap();
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/api/v1/runs/RUN-ID/hold"));
    assert_eq!(request.headers()["content-type"], "application/json");
}
