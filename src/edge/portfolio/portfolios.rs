//! `/v1/portfolios`: names and sums.

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
    turning::{Turn, Turned, turned},
};
use crate::domain::{
    moment::Moment,
    portfolio::{
        Refusal,
        holding::{Holding, by_portfolio, view},
        id::PortfolioId,
        portfolios::{NewPortfolio, Portfolio, Totals},
        token::Prices,
    },
    reading::{View, Which},
};

const LIST: &str = "portfolios";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/v1/portfolios", "GET, HEAD, POST")
            .route(get().to(all))
            .route(web::post().to(create)),
    )
    .service(
        resource("/v1/portfolios/{id}", "GET, HEAD, PUT, DELETE")
            .route(get().to(one))
            .route(web::put().to(change))
            .route(web::delete().to(delete)),
    );
}

/// A portfolio and its sums.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PortfolioView)]
pub(in crate::edge) struct Shown {
    #[serde(flatten)]
    portfolio: Portfolio,
    #[serde(flatten)]
    totals: Totals,
}

pub(super) fn shown<'a>(
    portfolio: Portfolio,
    holdings: impl IntoIterator<Item = &'a Holding>,
    prices: &Prices,
) -> Result<Shown, Refusal> {
    let what = format!("the sums of {:?}", portfolio.name);
    let (_, totals) = view(holdings, prices, Moment::now()).map_err(Refusal::no_decimal(what))?;
    Ok(Shown { portfolio, totals })
}

const OF: Subject =
    Subject { parts: &[Which::Portfolios, Which::Holdings], priced: true, apart: false };

/// Your portfolios and their sums.
#[utoipa::path(
    get,
    path = "/v1/portfolios",
    operation_id = "portfolios_all",
    tag = "portfolios",
    params(Turn, Had),
    responses(
        (status = 200, description = "A page of them, the oldest first.", body = Turned<Shown>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn all(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<PortfolioId>(LIST)?;
    let write = |sheet: &Sheet<'_>| {
        let after = |one: &&Portfolio| page.after.is_none_or(|after| one.id > after);
        let all = sheet.view.portfolios().iter().filter(after).take(page.limit + 1).collect();
        let key = |one: &&Portfolio| one.id;
        let page = turned(LIST, all, page.limit, sheet.view.generation, key);
        let (mut items, mut problems) = (Vec::with_capacity(page.items.len()), page.problems);
        let mut held = by_portfolio(sheet.view.holdings());
        for one in page.items {
            let theirs = held.remove(&one.id).unwrap_or_default();
            match shown(one.clone(), theirs, &sheet.board.prices) {
                Ok(shown) => items.push(shown),
                Err(why) => drop(problems.insert(one.id.to_string(), why.into())),
            }
        }
        let page = Turned {
            items,
            next_cursor: page.next_cursor,
            generation: page.generation,
            price_version: Some(sheet.board.version),
            problems,
            outage: sheet.outage,
        };
        answer::json(&page).map(Some)
    };
    let answer = answer::page(&desk, &person, &request, OF, write).await?;
    answer.ok_or_else(Problem::internal)
}

/// The portfolio with that id, or that there is none.
pub(super) fn find(view: &View, id: PortfolioId) -> Result<&Portfolio, Problem> {
    let found = view.portfolios().iter().find(|one| one.id == id);
    found.ok_or_else(|| Refusal::NotFound { what: "portfolio" }.into())
}

/// Creates a portfolio.
#[utoipa::path(
    post,
    path = "/v1/portfolios",
    operation_id = "portfolios_create",
    tag = "portfolios",
    params(Again),
    request_body = NewPortfolio,
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
    let new: NewPortfolio = json(&body.bytes)?;
    let board = (desk.prices)();
    let answer = move |made: Portfolio, held: Vec<Holding>| {
        let at = format!("/v1/portfolios/{}", made.id);
        Kept::created(at, &shown(made, &held, &board.prices)?)
    };
    let now = Moment::now();
    let made = desk.store.create_portfolio_and(&person.0, new, body.key, now, answer).await?;
    Ok(made.value.send())
}

/// A portfolio by itself.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PortfolioOne)]
struct One {
    #[serde(flatten)]
    shown: Shown,
    /// Since it was read, if the database does not say whether it still holds; `stale` is true then.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
}

/// One portfolio.
#[utoipa::path(
    get,
    path = "/v1/portfolios/{id}",
    operation_id = "portfolios_one",
    tag = "portfolios",
    params(("id" = PortfolioId, Path), Had),
    responses(
        (status = 200, description = "The portfolio and its sums.", body = One, headers(("ETag" = String))),
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
    let id = id(&path, "portfolio")?;
    let write = |sheet: &Sheet<'_>| {
        let theirs = sheet.view.holdings().iter().filter(|one| one.portfolio == id);
        let mut shown = shown(find(sheet.view, id)?.clone(), theirs, &sheet.board.prices)?;
        shown.totals.stale |= sheet.outage.is_some();
        let age_seconds = sheet.outage.map(|outage| outage.age_seconds);
        answer::json(&One { shown, age_seconds }).map(Some)
    };
    let answer = answer::page(&desk, &person, &request, OF, write).await?;
    answer.ok_or_else(Problem::internal)
}

/// Describes a portfolio anew.
#[utoipa::path(
    put,
    path = "/v1/portfolios/{id}",
    operation_id = "portfolios_change",
    tag = "portfolios",
    params(("id" = PortfolioId, Path)),
    request_body = NewPortfolio,
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
    let (id, to) = (id(&path, "portfolio")?, json(&body.bytes)?);
    let board = (desk.prices)();
    let answer = move |changed: Portfolio, held: Vec<Holding>| shown(changed, &held, &board.prices);
    let now = Moment::now();
    let changed = desk.store.change_portfolio_and(&person.0, id, to, now, answer).await?;
    Ok(answer::ok().json(changed.value))
}

/// Deletes a portfolio and all that hangs on it.
#[utoipa::path(
    delete,
    path = "/v1/portfolios/{id}",
    operation_id = "portfolios_delete",
    tag = "portfolios",
    params(("id" = PortfolioId, Path)),
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
    desk.store.delete_portfolio(&person.0, id(&path, "portfolio")?).await?;
    Ok(answer::gone())
}
