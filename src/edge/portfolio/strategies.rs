//! `/v1/strategies`: the list without steps, the one with them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{
    Desk,
    again::Kept,
    answer::{self, Sheet, Subject},
    body::{self, Body, id, json},
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
        id::StrategyId,
        strategy::{Change, NewStrategy, Step, Strategy, Summary},
    },
    reading::Which,
    store::{Listed, MOST_LISTED, Stored},
};

const LIST: &str = "strategies";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/v1/strategies", "GET, HEAD, POST")
            .route(get().to(all))
            .route(web::post().to(create)),
    )
    .service(
        resource("/v1/strategies/{id}", "GET, HEAD, PATCH, DELETE")
            .route(get().to(one))
            .route(web::patch().to(change))
            .route(web::delete().to(delete)),
    );
}

/// A strategy, its steps, and what it would bring.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StrategyView)]
struct Shown {
    #[serde(flatten)]
    strategy: Strategy,
    steps: Vec<Step>,
    summary: Summary,
}

fn shown((strategy, steps): (Strategy, Vec<Step>)) -> Result<Shown, Refusal> {
    let targets = steps.iter().map(|step| &step.target);
    let summary = Summary::of(strategy.base_quantity, strategy.reference_price, targets);
    let summary = summary.map_err(Refusal::no_decimal("what the strategy would bring"))?;
    Ok(Shown { strategy, steps, summary })
}

/// An entry of the list.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StrategyListed)]
pub(in crate::edge) struct Entry {
    #[serde(flatten)]
    strategy: Strategy,
    /// Steps that are done, of how many: `1/3`.
    progress: String,
}

impl From<&Listed> for Entry {
    fn from(Listed { strategy, done, steps }: &Listed) -> Self {
        Self { strategy: strategy.clone(), progress: format!("{done}/{steps}") }
    }
}

const OF: Subject = Subject { parts: &[Which::Strategies], priced: false, apart: false };

/// Your strategies without their steps.
#[utoipa::path(
    get,
    path = "/v1/strategies",
    operation_id = "strategies_all",
    tag = "strategies",
    params(Turn, Had),
    responses(
        (status = 200, description = "A page of them, the oldest first.", body = Turned<Entry>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn all(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<StrategyId>(LIST)?;
    let list = |items: &[Listed], generation| {
        let items: Vec<Entry> = items.iter().map(Entry::from).collect();
        turned(LIST, items, page.limit, generation, |entry: &Entry| entry.strategy.id)
    };
    let write = |sheet: &Sheet<'_>| {
        let id = |listed: &Listed| listed.strategy.id;
        let Some(items) = among(sheet.view.strategies(), MOST_LISTED, &page, id) else {
            return Ok(None);
        };
        let turned = list(items, sheet.view.generation);
        answer::json(&Turned { outage: sheet.outage, ..turned }).map(Some)
    };
    if let Some(answer) = answer::page(&desk, &person, &request, OF, write).await? {
        return Ok(answer);
    }
    let stored = desk.store.strategies(&person.0, one_more(&page)).await?;
    Ok(answer::ok().json(list(&stored.value, stored.generation)))
}

/// Creates a strategy.
#[utoipa::path(
    post,
    path = "/v1/strategies",
    operation_id = "strategies_create",
    tag = "strategies",
    params(Again),
    request_body = NewStrategy,
    responses(
        (status = 201, description = "It is there.", body = Shown, headers(("Location" = String))),
        Refused,
    )
)]
pub(super) async fn create(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let new: NewStrategy = json(&body.bytes)?;
    let answer = |made: Strategy, steps| {
        let at = format!("/v1/strategies/{}", made.id);
        Kept::created(at, &shown((made, steps))?)
    };
    let now = Moment::now();
    let made = desk.store.create_strategy_and(&person.0, new, body.key, now, answer).await?;
    Ok(made.value.send())
}

/// One strategy, its steps, and what it would bring.
#[utoipa::path(
    get,
    path = "/v1/strategies/{id}",
    operation_id = "strategies_one",
    tag = "strategies",
    params(("id" = StrategyId, Path), Had),
    responses(
        (status = 200, description = "The strategy, its steps, and what it would bring.", body = Shown, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn one(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let Stored { generation, value } =
        desk.store.strategy(&person.0, id(&path, "strategy")?).await?;
    answer::read(&desk, &person, &request, Stored { generation, value: shown(value)? })
}

/// Changes a strategy.
#[utoipa::path(
    patch,
    path = "/v1/strategies/{id}",
    operation_id = "strategies_change",
    tag = "strategies",
    params(("id" = StrategyId, Path)),
    request_body = Change,
    responses(
        (status = 200, description = "As it is now.", body = Shown),
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
    let (id, to) = (id(&path, "strategy")?, body::change::<Change>(&body.bytes, &["notes"])?);
    let stored = desk.store.change_strategy(&person.0, id, to, Moment::now()).await?;
    Ok(answer::ok().json(shown(stored.value)?))
}

/// Deletes a strategy; forecasts go on without it.
#[utoipa::path(
    delete,
    path = "/v1/strategies/{id}",
    operation_id = "strategies_delete",
    tag = "strategies",
    params(("id" = StrategyId, Path)),
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
    desk.store.delete_strategy(&person.0, id(&path, "strategy")?).await?;
    Ok(answer::gone())
}
