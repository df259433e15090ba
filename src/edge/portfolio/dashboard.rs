//! `GET /v1/dashboard`: one answer of one generation and one price version. A part that can't be computed is `null`, and
//! `problems` says why; the others stand.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{
    Desk,
    person::Person,
    portfolios,
    problem::{Problem, Written},
    strategies,
};
use crate::domain::{
    moment::Moment,
    portfolio::{
        Refusal,
        forecast::Forecast,
        holding::{Holding, HoldingView, view},
        portfolios::Portfolio,
        token::Prices,
    },
};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/v1/dashboard").route(web::get().to(dashboard)));
}

#[derive(Serialize, utoipa::ToSchema)]
struct Part<'a, T> {
    items: &'a [T],
    as_of: Moment,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Dashboard)]
struct Answer<'a> {
    generation: i64,
    price_version: i64,
    portfolios: Option<Part<'a, portfolios::Shown>>,
    /// Of the default portfolio.
    holdings: Option<Part<'a, HoldingView>>,
    strategies: Option<Part<'a, strategies::Entry>>,
    forecasts: Option<Part<'a, Forecast>>,
    problems: BTreeMap<&'static str, Written<'a>>,
}

/// All that a dashboard shows, of one generation.
#[utoipa::path(
    get,
    path = "/v1/dashboard",
    operation_id = "dashboard",
    tag = "dashboard",
    responses((status = 200, body = Answer), (status = "4XX", body = Written, content_type = "application/problem+json"))
)]
pub(super) async fn dashboard(
    desk: web::Data<Desk>,
    person: Person,
) -> Result<HttpResponse, Problem> {
    let (stored, board) = (desk.store.dashboard(&person.0).await?, (desk.prices)());
    let (all, as_of) = (stored.value, Moment::now());
    let holdings = of_default(&all.portfolios, &all.holdings, &board.prices, as_of);
    let portfolios = every(all.portfolios, &all.holdings, &board.prices);
    let strategies: Vec<_> = all.strategies.into_iter().map(strategies::Entry::from).collect();
    let mut problems = BTreeMap::new();
    problems.extend(portfolios.as_ref().err().map(|problem| ("portfolios", problem.written())));
    problems.extend(holdings.as_ref().err().map(|problem| ("holdings", problem.written())));
    Ok(HttpResponse::Ok().json(Answer {
        generation: stored.generation,
        price_version: board.version,
        portfolios: portfolios.as_ref().ok().map(|items| Part { items, as_of }),
        holdings: holdings.as_ref().ok().map(|items| Part { items, as_of }),
        strategies: Some(Part { items: &strategies, as_of }),
        forecasts: Some(Part { items: &all.forecasts, as_of }),
        problems,
    }))
}

fn every(
    portfolios: Vec<Portfolio>,
    holdings: &[Holding],
    prices: &Prices,
) -> Result<Vec<portfolios::Shown>, Problem> {
    let of = |portfolio: Portfolio| {
        let id = portfolio.id;
        portfolios::shown(portfolio, holdings.iter().filter(|one| one.portfolio == id), prices)
    };
    portfolios.into_iter().map(of).collect()
}

fn of_default(
    portfolios: &[Portfolio],
    holdings: &[Holding],
    prices: &Prices,
    now: Moment,
) -> Result<Vec<HoldingView>, Problem> {
    let Some(default) = portfolios.iter().find(|one| one.is_default) else { return Ok(Vec::new()) };
    let theirs = holdings.iter().filter(|one| one.portfolio == default.id);
    let what = "the value of a holding";
    Ok(view(theirs, prices, now).map_err(Refusal::no_decimal(what))?.0)
}
