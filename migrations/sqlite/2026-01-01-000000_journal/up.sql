-- The journal. What a commit touches, and why the tables are cut as they are: docs/JOURNAL.md.
-- Times are milliseconds since 1970 by the node's clock.

create table journal_meta (
    id integer primary key not null check (id = 1),
    -- First half of every epoch.
    generation text not null,
    -- Set inside a backup: whoever opens it first draws another generation.
    copied integer not null default 0
);

-- Written when a channel begins, and then only when its newest publication goes, when it is
-- removed or when a version is given: an ordinary append reads this table and leaves it alone.
create table journal_channels (
    id integer primary key not null,
    name text not null unique,
    -- Second half of the epoch.
    life bigint not null,
    -- The top is the greater one of this and the newest publication's offset.
    top bigint not null,
    -- Publications up to here were removed by hand.
    removed bigint not null,
    -- Time of the newest publication as far as it is known here.
    published_at bigint not null,
    version_number bigint,
    version_epoch text
);

-- Where the next life of a dropped channel begins, by a hash of its name.
create table journal_lives (
    slot integer primary key not null,
    life bigint not null
);

-- id = channel << 36 | offset: clustered by channel and offset, with one integer to compare.
create table journal_publications (
    id integer primary key not null,
    at bigint not null,
    flags integer not null,
    data blob not null,
    user text,
    client text,
    conn_info blob,
    chan_info blob,
    tags text
);

-- who = digest of publisher and key; data = digest of what was published under it.
create table journal_keys (
    channel bigint not null,
    who blob not null,
    data blob not null,
    position bigint not null,
    at bigint not null,
    primary key (channel, who)
) without rowid;

create table journal_writers (
    id integer primary key not null,
    name blob not null unique,
    -- Last seq of which the feed row is gone.
    seq bigint not null,
    at bigint not null,
    closed integer not null
);

-- id = writer << 36 | seq.
create table journal_feed (
    id integer primary key not null,
    at bigint not null,
    body blob not null
);
