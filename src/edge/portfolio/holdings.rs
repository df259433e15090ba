//! `/v1/portfolios/{id}/holdings` and `/v1/holdings`: what is held, at the last known prices.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Desk,
    body::id,
    person::Person,
    problem::{Problem, Written},
    turning::{Turn, Turned, turned},
};
use crate::domain::{
    decimal::Decimal,
    moment::Moment,
    portfolio::{
        Refusal,
        holding::{Holding, HoldingView, merged, view},
        id::{PortfolioId, TokenId},
    },
};

const LIST: &str = "holdings";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/v1/portfolios/{id}/holdings").route(web::get().to(of_portfolio)))
        .service(web::resource("/v1/holdings").route(web::get().to(of_all)));
}

/// Where a holding stands in the list: by value, then by symbol. Prices move it; a page goes on behind it.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Stands(Decimal, String, TokenId);

impl Stands {
    fn of(view: &HoldingView) -> Self {
        Self(view.value, view.token.symbol.clone(), view.token.id)
    }

    fn is_before(&self, other: &Self) -> bool {
        (other.0, &self.1, self.2) < (self.0, &other.1, other.2)
    }
}

/// What a portfolio holds, the most valuable first.
#[utoipa::path(
    get,
    path = "/v1/portfolios/{id}/holdings",
    operation_id = "holdings_of_portfolio",
    tag = "holdings",
    params(("id" = PortfolioId, Path), Turn),
    responses((status = 200, body = Turned<HoldingView>), (status = "4XX", body = Written, content_type = "application/problem+json"))
)]
pub(super) async fn of_portfolio(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
    turn: web::Query<Turn>,
) -> Result<HttpResponse, Problem> {
    let stored = desk.store.holdings(&person.0, id::<PortfolioId>(&path, "portfolio")?).await?;
    answer(&desk, &turn, stored.generation, &stored.value.1)
}

/// What all your portfolios hold together.
#[utoipa::path(
    get,
    path = "/v1/holdings",
    operation_id = "holdings_of_all",
    tag = "holdings",
    params(Turn),
    responses((status = 200, body = Turned<HoldingView>), (status = "4XX", body = Written, content_type = "application/problem+json"))
)]
pub(super) async fn of_all(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
) -> Result<HttpResponse, Problem> {
    let stored = desk.store.overview(&person.0).await?;
    let holdings =
        merged(stored.value.1).map_err(Refusal::no_decimal("the sums of your holdings"))?;
    answer(&desk, &turn, stored.generation, &holdings)
}

fn answer(
    desk: &Desk,
    turn: &Turn,
    generation: i64,
    holdings: &[Holding],
) -> Result<HttpResponse, Problem> {
    let page = turn.page::<Stands>(LIST)?;
    let what = "the value of a holding";
    let (views, _) = view(holdings, &(desk.prices)().prices, Moment::now())
        .map_err(Refusal::no_decimal(what))?;
    let behind = |view: &HoldingView| {
        page.after.as_ref().is_none_or(|after| after.is_before(&Stands::of(view)))
    };
    let items: Vec<HoldingView> = views.into_iter().filter(behind).take(page.limit + 1).collect();
    Ok(HttpResponse::Ok().json(turned(LIST, items, page.limit, generation, Stands::of)))
}
