-- Who does what only one node may do. The number rises each time that it changes hands.
create table leases (
    name text collate "C" primary key,
    holder text not null,
    fence bigint not null,
    ends_at bigint not null
);

-- Whose price anybody wants to know.
create index holdings_by_token on holdings (token);
create index strategies_by_token on strategies (token);

-- At which prices of which token a step has an alert to fire: from one on, and below another. Null: at none. Twenty digits, a
-- point, eighteen digits, so that they sort as text like the numbers that they are.
alter table strategy_steps add column watched_token text collate "C";
alter table strategy_steps add column fires_from text collate "C";
alter table strategy_steps add column fires_until text collate "C";
create index strategy_steps_watched on strategy_steps (watched_token, fires_from) where watched_token is not null;
