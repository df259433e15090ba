-- What people own, plan and expect: docs/PORTFOLIO.md. Ids are UUIDs version 7 as text, decimals are text in as few
-- digits as say them, times are microseconds since 1970. `owner` is the user's id as tokens have it.

-- Raised first by each transaction that writes a person's data: the row's lock makes one writer a person, the number
-- tells caches what is old.
create table people (
    owner text collate "C" primary key,
    generation bigint not null
) with (fillfactor = 50);

create table tokens (
    id text collate "C" primary key,
    symbol text not null,
    name text not null,
    -- Both in lower case, to be searched.
    symbol_key text collate "C" not null,
    name_key text collate "C" not null,
    provider_id bigint not null unique,
    logo_url text
);
create index tokens_by_symbol on tokens (symbol_key, id);
create index tokens_by_name on tokens (name_key, id);

create table prices (
    token text collate "C" primary key references tokens,
    price text not null,
    observed_at bigint not null,
    -- Rises with each write of prices.
    version bigint not null
) with (fillfactor = 50);
create index prices_by_version on prices (version);

-- The last version. Its row's lock makes versions visible in order: who has read one has read all below it.
create table price_versions (
    id integer primary key check (id = 1),
    version bigint not null
);

create table portfolios (
    id text collate "C" primary key,
    owner text collate "C" not null,
    name text not null,
    description text,
    is_default boolean not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (owner, name)
);
create index portfolios_by_owner on portfolios (owner, id);
create unique index portfolios_one_default on portfolios (owner) where is_default;

create table transactions (
    id text collate "C" primary key,
    owner text collate "C" not null,
    portfolio text collate "C" not null references portfolios on delete cascade,
    token text collate "C" not null references tokens,
    kind text not null,
    quantity text not null,
    amount text not null,
    occurred_at bigint not null,
    notes text
);
create index transactions_by_time on transactions (portfolio, occurred_at, id);
create index transactions_by_token on transactions (portfolio, token, occurred_at, id);

-- The fold of its transactions, changed in the same transaction as they are.
create table holdings (
    portfolio text collate "C" not null references portfolios on delete cascade,
    token text collate "C" not null references tokens,
    owner text collate "C" not null,
    quantity text not null,
    invested text not null,
    realized text not null,
    -- How many transactions were folded, and the last of them.
    count bigint not null,
    last_at bigint not null,
    last_id text collate "C" not null,
    primary key (portfolio, token)
) with (fillfactor = 70);
create index holdings_by_owner on holdings (owner, portfolio, token);

-- Where the fold stood after some of the transactions.
create table holding_checkpoints (
    portfolio text collate "C" not null,
    token text collate "C" not null,
    count bigint not null,
    last_at bigint not null,
    last_id text collate "C" not null,
    quantity text not null,
    invested text not null,
    realized text not null,
    primary key (portfolio, token, count),
    foreign key (portfolio, token) references holdings on delete cascade
);

create table strategies (
    id text collate "C" primary key,
    owner text collate "C" not null,
    token text collate "C" not null references tokens,
    name text not null,
    base_quantity text not null,
    reference_price text not null,
    status text not null,
    notes text,
    created_at bigint not null,
    updated_at bigint not null
);
create index strategies_by_owner on strategies (owner, id);
create index strategies_active on strategies (token) where status = 'active';

create table strategy_steps (
    id text collate "C" primary key,
    strategy text collate "C" not null references strategies on delete cascade,
    position bigint not null,
    target_kind text not null,
    target_value text not null,
    sell_percent text not null,
    target_price text not null,
    state text not null,
    triggered_at bigint,
    -- Percent of the target; null: it is not announced before.
    before_percent text,
    alert_reached boolean not null,
    unique (strategy, position)
);

create table forecasts (
    id text collate "C" primary key,
    owner text collate "C" not null,
    portfolio text collate "C" not null references portfolios on delete cascade,
    name text not null,
    notes text,
    created_at bigint not null,
    updated_at bigint not null,
    -- Whether something that it depends on changed since it was computed.
    stale boolean not null,
    -- JSON; null: not computed yet.
    summary text,
    computed_at bigint,
    price_version bigint
);
create index forecasts_by_owner on forecasts (owner, id);
create index forecasts_by_portfolio on forecasts (portfolio);
create index forecasts_stale on forecasts (owner) where stale;

create table forecast_strategies (
    forecast text collate "C" not null references forecasts on delete cascade,
    token text collate "C" not null references tokens,
    strategy text collate "C" not null references strategies on delete cascade,
    primary key (forecast, token)
);
create index forecast_strategies_by_strategy on forecast_strategies (strategy);

-- What fired. A step fires each kind once, whoever evaluates its price.
create table alerts (
    id text collate "C" primary key,
    owner text collate "C" not null,
    strategy text collate "C" not null references strategies on delete cascade,
    step text collate "C" not null,
    token text collate "C" not null references tokens,
    kind text not null,
    target_price text not null,
    price text not null,
    fired_at bigint not null,
    unique (step, kind)
);
create index alerts_by_owner on alerts (owner, id);
create index alerts_by_strategy on alerts (strategy);

-- What a request with an Idempotency-Key was answered.
create table idempotency_keys (
    owner text collate "C" not null,
    key text collate "C" not null,
    -- Digest of what was asked.
    request text not null,
    -- JSON.
    answer text not null,
    created_at bigint not null,
    primary key (owner, key)
);
