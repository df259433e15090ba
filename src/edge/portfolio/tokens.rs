//! `/v1/tokens?search=` and `/v1/prices?ids=`: the same for everybody.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    Desk,
    answer::{self, Public},
    calls::{get, resource},
    openapi::Refused,
    person::Person,
    problem::Problem,
    turning::{Turn, cut, one_more},
};
use crate::domain::{
    decimal::Decimal,
    moment::Moment,
    portfolio::{id::TokenId, list, token::Token},
    store::Found,
};

const LIST: &str = "tokens";

/// New tokens are rare.
const TOKENS_KEPT: Public = Public { fresh: 120, meanwhile: 120, instead: 3_600 };

/// Prices come each 30 s, and their ages grow: one that is kept is not to look younger than it is for long.
const PRICES_KEPT: Public = Public { fresh: 5, meanwhile: 5, instead: 20 };

/// Prices of one answer, at most.
const PRICES: usize = 500;

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(resource("/v1/tokens", "GET, HEAD").route(get().to(search)))
        .service(resource("/v1/prices", "GET, HEAD").route(get().to(prices)));
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TokensFound)]
struct Answer {
    items: Vec<Token>,
    next_cursor: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// How its symbol or name begins.
    #[serde(default)]
    search: String,
    /// Entries of a page, 1 to 200; 50 unless told otherwise.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Tokens by the beginning of symbol or name.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    operation_id = "tokens_search",
    tag = "tokens",
    params(Search),
    responses(
        (status = 200, description = "A page of them.", body = Answer),
        Refused,
    )
)]
pub(super) async fn search(
    desk: web::Data<Desk>,
    _: Person,
    asked: web::Query<Search>,
) -> Result<HttpResponse, Problem> {
    let Search { search, limit, cursor } = asked.into_inner();
    let begins: String = search.chars().take(200).filter(|c| !c.is_control()).collect();
    let name = format!("{LIST} {begins}");
    let page = Turn { limit, cursor }.page::<Found>(&name)?;
    let mut items = desk.store.search_tokens(&begins, one_more(&page)).await?;
    let next_cursor = cut(&name, &mut items, page.limit, |token| Found::of(token, &begins));
    Ok(answer::public(TOKENS_KEPT).json(Answer { items, next_cursor }))
}

#[derive(Serialize, utoipa::ToSchema)]
struct Known {
    items: Vec<Priced>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Ids of tokens with commas between, at most 500.
    ids: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Price)]
struct Priced {
    token_id: TokenId,
    price: Decimal,
    observed_at: Moment,
    stale: bool,
    age_seconds: u64,
}

/// The last known prices.
#[utoipa::path(
    get,
    path = "/v1/prices",
    operation_id = "tokens_prices",
    tag = "tokens",
    params(Which),
    responses(
        (status = 200, description = "Those that are known, each with its age.", body = Known),
        Refused,
    )
)]
pub(super) async fn prices(
    desk: web::Data<Desk>,
    _: Person,
    asked: web::Query<Which>,
) -> Result<HttpResponse, Problem> {
    let ids: Vec<&str> = asked.ids.split(',').collect();
    list("ids", ids.len(), 1, PRICES)?;
    let (known, now) = ((desk.prices)(), Moment::now());
    let mut items = Vec::with_capacity(ids.len());
    for text in ids {
        let token_id = text
            .parse()
            .map_err(|_| Problem::invalid("ids", "ids of tokens with commas between", text))?;
        items.extend(known.prices.get(&token_id).map(|price| Priced {
            token_id,
            price: price.price,
            observed_at: price.observed_at,
            stale: price.is_stale(now),
            age_seconds: Duration::as_secs(&price.age(now)),
        }));
    }
    Ok(answer::public(PRICES_KEPT).json(Known { items }))
}
