//! The page for a browser: its files are in this program.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, media type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("../page/index.html")),
    ("/page/api.html", HTML, include_str!("../page/api.html")),
    ("/page/style.css", CSS, include_str!("../page/style.css")),
    ("/page/icon.svg", SVG, include_str!("../page/icon.svg")),
    ("/page/api.js", JS, include_str!("../page/api.js")),
    ("/page/api-page.js", JS, include_str!("../page/api-page.js")),
    ("/page/dialogs.js", JS, include_str!("../page/dialogs.js")),
    ("/page/dom.js", JS, include_str!("../page/dom.js")),
    ("/page/live.js", JS, include_str!("../page/live.js")),
    ("/page/main.js", JS, include_str!("../page/main.js")),
    ("/page/view-catalog.js", JS, include_str!("../page/view-catalog.js")),
    ("/page/view-cluster.js", JS, include_str!("../page/view-cluster.js")),
    ("/page/view-clusters.js", JS, include_str!("../page/view-clusters.js")),
    ("/page/view-create.js", JS, include_str!("../page/view-create.js")),
    ("/page/view-lists.js", JS, include_str!("../page/view-lists.js")),
    ("/page/view-log.js", JS, include_str!("../page/view-log.js")),
    ("/page/view-service.js", JS, include_str!("../page/view-service.js")),
];

/// The routes of the page. Its files hold no secret, so they need no caller.
pub fn routes() -> Router<App> {
    FILES.iter().fold(Router::new(), |router, (path, media, content)| {
        router.route(path, get(async move || file(media, content)))
    })
}

fn file(media: &'static str, content: &'static str) -> Response {
    // Asked for again each time, so that a new bridge is a new page.
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_served() {
        let paths: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        for (path, _, content) in FILES {
            let marks = ["from \"./", "import \"./", "src=\"/page/", "href=\"/page/"];
            for mark in marks {
                for rest in content.split(mark).skip(1) {
                    let named = format!("/page/{}", rest.split('"').next().unwrap());
                    assert!(paths.contains(&named.as_str()), "{path} names {named}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_inline_so_the_strict_policy_holds() {
        for (path, media, content) in FILES {
            if *media == HTML {
                assert!(!content.contains("style=") && !content.contains("<style"), "{path}");
                assert!(content.split("<script").skip(1).all(|script| script.contains("src=")), "{path}");
            }
            assert!(!content.contains("innerHTML") && !content.contains("localStorage"), "{path}");
        }
    }
}
