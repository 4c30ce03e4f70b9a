//! The files that every page needs, from the binary: no other host is asked.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A day; a new build has new addresses, see [`VERSION`].
const CACHED: &str = "public, max-age=86400, immutable";

/// What the addresses of the files end with.
pub(super) const VERSION: &str = concat!("?v=", env!("CARGO_PKG_VERSION"), "-1");

/// Name, media type and content of each.
const FILES: [(&str, &str, &str); 4] = [
    ("heal.css", "text/css; charset=utf-8", include_str!("../../assets/heal.css")),
    ("heal.js", "text/javascript; charset=utf-8", include_str!("../../assets/heal.js")),
    ("htmx.min.js", "text/javascript; charset=utf-8", include_str!("../../assets/htmx.min.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

pub(super) async fn file(Path(name): Path<String>) -> Response {
    let Some((_, media_type, content)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([(header::CONTENT_TYPE, *media_type), (header::CACHE_CONTROL, CACHED)], *content).into_response()
}
