//! How the databases look things up: by index, however full the tables are.

use super::{
    ahead, alerts, bounds,
    contract::Fixture,
    dashboard, firing, folding, forecasts, holdings, keys, portfolios,
    query::{Query, Value},
    steps, strategies, tokens, transactions, watching,
};
use crate::domain::{decimal::Decimal, moment::Moment, portfolio::id::TokenId};

/// Numbered rows for either database, 0 to 19,999.
const NUMBERS: &str = "with recursive digits (d) as (select 0 union all select d + 1 from digits where d < 9), \
    numbers (n) as (select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d \
    from digits a, digits b, digits c, digits e, digits f where f.d < 2) ";

/// (table and columns, how many rows, each row of `n`): 1,000 people, 2 portfolios each, 10 transactions in each of
/// these, and so on.
const ROWS: &[(&str, u32, &str)] = &[
    ("people (owner, generation)", 1_000, "'u' || n, 1"),
    (
        "tokens (id, symbol, name, symbol_key, name_key, provider_id)",
        10_000,
        "'t' || n, 'S' || n, 'N' || n, 's' || n, 'n' || n, n + 5000",
    ),
    ("prices (token, price, observed_at, version)", 10_000, "'t' || n, '1', 1, n"),
    (
        "portfolios (id, owner, name, is_default, created_at, updated_at)",
        2_000,
        "'p' || n, 'u' || (n / 2), 'name' || n, n % 2 = 0, 1, 1",
    ),
    (
        "transactions (id, owner, portfolio, token, kind, quantity, amount, occurred_at)",
        20_000,
        "'x' || n, 'u' || (n / 20), 'p' || (n / 10), 't' || (n % 7), 'buy', '1', '1', n",
    ),
    (
        "holdings (portfolio, token, owner, quantity, invested, realized, count, last_at, last_id)",
        20_000,
        "'p' || (n / 10), 't' || (n % 10), 'u' || (n / 20), '1', '1', '0', 7, n, 'x'",
    ),
    (
        "holding_checkpoints (portfolio, token, count, last_at, last_id, quantity, invested, realized)",
        20_000,
        "'p' || (n / 10), 't' || (n % 10), 256, n, 'x', '1', '1', '0'",
    ),
    (
        "strategies (id, owner, token, name, base_quantity, reference_price, status, created_at, updated_at)",
        5_000,
        "'s' || n, 'u' || (n / 5), 't' || (n % 100), 'name', '1', '1', 'draft', 1, 1",
    ),
    (
        "strategy_steps (id, strategy, position, target_kind, target_value, sell_percent, target_price, state, \
         alert_reached, watched_token, fires_from, fires_until)",
        15_000,
        "'e' || n, 's' || (n / 3), n % 3, 'price', '1', '1', '1', 'pending', true, 't' || (n / 3 % 100), '' || n, '~'",
    ),
    (
        "forecasts (id, owner, portfolio, name, created_at, updated_at, stale)",
        10_000,
        "'f' || n, 'u' || (n / 10), 'p' || (n / 5), 'name', 1, 1, n % 100 = 0",
    ),
    (
        "forecast_strategies (forecast, token, strategy)",
        20_000,
        "'f' || (n / 2), 't' || (n % 10), 's' || (n / 4)",
    ),
    (
        "alerts (id, owner, strategy, step, token, kind, target_price, price, fired_at)",
        10_000,
        "'a' || n, 'u' || (n / 10), 's' || (n / 2), 'e' || n, 't' || (n % 100), 'target_reached', '1', '1', 1",
    ),
    (
        "idempotency_keys (owner, key, request, answer, created_at)",
        10_000,
        "'u' || (n / 10), 'k' || n, 'r', '{}', n",
    ),
];

fn fill(it: &Fixture) {
    for (table, rows, columns) in ROWS {
        let n =
            format!("{NUMBERS} insert into {table} select {columns} from numbers where n < {rows}");
        it.sql(&n);
    }
}

/// What people wait for, each as it is asked.
fn hot() -> Vec<Query> {
    let user = "u500";
    let list = |text, after: &str| Query::new(text).bind(user).bind(after).bind(50usize);
    let one = |text, id: &str| Query::new(text).bind(id).bind(user);
    let several = |text, ids: &[&str]| Query::new(text).list(ids.iter().copied()).and(")");
    let base: [[Value; 3]; 2] =
        [["t1".into(), 10_000i64.into(), "x".into()], ["t2".into(), i64::MIN.into(), "".into()]];
    let following = Query::new("with base (token, last_at, last_id) as (values ").rows(base);
    vec![
        several(dashboard::PRESENT, &["u1", "u500"]),
        list(portfolios::LIST, ""),
        one(portfolios::ONE, "p1000"),
        Query::new(holdings::OF_OWNER).bind(user),
        Query::new(holdings::OF_PORTFOLIO).bind(user).bind("p1000"),
        Query::new(transactions::LIST).bind("p1000").bind(i64::MAX).bind("~").bind(50usize),
        one(transactions::ONE, "x10000"),
        Query::new(folding::ENDS).bind("p1000").list(["t1", "t2"]).and(")"),
        Query::new(folding::CHECKPOINTS).bind("p1000").list(["t1", "t2"]).and(")"),
        following
            .and(folding::FOLLOWING)
            .value("p1000")
            .and(" order by t.token, t.occurred_at, t.id"),
        list(strategies::LIST, ""),
        one(strategies::ONE, "s2500"),
        several(steps::STEPS, &["s2500", "s2501"]).and(" order by strategy, position"),
        Query::new(strategies::TOKENS_OF).bind(user).list(["s2500", "s2501"]).and(")"),
        Query::new(alerts::ARMED).bind("s2500"),
        firing::moved(&[(TokenId::new(), Decimal::ONE), (TokenId::new(), Decimal::HUNDRED)])
            .and(firing::DUE)
            .value(50usize),
        several(watching::STEPS, &["s2500", "s2501"]),
        list(alerts::FIRED, "~"),
        list(forecasts::LIST, ""),
        list(forecasts::APPLIED_BY_LISTED, ""),
        one(forecasts::ONE, "f5000"),
        several(forecasts::APPLIED, &["f5000", "f5001"]),
        Query::new(ahead::STALE).bind("").bind(50usize),
        Query::new(ahead::EXPECTED).list(["u500", "u501"]).and(ahead::RANKED).value(50usize),
        several(ahead::PEOPLE, &["u500", "u501"]),
        several(holdings::OF_PORTFOLIOS, &["p1000", "p1001"]),
        ahead::keeping(
            &[["f5000".into(), "{}".into()], ["f5001".into(), "{}".into()]],
            1,
            Moment::now(),
        ),
        Query::new(forecasts::OUTDATE_OF_PORTFOLIO).bind(true).bind("p1000").bind(user),
        Query::new(forecasts::OUTDATE_OF_STRATEGY).bind(true).bind(user).bind("s2500"),
        begins(tokens::BY_SYMBOL, "s12"),
        begins(tokens::BY_NAME, "n12"),
        several(tokens::BY_IDS, &["t1", "t2"]),
        several(tokens::BY_SYMBOLS, &["s1", "s2"]),
        Query::new(tokens::BY_NUMBERS).list([1i64, 1027]).and(")"),
        Query::new(tokens::PRICES_SINCE).bind(9_900i64),
        Query::new(bounds::ENTERED).bind(user),
        Query::new(bounds::HELD).bind("p1000").list(["t1", "t2"]).and(")"),
        Query::new(bounds::STRATEGIES).bind(user),
        Query::new(bounds::FORECASTS).bind(user),
        Query::new(keys::OVER).bind(100i64).bind(50usize),
        Query::new("delete from portfolios where id = $1").bind("p1000"),
        Query::new("delete from strategies where id = $1").bind("s2500"),
    ]
}

fn begins(text: &'static str, with: &str) -> Query {
    Query::new(text).bind(with).bind(format!("{with}~")).bind(with).bind("").bind(10usize)
}

#[actix::test]
async fn postgresql_scans_no_table() {
    let it = Fixture::postgres().await;
    fill(&it);
    it.sql("analyze");
    for query in hot() {
        let plan = it.plan(&query.literal());
        let scans: Vec<_> = plan.iter().filter(|line| line.contains("Seq Scan")).collect();
        assert!(scans.is_empty(), "{query}\n{}", plan.join("\n"));
    }
    let all = it.plan("select * from transactions where notes = 'x'");
    assert!(all.iter().any(|line| line.contains("Seq Scan")), "the planner may: {all:?}");
}

#[actix::test]
async fn sqlite_scans_no_table() {
    let it = Fixture::sqlite().await;
    fill(&it);
    for query in hot() {
        let plan = it.plan(&query.literal());
        // Of what the query brings along itself.
        let own = |line: &str| {
            [
                "SCAN base",
                "SCAN moved",
                "SCAN ranked",
                // What a window function sorts; where that comes from is a line of its own.
                "SCAN (subquery",
                "SCAN foreseen",
            ]
            .iter()
            .any(|own| line.starts_with(own))
                || line.contains("CONSTANT ROW")
        };
        let scans = plan.iter().any(|line| line.starts_with("SCAN") && !own(line));
        assert!(!scans, "{query}\n{}", plan.join("\n"));
    }
    assert!(it.plan("select * from transactions where notes = 'x'")[0].starts_with("SCAN"));
}
