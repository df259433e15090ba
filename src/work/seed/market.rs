//! The tokens that drawn people hold: a few that everybody knows and many that nobody does, each with a price.

use std::collections::HashSet;

use super::person::Amount;
use crate::{
    domain::{
        decimal::{Decimal, NoDecimal},
        store::NewToken,
    },
    platform::dice::Dice,
};

/// Tokens in all.
pub const TOKENS: usize = 500;

/// Numbers of invented tokens begin here, where no provider has any.
const INVENTED: i64 = 100_000_001;

/// Symbol, name, the number that CoinMarketCap gives it, and about what it costs, in cents.
const KNOWN: [(&str, &str, i64, u64); 18] = [
    ("BTC", "Bitcoin", 1, 6_000_000),
    ("ETH", "Ethereum", 1027, 300_000),
    ("BNB", "BNB", 1839, 60_000),
    ("SOL", "Solana", 5426, 15_000),
    ("XRP", "XRP", 52, 60),
    ("ADA", "Cardano", 2010, 40),
    ("DOGE", "Dogecoin", 74, 12),
    ("LTC", "Litecoin", 2, 7_000),
    ("DOT", "Polkadot", 6636, 500),
    ("LINK", "Chainlink", 1975, 1_200),
    ("AVAX", "Avalanche", 5805, 2_600),
    ("TRX", "TRON", 1958, 14),
    ("XLM", "Stellar", 512, 10),
    ("BCH", "Bitcoin Cash", 1831, 40_000),
    ("ATOM", "Cosmos", 3794, 500),
    ("XMR", "Monero", 328, 16_000),
    ("ETC", "Ethereum Classic", 1321, 2_000),
    ("UNI", "Uniswap", 7083, 800),
];

const SYLLABLES: [&str; 24] = [
    "ba", "cor", "da", "el", "fi", "gal", "hu", "in", "ja", "ko", "lum", "mi", "no", "or", "pa",
    "qui", "ra", "sol", "ta", "um", "ve", "wen", "xi", "zor",
];

/// A token of the market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coin {
    pub token: NewToken,
    /// What one costs now.
    pub price: Amount,
}

impl Coin {
    /// What one costs now, USD.
    pub fn price(&self) -> Result<Decimal, NoDecimal> {
        self.price.decimal()
    }
}

/// All tokens of a seed; those that most people hold first.
pub fn market(seed: u64) -> Vec<Coin> {
    let mut dice = Dice::new(seed);
    let mut coins: Vec<Coin> = Vec::with_capacity(TOKENS);
    for (symbol, name, number, cents) in KNOWN {
        let price = Amount::cents(cents).percent(90 + dice.below(21));
        coins.push(coin(symbol.into(), name.into(), number, price));
    }
    let mut symbols: HashSet<String> = coins.iter().map(|coin| coin.token.symbol.clone()).collect();
    for number in INVENTED.. {
        if coins.len() == TOKENS {
            break;
        }
        let (symbol, name) = loop {
            let (symbol, name) = invented(&mut dice);
            if symbols.insert(symbol.clone()) {
                break (symbol, name);
            }
        };
        // From a hundredth of a cent to 1,000 dollars, as often a little as a lot.
        let price = Amount::units(10_000 * 10u64.pow(dice.below(7) as u32));
        coins.push(coin(symbol, name, number, price.percent(100 + dice.below(900))));
    }
    coins
}

fn coin(symbol: String, name: String, provider_id: i64, price: Amount) -> Coin {
    Coin { token: NewToken { symbol, name, provider_id, logo_url: None }, price }
}

/// A name like Corvelum, and the first letters of it with a last one that sets it apart.
fn invented(dice: &mut Dice) -> (String, String) {
    let mut syllable = || dice.one_of(&SYLLABLES).copied().unwrap_or_default();
    let name: String = [(); 3].map(|()| syllable()).concat();
    let (first, rest) = name.split_at(1);
    let name = format!("{}{rest}", first.to_uppercase());
    let letters: String = name.chars().take(3).collect();
    let last = char::from(b'A' + dice.below(26) as u8);
    (format!("{}{last}", letters.to_uppercase()), name)
}
