//! `GET /v1/dashboard`: one answer of one generation and one price version. A part that can't be computed is `null`, and
//! `problems` says why; the others stand.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{
    Desk,
    answer::{self, Outage, Sheet, Subject},
    calls::{Nothing, get, resource},
    openapi::{Had, Refused, Unchanged},
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
        holding::{Holding, HoldingView, by_portfolio, view},
        portfolios::Portfolio,
        token::Prices,
    },
    reading::{View, Which},
};

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(resource("/v1/dashboard", "GET, HEAD").route(get().to(dashboard)));
}

#[derive(Serialize, utoipa::ToSchema)]
struct Part<'a, T> {
    items: &'a [T],
    /// When it was read from the database: nothing of it was written since.
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
    #[serde(flatten)]
    outage: Option<Outage>,
}

const OF: Subject = Subject {
    parts: &[Which::Portfolios, Which::Holdings, Which::Strategies, Which::Forecasts],
    priced: true,
    apart: true,
};

/// All that a dashboard shows, of one generation.
#[utoipa::path(
    get,
    path = "/v1/dashboard",
    operation_id = "dashboard",
    tag = "dashboard",
    params(Had),
    responses(
        (status = 200, description = "All of it, of one generation and one price version.", body = Answer, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn dashboard(
    desk: web::Data<Desk>,
    person: Person,
    _: web::Query<Nothing>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = answer::page(&desk, &person, &request, OF, |sheet| write(sheet).map(Some)).await?;
    page.ok_or_else(Problem::internal)
}

fn write(Sheet { view, board, now, outage }: &Sheet<'_>) -> Result<Vec<u8>, Problem> {
    let held = || readable(view, &[Which::Portfolios, Which::Holdings]);
    let holdings =
        held().and_then(|()| of_default(view.portfolios(), view.holdings(), &board.prices, *now));
    let portfolios = held().and_then(|()| every(view.portfolios(), view.holdings(), &board.prices));
    let strategies = readable(view, &[Which::Strategies])
        .map(|()| view.strategies().iter().map(strategies::Entry::from).collect::<Vec<_>>());
    let forecasts = readable(view, &[Which::Forecasts]).map(|()| view.forecasts());
    let failed = [
        ("portfolios", portfolios.as_ref().err()),
        ("holdings", holdings.as_ref().err()),
        ("strategies", strategies.as_ref().err()),
        ("forecasts", forecasts.as_ref().err()),
    ];
    let problems = failed.into_iter().filter_map(|(part, why)| Some((part, why?.written())));
    let as_of = |which| view.as_of(which);
    answer::json(&Answer {
        generation: view.generation,
        price_version: board.version,
        portfolios: (portfolios.as_ref().ok())
            .map(|items| Part { items, as_of: as_of(Which::Portfolios) }),
        holdings: holdings.as_ref().ok().map(|items| Part { items, as_of: as_of(Which::Holdings) }),
        strategies: (strategies.as_ref().ok())
            .map(|items| Part { items, as_of: as_of(Which::Strategies) }),
        forecasts: forecasts
            .as_ref()
            .ok()
            .map(|items| Part { items, as_of: as_of(Which::Forecasts) }),
        problems: problems.collect(),
        outage: *outage,
    })
}

/// Refuses what can't be shown without a part that can't be read.
fn readable(view: &View, parts: &[Which]) -> Result<(), Problem> {
    match view.lacks(parts) {
        Some(why) => Err(why.clone().into()),
        None => Ok(()),
    }
}

/// Portfolios and their sums.
pub(in crate::edge) fn every(
    portfolios: &[Portfolio],
    holdings: &[Holding],
    prices: &Prices,
) -> Result<Vec<portfolios::Shown>, Problem> {
    let mut held = by_portfolio(holdings);
    let of = |portfolio: &Portfolio| {
        let theirs = held.remove(&portfolio.id).unwrap_or_default();
        Ok(portfolios::shown(portfolio.clone(), theirs, prices)?)
    };
    portfolios.iter().map(of).collect()
}

/// The holdings of the default portfolio.
pub(in crate::edge) fn of_default(
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
