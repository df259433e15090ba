-- Who does what only one node may do. The number rises each time that it changes hands.
create table leases (
    name text primary key not null,
    holder text not null,
    fence bigint not null,
    ends_at bigint not null
) without rowid;

-- Whose price anybody wants to know.
create index holdings_by_token on holdings (token);
create index strategies_by_token on strategies (token);
