-- Users and tokens that are not let in. Times are Unix seconds by the nodes' clocks, like those in tokens.
create table barred (
    -- 1: a user; 2: a token, by its jti; 3: a user's tokens that were issued before `before`.
    kind smallint not null,
    name text not null,
    before bigint not null,
    -- Null: for ever.
    until bigint,
    primary key (kind, name)
);
