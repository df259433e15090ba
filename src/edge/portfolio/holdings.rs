//! `/v1/portfolios/{id}/holdings` and `/v1/holdings`: what is held, at the last known prices.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Desk,
    answer::{self, Sheet, Subject},
    body::id,
    calls::{get, resource},
    openapi::{Had, Refused, Unchanged},
    person::Person,
    portfolios,
    problem::Problem,
    turning::{Turn, Turned, turned},
};
use crate::domain::{
    decimal::Decimal,
    portfolio::{
        Refusal,
        holding::{Holding, HoldingView, each},
        id::{PortfolioId, TokenId},
        token::Token,
    },
    reading::Which,
    store::Page,
};

const LIST: &str = "holdings";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(
        resource("/v1/portfolios/{id}/holdings", "GET, HEAD").route(get().to(of_portfolio)),
    )
    .service(resource("/v1/holdings", "GET, HEAD").route(get().to(of_all)));
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

const OF: Subject =
    Subject { parts: &[Which::Portfolios, Which::Holdings], priced: true, apart: false };

/// What a portfolio holds, the most valuable first.
#[utoipa::path(
    get,
    path = "/v1/portfolios/{id}/holdings",
    operation_id = "holdings_of_portfolio",
    tag = "holdings",
    params(("id" = PortfolioId, Path), Turn, Had),
    responses(
        (status = 200, description = "A page of them, the most valuable first.", body = Turned<HoldingView>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn of_portfolio(
    desk: web::Data<Desk>,
    person: Person,
    path: web::Path<String>,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = id::<PortfolioId>(&path, "portfolio")?;
    let name = format!("{LIST} {id}");
    let page = turn.page(&name)?;
    let write = |sheet: &Sheet<'_>| {
        portfolios::find(sheet.view, id)?;
        let holdings = sheet.view.holdings().iter().filter(|one| one.portfolio == id);
        write(sheet, &name, &page, holdings).map(Some)
    };
    let answer = answer::page(&desk, &person, &request, OF, write).await?;
    answer.ok_or_else(Problem::internal)
}

/// What all your portfolios hold together.
#[utoipa::path(
    get,
    path = "/v1/holdings",
    operation_id = "holdings_of_all",
    tag = "holdings",
    params(Turn, Had),
    responses(
        (status = 200, description = "A page of them, the most valuable first.", body = Turned<HoldingView>, headers(("ETag" = String))),
        Unchanged, Refused,
    )
)]
pub(super) async fn of_all(
    desk: web::Data<Desk>,
    person: Person,
    turn: web::Query<Turn>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = turn.page(LIST)?;
    let write = |sheet: &Sheet<'_>| write(sheet, LIST, &page, sheet.view.holdings()).map(Some);
    let answer = answer::page(&desk, &person, &request, OF, write).await?;
    answer.ok_or_else(Problem::internal)
}

fn write<'a>(
    sheet: &Sheet<'_>,
    name: &str,
    page: &Page<Stands>,
    holdings: impl IntoIterator<Item = &'a Holding>,
) -> Result<Vec<u8>, Problem> {
    let (views, not) = each(holdings, &sheet.board.prices, sheet.now);
    let problem = |token: Token| {
        let what = format!("the figures of what is held of {}", token.symbol);
        (token.id.to_string(), Refusal::OutOfRange { what }.into())
    };
    let behind = |view: &HoldingView| {
        page.after.as_ref().is_none_or(|after| after.is_before(&Stands::of(view)))
    };
    let items: Vec<HoldingView> = views.into_iter().filter(behind).take(page.limit + 1).collect();
    let turned = turned(name, items, page.limit, sheet.view.generation, Stands::of);
    let problems = not.into_iter().map(problem).collect();
    let price_version = Some(sheet.board.version);
    answer::json(&Turned { price_version, problems, outage: sheet.outage, ..turned })
}
