//! The operator port, a server of its own: is it alive, is it ready, what does it count, what is it.
//!
//! It goes on answering while the public port drains. Bind it where strangers can't reach it.

use std::{io, net::TcpListener, sync::Arc};

use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};
use serde::Serialize;

use crate::platform::metrics::Metrics;

/// Whether clients should be sent here, and if not, why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Readiness {
    pub ready: bool,
    /// What is wrong, each in words of its own; may name what is degraded though the node is ready.
    pub reasons: Vec<String>,
}

/// What the operator port tells.
#[derive(Clone)]
pub struct Told {
    pub metrics: Arc<Metrics>,
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// Serves the operator port. Call it inside an actix system; the server runs while the answer is awaited.
pub fn run(listener: TcpListener, told: Told) -> io::Result<Server> {
    let server = HttpServer::new(move || App::new().configure(routes(told.clone())))
        .workers(1)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// Every route of the operator port.
fn routes(told: Told) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.app_data(web::Data::new(told))
            .route("/live", web::get().to(live))
            .route("/ready", web::get().to(ready))
            .route("/metrics", web::get().to(metrics))
            .route("/version", web::get().to(version));
        #[cfg(feature = "failpoints")]
        app.route("/failpoints", web::get().to(failpoints))
            .route("/failpoints", web::post().to(arm));
    }
}

/// The process turns; says nothing of its stores.
async fn live() -> &'static str {
    "alive\n"
}

async fn ready(told: web::Data<Told>) -> HttpResponse {
    let readiness = (told.readiness)();
    match readiness.ready {
        true => HttpResponse::Ok().json(readiness),
        false => HttpResponse::ServiceUnavailable().json(readiness),
    }
}

async fn metrics(told: web::Data<Told>) -> HttpResponse {
    match told.metrics.text() {
        Ok(text) => {
            HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
        }
        Err(e) => {
            log::error!("the metrics can't be written down: {e}");
            HttpResponse::InternalServerError()
                .body("the metrics can't be written down, see the log\n")
        }
    }
}

async fn version() -> HttpResponse {
    #[derive(Serialize)]
    struct Version {
        name: &'static str,
        version: &'static str,
        failpoints: bool,
    }
    HttpResponse::Ok().json(Version {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        failpoints: cfg!(feature = "failpoints"),
    })
}

/// How often each point was hit.
#[cfg(feature = "failpoints")]
async fn failpoints() -> HttpResponse {
    HttpResponse::Ok().json(crate::platform::failpoint::hits())
}

/// Arms the points that the body names, in the words of the variable.
#[cfg(feature = "failpoints")]
async fn arm(plan: String) -> HttpResponse {
    match crate::platform::failpoint::arm(&plan) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(expected) => HttpResponse::BadRequest().body(format!("{expected}\n")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test};

    use super::*;
    use crate::platform::metrics::Labels;

    async fn answer(readiness: Readiness, path: &str) -> (StatusCode, String) {
        let metrics = Metrics::new(&Labels::default()).unwrap();
        metrics.connections.set(5);
        let told = Told { metrics: metrics.into(), readiness: Arc::new(move || readiness.clone()) };
        let app = test::init_service(App::new().configure(routes(told))).await;
        let answer =
            test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
        let status = answer.status();
        (status, String::from_utf8(test::read_body(answer).await.to_vec()).unwrap())
    }

    fn green() -> Readiness {
        Readiness { ready: true, reasons: vec![] }
    }

    #[actix_web::test]
    async fn a_node_that_is_not_ready_says_why_and_still_lives() {
        let red = Readiness { ready: false, reasons: vec!["the journal refuses commits".into()] };
        let (status, body) = answer(red.clone(), "/ready").await;
        assert_eq!(status, 503);
        assert_eq!(body, r#"{"ready":false,"reasons":["the journal refuses commits"]}"#);
        assert_eq!(answer(red, "/live").await.0, 200);
        assert_eq!(answer(green(), "/ready").await.0, 200);
    }

    #[actix_web::test]
    async fn metrics_and_version_are_told() {
        assert!(answer(green(), "/metrics").await.1.contains("fanfare_connections 5"));
        assert!(answer(green(), "/version").await.1.contains(env!("CARGO_PKG_VERSION")));
        assert_eq!(answer(green(), "/other").await.0, 404);
    }

    #[cfg(feature = "failpoints")]
    #[actix_web::test]
    async fn a_test_arms_failpoints_and_sees_that_they_were_hit() {
        let metrics = Metrics::new(&Labels::default()).unwrap();
        let told = Told { metrics: metrics.into(), readiness: Arc::new(green) };
        let app = test::init_service(App::new().configure(routes(told))).await;
        let arm =
            |plan: &'static str| test::TestRequest::post().uri("/failpoints").set_payload(plan);
        let answer = test::call_service(&app, arm("test.ops=error*1").to_request()).await;
        assert_eq!(answer.status(), 204);
        let failing = || {
            crate::fail_point!("test.ops", true);
            false
        };
        assert_eq!([failing(), failing()], [true, false]);
        let answer =
            test::call_service(&app, test::TestRequest::get().uri("/failpoints").to_request())
                .await;
        let hits = String::from_utf8(test::read_body(answer).await.to_vec()).unwrap();
        assert!(hits.contains(r#""test.ops":1"#), "{hits}");
        let answer = test::call_service(&app, arm("test.ops=nonsense").to_request()).await;
        assert_eq!(answer.status(), 400);
    }
}
