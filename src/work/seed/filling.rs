//! Fills a database: tokens and prices first, then people some at a time, going on where another filling was cut.
//!
//! People come some at a time in one transaction, so that one who is there is there whole. That is why a filling that was
//! cut is gone on with and not refused: who is there is passed over, if the same seed drew them.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use futures_util::{StreamExt, stream};

use super::{
    market::{Coin, TOKENS, market},
    person::{ENTERED, Listed, draw, mark},
    user,
    veteran::{draw_veteran, veteran},
};
use crate::{
    domain::{
        decimal::NoDecimal,
        moment::Moment,
        portfolio::{
            Refusal,
            id::TokenId,
            token::{Price, PriceBoard, Prices},
        },
        store::{Page, Store},
    },
    ids::UserId,
};

/// People of one transaction: few enough for its deadlines on a slow disk, enough that a commit costs little.
const TOGETHER: u64 = 10;

/// Transactions under way: what one waits for the disk another one computes.
const UNDER_WAY: usize = 3;

/// What is to be drawn, and into which database.
pub struct Filling {
    pub store: Arc<Store>,
    pub seed: u64,
    /// How many people there shall be.
    pub people: u64,
    /// And whether the veteran shall be there.
    pub veteran: bool,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filled {
    /// People who were written down.
    pub new: u64,
    /// People of the same seed who were there.
    pub known: u64,
}

/// Why a database could not be filled. What was written down before stays.
#[derive(Debug)]
pub enum Failed {
    /// Somebody of that name has other things than this seed draws.
    Taken { user: String, seed: u64 },
    /// The store refused it.
    Refused(Refusal),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { user, seed } => write!(
                f,
                "{user} is there already and was not drawn with seed {seed}: fill another database, or ask for the seed \
                 that this one was filled with (its portfolios say which)"
            ),
            Self::Refused(Refusal::Unavailable(why) | Refusal::Unknown(why)) => {
                write!(f, "the database gave up: {why}; the same command goes on from there")
            }
            Self::Refused(refusal) => write!(f, "what was drawn was refused: {refusal}"),
        }
    }
}

impl Filling {
    /// Writes everybody down who is not there. `done` hears how many people more are.
    pub async fn run(&self, done: impl Fn(u64)) -> Result<Filled, Failed> {
        // Before anything is written: somebody else's people are noticed while the database is as it was.
        self.is_known(&user(1)).await?;
        let coins = market(self.seed);
        let ids = self.list(&coins).await?;
        let listed: Vec<Listed<'_>> = coins
            .iter()
            .filter_map(|coin| Some(Listed { id: *ids.get(&coin.token.provider_id)?, coin }))
            .collect();
        let board = Arc::new(self.price(&listed).await?);
        if self.veteran && !self.is_known(&veteran()).await? {
            let drawn = draw_veteran(self.seed, &listed)
                .map_err(Refusal::no_decimal("what the veteran has"))?;
            self.store.found(vec![drawn], board.clone(), ENTERED).await?;
        }
        let firsts = (1..=self.people).step_by(TOGETHER as usize);
        let mut batches = stream::iter(firsts)
            .map(|first| self.batch(first, &listed, board.clone()))
            .buffer_unordered(UNDER_WAY);
        let mut filled = Filled { new: 0, known: 0 };
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            filled.new += batch.new;
            filled.known += batch.known;
            done(batch.new + batch.known);
        }
        Ok(filled)
    }

    async fn batch(
        &self,
        first: u64,
        market: &[Listed<'_>],
        board: Arc<PriceBoard>,
    ) -> Result<Filled, Failed> {
        let mut people = Vec::new();
        let mut known = 0;
        for number in first..(first + TOGETHER).min(self.people + 1) {
            match self.is_known(&user(number)).await? {
                true => known += 1,
                false => people.push(
                    draw(self.seed, number, market)
                        .map_err(Refusal::no_decimal(format!("what {} has", user(number))))?,
                ),
            }
        }
        let new = people.len() as u64;
        if new > 0 {
            self.store.found(people, board, ENTERED).await?;
        }
        Ok(Filled { new, known })
    }

    /// Whether a person is there, drawn by this seed.
    async fn is_known(&self, user: &UserId) -> Result<bool, Failed> {
        let found = self.store.portfolios(user, Page::first(1)).await?;
        if found.generation == 0 {
            return Ok(false);
        }
        match found.value.first() {
            Some(first) if first.description.as_ref() == Some(&mark(self.seed)) => Ok(true),
            _ => Err(Failed::Taken { user: user.to_string(), seed: self.seed }),
        }
    }

    /// The ids of all tokens by their providers' numbers; those that are not there are written down.
    async fn list(&self, coins: &[Coin]) -> Result<HashMap<i64, TokenId>, Refusal> {
        let names: Vec<String> =
            coins.iter().map(|coin| format!("#{}", coin.token.provider_id)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let known = self.store.tokens_called(&names).await?;
        let known: HashSet<i64> = known.iter().map(|token| token.provider_id).collect();
        let new = coins.iter().filter(|coin| !known.contains(&coin.token.provider_id));
        self.store.put_tokens(new.map(|coin| coin.token.clone()).collect()).await?;
        let all = self.store.tokens_called(&names).await?;
        debug_assert_eq!(all.len(), TOKENS);
        Ok(all.into_iter().map(|token| (token.provider_id, token.id)).collect())
    }

    /// All prices as they are now; tokens that have none get one.
    async fn price(&self, listed: &[Listed<'_>]) -> Result<PriceBoard, Refusal> {
        let (known, version) = self.store.prices_since(0).await?;
        let observed_at = Moment::now();
        let price =
            |one: &Listed<'_>| Ok((one.id, Price { price: one.coin.price()?, observed_at }));
        let new = listed.iter().filter(|one| !known.contains_key(&one.id)).map(price);
        let new: Prices = new
            .collect::<Result<_, NoDecimal>>()
            .map_err(Refusal::no_decimal("the price of a token"))?;
        if new.is_empty() {
            return Ok(PriceBoard { prices: known, version });
        }
        let version = self.store.put_prices(new.clone()).await?;
        Ok(PriceBoard { prices: known.into_iter().chain(new).collect(), version })
    }
}
