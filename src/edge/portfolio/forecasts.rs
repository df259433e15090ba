//! `/v1/forecasts`: what strategies would bring, computed here and never taken from outside.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{
    Desk,
    again::Kept,
    answer::{self, Sheet, Subject},
    body::{Body, id, json},
    calls::{Nothing, get, resource},
    openapi::{Again, Had, Refused, Unchanged},
    person::Person,
    problem::Problem,
    turning::{Turn, Turned, among, one_more, turned},
};
use crate::domain::{
    moment::Moment,
    portfolio::{
        Refusal,
        forecast::{Forecast, Line, NewForecast, Summary, forecast},
        id::ForecastId,
        token::PriceBoard,
    },
    reading::Which,
    store::{Basis, MOST_LISTED, Stored},
};

const LIST: &str = "forecasts";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/v1/forecasts", "GET, HEAD, POST")
            .route(get().to(all))
            .route(web::post().to(create)),
    )
    .service(
        resource("/v1/forecasts/{id}", "GET, HEAD, PUT, DELETE")
            .route(get().to(one))
            .route(web::put().to(change))
            .route(web::delete().to(delete)),
    );
}

/// A forecast at the last known prices, a line for each holding.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ForecastView)]
struct Shown {
    #[serde(flatten)]
    forecast: Forecast,
    lines: Vec<Line>,
}

/// Computes a forecast at the prices of a board.
fn computed(of: Basis, board: &PriceBoard, now: Moment) -> Result<(Shown, Summary), Refusal> {
    let Basis { forecast: it, holdings, plans } = of;
    let (lines, summary) =
        forecast(&holdings, &plans, &board.prices).map_err(Refusal::no_decimal("the forecast"))?;
    let it = Forecast { summary: Some(summary), computed_at: Some(now), stale: false, ..it };
    Ok((Shown { forecast: it, lines }, summary))
}

/// Computes a forecast; the list shows what was computed last, so that is kept if it had none that holds.
async fn shown(person: &Person, id: ForecastId, desk: &Desk) -> Result<Shown, Problem> {
    let Stored { generation, value } = desk.store.forecast(&person.0, id).await?;
    let (stale, board, now) = (value.forecast.stale, (desk.prices)(), Moment::now());
    let (shown, summary) = computed(value, &board, now)?;
    if stale {
        let from = Stored { generation, value: id };
        let kept = desk.store.keep_summary(&person.0, &from, summary, board.version, now).await;
        // Who asked has the answer all the same.
        kept.inspect_err(|why| log::debug!("a forecast could not be kept: {why}")).ok();
    }
    Ok(shown)
}

const OF: Subject = Subject { parts: &[Which::Forecasts], priced: false, apart: false };

/// Your forecasts and what was computed of them last.
#[utoipa::path(
    get,
    path = "/v1/forecasts",
    operation_id = "forecasts_all",
    tag = "forecasts",
    params(Turn, Had),
    responses(
        (status = 200, description = "A page of them, the oldest first.", body = Turned<Forecast>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn all(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<ForecastId>(LIST)?;
    let key = |forecast: &Forecast| forecast.id;
    let write = |sheet: &Sheet<'_>| {
        let Some(items) = among(sheet.view.forecasts(), MOST_LISTED, &page, key) else {
            return Ok(None);
        };
        let turned = turned(LIST, items.to_vec(), page.limit, sheet.view.generation, key);
        answer::json(&Turned { outage: sheet.outage, ..turned }).map(Some)
    };
    if let Some(answer) = answer::page(&desk, &person, &request, OF, write).await? {
        return Ok(answer);
    }
    let stored = desk.store.forecasts(&person.0, one_more(&page)).await?;
    Ok(answer::ok().json(turned(LIST, stored.value, page.limit, stored.generation, key)))
}

/// Creates a forecast.
#[utoipa::path(
    post,
    path = "/v1/forecasts",
    operation_id = "forecasts_create",
    tag = "forecasts",
    params(Again),
    request_body = NewForecast,
    responses(
        (status = 201, description = "It is there, computed at the last known prices.", body = Shown, headers(("Location" = String))),
        Refused,
    )
)]
pub(super) async fn create(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let new: NewForecast = json(&body.bytes)?;
    let (board, now) = ((desk.prices)(), Moment::now());
    let answer = move |made: Basis| {
        let at = format!("/v1/forecasts/{}", made.forecast.id);
        let (shown, summary) = computed(made, &board, now)?;
        Ok((Kept::created(at, &shown)?, Some((summary, board.version))))
    };
    let made = desk.store.create_forecast_and(&person.0, new, body.key, now, answer).await?;
    Ok(made.value.send())
}

/// One forecast at the last known prices.
#[utoipa::path(
    get,
    path = "/v1/forecasts/{id}",
    operation_id = "forecasts_one",
    tag = "forecasts",
    params(("id" = ForecastId, Path)),
    responses(
        (status = 200, description = "The forecast, a line for each holding.", body = Shown),
        Refused,
    )
)]
pub(super) async fn one(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer::ok().json(shown(&person, id(&path, "forecast")?, &desk).await?))
}

/// Describes a forecast anew.
#[utoipa::path(
    put,
    path = "/v1/forecasts/{id}",
    operation_id = "forecasts_change",
    tag = "forecasts",
    params(("id" = ForecastId, Path)),
    request_body = NewForecast,
    responses(
        (status = 200, description = "As it is now, computed at the last known prices.", body = Shown),
        Refused,
    )
)]
pub(super) async fn change(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, to) = (id(&path, "forecast")?, json(&body.bytes)?);
    let (board, now) = ((desk.prices)(), Moment::now());
    let answer = move |changed: Basis| {
        let (shown, summary) = computed(changed, &board, now)?;
        Ok((shown, Some((summary, board.version))))
    };
    let changed = desk.store.change_forecast_and(&person.0, id, to, now, answer).await?;
    Ok(answer::ok().json(changed.value))
}

/// Deletes a forecast.
#[utoipa::path(
    delete,
    path = "/v1/forecasts/{id}",
    operation_id = "forecasts_delete",
    tag = "forecasts",
    params(("id" = ForecastId, Path)),
    responses(
        (status = 204, description = "It is gone."),
        Refused,
    )
)]
pub(super) async fn delete(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    desk.store.delete_forecast(&person.0, id(&path, "forecast")?).await?;
    Ok(answer::gone())
}
