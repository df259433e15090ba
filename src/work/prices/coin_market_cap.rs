//! CoinMarketCap: latest quotes in US dollars, a hundred tokens a call.

use std::{collections::HashMap, time::Duration};

use awc::{
    Client, ClientResponse,
    http::{StatusCode, header},
};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    number,
    quotes::{NoQuotes, Provider, Quotes, Wanted},
};
use crate::domain::decimal::Decimal;

/// Below the address of the service.
const PATH: &str = "/v1/cryptocurrency/quotes/latest";

const KEY: &str = "X-CMC_PRO_API_KEY";

/// From the first byte sent to the last received: the next call comes in half a minute.
const DEADLINE: Duration = Duration::from_secs(5);

/// A hundred tokens with all that is said of them are a tenth of it.
const LONGEST: usize = 2 * 1024 * 1024;

/// The service, by its address and our key.
pub struct CoinMarketCap {
    client: Client,
    url: String,
    key: String,
    deadline: Duration,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: HashMap<&'a str, &'a RawValue>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    id: i64,
    #[serde(borrow)]
    quote: InDollars<'a>,
}

#[derive(Deserialize)]
struct InDollars<'a> {
    #[serde(borrow, rename = "USD")]
    usd: Priced<'a>,
}

#[derive(Deserialize)]
struct Priced<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
}

impl CoinMarketCap {
    /// `base` is an address like `https://pro-api.coinmarketcap.com`. The client belongs to the thread that calls.
    pub fn new(base: &str, key: &str) -> Self {
        Self::with(base, key, DEADLINE)
    }

    fn with(base: &str, key: &str, deadline: Duration) -> Self {
        // A second one is not taken, and need not be.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().disable_redirects().timeout(deadline).finish();
        let url = format!("{}{PATH}", base.trim_end_matches('/'));
        Self { client, url, key: key.into(), deadline }
    }

    async fn ask(&self, wanted: &Wanted) -> Result<Quotes, NoQuotes> {
        let ids: Vec<String> = wanted.keys().map(i64::to_string).collect();
        let url = format!("{}?id={}&convert=USD", self.url, ids.join(","));
        let asked = self.client.get(url).insert_header((KEY, &*self.key)).send();
        let mut response = asked.await.map_err(|why| NoQuotes::Unavailable(why.to_string()))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(NoQuotes::Busy(retry_after(&response))),
            status @ (StatusCode::UNAUTHORIZED
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::FORBIDDEN) => {
                let why = format!("it answered {status}: is prices.api_key right, and paid for?");
                return Err(NoQuotes::Refused(why));
            }
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
                return Err(NoQuotes::Rejected(format!("it answered {status}")));
            }
            status => return Err(NoQuotes::Unavailable(format!("it answered {status}"))),
        }
        let body = response.body().limit(LONGEST).await;
        read(&body.map_err(|why| NoQuotes::Unavailable(why.to_string()))?)
    }
}

impl Provider for CoinMarketCap {
    fn quotes<'a>(
        &'a mut self,
        wanted: &'a Wanted,
    ) -> LocalBoxFuture<'a, Result<Quotes, NoQuotes>> {
        Box::pin(async move {
            let late = |_| NoQuotes::Unavailable(format!("no answer within {:?}", self.deadline));
            timeout(self.deadline, self.ask(wanted)).await.map_err(late)?
        })
    }
}

fn retry_after<S>(response: &ClientResponse<S>) -> Option<Duration> {
    let named = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    named.trim().parse().ok().map(Duration::from_secs)
}

/// Prices of an answer. What it says beside them is not looked at; a token that it says something odd of spoils no other.
fn read(body: &[u8]) -> Result<Quotes, NoQuotes> {
    // What came is not repeated: it may be as long as it likes.
    let garbage =
        |_| NoQuotes::Unavailable("expected data.<id>.quote.USD.price, got something else".into());
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(garbage)?;
    let quote = |(number, listed): (&&str, &&RawValue)| {
        let number: i64 = number.parse().ok()?;
        Some((number, price(number, listed.get())))
    };
    Ok(answer.data.iter().filter_map(quote).collect())
}

/// What a token costs. Of one that is filed under another's number nothing is believed.
fn price(number: i64, listed: &str) -> Option<Decimal> {
    let listed: Listed<'_> = serde_json::from_str(listed).ok()?;
    number::decimal(listed.quote.usd.price.get()).filter(|_| listed.id == number)
}

#[cfg(test)]
mod tests;
