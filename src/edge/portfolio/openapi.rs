//! `/openapi.json`: every call and every word of `/v1`, generated from the code that answers. `/docs`: a page to try them.

mod flat;
mod shared;

use actix_web::{HttpResponse, http::header, web};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use self::flat::Flat;
pub(super) use self::shared::{Again, Had, Refused, Unchanged};
use super::{
    alerts, calls, dashboard, forecasts, holdings, portfolios, problem::Written, strategies,
    tokens, transactions,
};

/// How long anybody may keep the document: it changes with the version of the node only.
const KEPT: &str = "public, max-age=300";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fanfare: portfolios",
        description = "Portfolios, holdings, exit strategies and forecasts of the user of the token. Decimals are strings, \
                       lists turn pages by cursor, refusals are application/problem+json with a stable code."
    ),
    paths(
        dashboard::dashboard,
        portfolios::all, portfolios::create, portfolios::one, portfolios::change, portfolios::delete,
        holdings::of_portfolio, holdings::of_all,
        transactions::all, transactions::add, transactions::import, transactions::change, transactions::delete,
        strategies::all, strategies::create, strategies::one, strategies::change, strategies::delete,
        alerts::armed, alerts::arm, alerts::fired,
        forecasts::all, forecasts::create, forecasts::one, forecasts::change, forecasts::delete,
        tokens::search, tokens::prices,
    ),
    components(schemas(Written)),
    modifiers(&Bearer, &Flat),
    security(("bearer" = [])),
)]
pub(super) struct Document;

/// The page runs its own script and speaks to this node alone: it holds a token.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      frame-ancestors 'none'";

/// Needs nothing but the document: it is one file, and asks nobody else.
const PAGE: &str = include_str!("docs.html");

/// The token that opens a person's sockets.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    let document = web::Bytes::from(Document::openapi().to_json().unwrap_or_default());
    let answer = move || {
        let document = document.clone();
        async move {
            HttpResponse::Ok()
                .content_type("application/json")
                .insert_header((header::CACHE_CONTROL, KEPT))
                .body(document)
        }
    };
    app.service(calls::resource("/openapi.json", "GET, HEAD").route(calls::get().to(answer)))
        .service(calls::resource("/docs", "GET, HEAD").route(calls::get().to(page)));
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, KEPT))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .body(PAGE)
}
