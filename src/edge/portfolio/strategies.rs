//! `/v1/strategies`: the list without steps, the one with them.

use actix_web::{HttpResponse, http::header::LOCATION, web};
use serde::Serialize;

use super::{
    Desk,
    body::{Body, id, json},
    person::Person,
    problem::Problem,
    turning::{Turn, one_more, turned},
};
use crate::domain::{
    moment::Moment,
    portfolio::{
        Refusal,
        id::StrategyId,
        strategy::{Change, Step, Strategy, Summary},
    },
    store::Listed,
};

const LIST: &str = "strategies";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        web::resource("/v1/strategies").route(web::get().to(all)).route(web::post().to(create)),
    )
    .service(
        web::resource("/v1/strategies/{id}")
            .route(web::get().to(one))
            .route(web::patch().to(change))
            .route(web::delete().to(delete)),
    );
}

/// A strategy, its steps, and what it would bring.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    strategy: Strategy,
    steps: Vec<Step>,
    summary: Summary,
}

fn shown((strategy, steps): (Strategy, Vec<Step>)) -> Result<Shown, Problem> {
    let targets = steps.iter().map(|step| &step.target);
    let summary = Summary::of(strategy.base_quantity, strategy.reference_price, targets);
    let summary = summary.map_err(Refusal::no_decimal("what the strategy would bring"))?;
    Ok(Shown { strategy, steps, summary })
}

/// An entry of the list.
#[derive(Serialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    strategy: Strategy,
    /// Steps that are done, of how many: `1/3`.
    progress: String,
}

impl From<Listed> for Entry {
    fn from(Listed { strategy, done, steps }: Listed) -> Self {
        Self { strategy, progress: format!("{done}/{steps}") }
    }
}

async fn all(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<StrategyId>(LIST)?;
    let stored = desk.store.strategies(&person.0, one_more(&page)).await?;
    let items: Vec<Entry> = stored.value.into_iter().map(Entry::from).collect();
    let key = |entry: &Entry| entry.strategy.id;
    Ok(HttpResponse::Ok().json(turned(LIST, items, page.limit, stored.generation, key)))
}

async fn create(
    desk: web::Data<Desk>,
    person: Person,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let new = json(&body.bytes)?;
    let id = desk.store.create_strategy(&person.0, new, body.key, Moment::now()).await?.value;
    let shown = shown(desk.store.strategy(&person.0, id).await?.value)?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/strategies/{id}")))
        .json(shown))
}

async fn one(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stored = desk.store.strategy(&person.0, id(&path, "strategy")?).await?;
    Ok(HttpResponse::Ok().json(shown(stored.value)?))
}

async fn change(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, to) = (id(&path, "strategy")?, json::<Change>(&body.bytes)?);
    let stored = desk.store.change_strategy(&person.0, id, to, Moment::now()).await?;
    Ok(HttpResponse::Ok().json(shown(stored.value)?))
}

async fn delete(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    desk.store.delete_strategy(&person.0, id(&path, "strategy")?).await?;
    Ok(HttpResponse::NoContent().finish())
}
