//! `/v1/strategies/{id}/alerts`: what is armed. `/v1/alerts`: what fired.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Desk,
    body::{Body, id, json},
    person::Person,
    problem::Problem,
    turning::{Turn, one_more, turned},
};
use crate::domain::{
    portfolio::{
        alert::{Alert, Armed},
        id::AlertId,
    },
    store::Arm,
};

const LIST: &str = "alerts";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        web::resource("/v1/strategies/{id}/alerts")
            .route(web::get().to(armed))
            .route(web::put().to(arm)),
    )
    .service(web::resource("/v1/alerts").route(web::get().to(fired)));
}

#[derive(Serialize)]
struct Steps {
    steps: Vec<Armed>,
}

async fn armed(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let steps = desk.store.armed(&person.0, id(&path, "strategy")?).await?.value;
    Ok(HttpResponse::Ok().json(Steps { steps }))
}

async fn arm(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arms {
        steps: Vec<Arm>,
    }
    let (id, Arms { steps }) = (id(&path, "strategy")?, json(&body.bytes)?);
    let steps = desk.store.arm(&person.0, id, steps).await?.value;
    Ok(HttpResponse::Ok().json(Steps { steps }))
}

async fn fired(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<AlertId>(LIST)?;
    let stored = desk.store.alerts(&person.0, one_more(&page)).await?;
    let key = |alert: &Alert| alert.id;
    Ok(HttpResponse::Ok().json(turned(LIST, stored.value, page.limit, stored.generation, key)))
}
