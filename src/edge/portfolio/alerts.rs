//! `/v1/strategies/{id}/alerts`: what is armed. `/v1/alerts`: what fired.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Desk, answer,
    body::{Body, id, json},
    calls::{Nothing, get, resource},
    openapi::{Had, Refused, Unchanged},
    person::Person,
    problem::Problem,
    turning::{Turn, Turned, one_more, turned},
};
use crate::domain::{
    portfolio::{
        Object,
        alert::{Alert, StepAlerts},
        id::{AlertId, StrategyId},
    },
    store::Arm,
};

const LIST: &str = "alerts";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/v1/strategies/{id}/alerts", "GET, HEAD, PUT")
            .route(get().to(armed))
            .route(web::put().to(arm)),
    )
    .service(resource("/v1/alerts", "GET, HEAD").route(get().to(fired)));
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ArmedSteps)]
struct Steps {
    steps: Vec<StepAlerts>,
}

/// What is to be armed; steps that are not named stay as they are.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Arms {
    #[schema(value_type = Vec<Arm>)]
    steps: Vec<Object<Arm>>,
}

/// What is armed of a strategy.
#[utoipa::path(
    get,
    path = "/v1/strategies/{id}/alerts",
    operation_id = "alerts_armed",
    tag = "alerts",
    params(("id" = StrategyId, Path), Had),
    responses(
        (status = 200, description = "Its steps, each with what is armed.", body = Steps, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn armed(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let stored = desk.store.armed(&person.0, id::<StrategyId>(&path, "strategy")?).await?;
    answer::read(&desk, &person, &request, stored.map(|steps| Steps { steps }))
}

/// Arms steps anew.
#[utoipa::path(
    put,
    path = "/v1/strategies/{id}/alerts",
    operation_id = "alerts_arm",
    tag = "alerts",
    params(("id" = StrategyId, Path)),
    request_body = Arms,
    responses(
        (status = 200, description = "Its steps, each with what is armed now.", body = Steps),
        Refused,
    )
)]
pub(super) async fn arm(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, Arms { steps }) = (id(&path, "strategy")?, json(&body.bytes)?);
    let steps = steps.into_iter().map(|step| step.0).collect();
    let steps = desk.store.arm(&person.0, id, steps).await?.value;
    Ok(answer::ok().json(Steps { steps }))
}

/// What fired, the latest first.
#[utoipa::path(
    get,
    path = "/v1/alerts",
    operation_id = "alerts_fired",
    tag = "alerts",
    params(Turn, Had),
    responses(
        (status = 200, description = "A page of them, the latest first.", body = Turned<Alert>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn fired(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<AlertId>(LIST)?;
    let stored = desk.store.alerts(&person.0, one_more(&page)).await?;
    let (key, generation) = (|alert: &Alert| alert.id, stored.generation);
    let turned = stored.map(|items| turned(LIST, items, page.limit, generation, key));
    answer::read(&desk, &person, &request, turned)
}
