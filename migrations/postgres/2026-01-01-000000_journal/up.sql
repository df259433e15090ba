-- The journal. What a commit touches, and why the tables are cut as they are: docs/JOURNAL.md.
-- Times are milliseconds since 1970 by the database's clock. Functions carry a version in their name:
-- nodes of two versions run side by side, and what nobody calls any more goes one release later.

create table journal_meta (
    id integer primary key check (id = 1),
    -- First half of every epoch.
    generation text not null,
    -- The server that it was drawn on, and that server's timeline: on another one it is drawn anew.
    system text not null,
    timeline text not null
);

-- The row of a channel is its lock: whoever numbers publications holds it until the commit, so that
-- offsets become visible in order.
create table journal_channels (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    -- Second half of the epoch; -1 only within the transaction that creates the row.
    life bigint not null,
    top bigint not null,
    -- Publications up to here were removed by hand.
    removed bigint not null,
    -- Time of the newest publication.
    published_at bigint not null,
    -- As signed numbers in the same order: 0 is the smallest bigint.
    version_number bigint,
    version_epoch text
) with (fillfactor = 50);

-- Where the next life of a dropped channel begins, by a hash of its name.
create table journal_lives (
    slot integer primary key,
    life bigint not null
);

create table journal_publications (
    channel bigint not null,
    position bigint not null,
    at bigint not null,
    flags integer not null,
    data bytea not null,
    "user" text,
    client text,
    conn_info bytea,
    chan_info bytea,
    tags text,
    primary key (channel, position)
);
-- Messages are encrypted or small: packing them costs time and gains nothing.
alter table journal_publications alter column data set storage external;

-- who = digest of publisher and key; data = digest of what was published under it.
create table journal_keys (
    channel bigint not null,
    who bytea not null,
    data bytea not null,
    position bigint not null,
    at bigint not null,
    primary key (channel, who)
);
create index journal_keys_at on journal_keys (at);

create table journal_writers (
    id bigint generated always as identity primary key,
    name uuid not null unique,
    -- Its last committed batch.
    seq bigint not null,
    at bigint not null,
    closed boolean not null
) with (fillfactor = 50);

-- What a batch did: its channels with the greatest new offset of each (0: none), then for each append
-- the place of its channel there, and what became of those that are not new publications.
create table journal_feed (
    writer bigint not null,
    seq bigint not null,
    at bigint not null,
    channels bigint[] not null,
    tops bigint[] not null,
    heads integer[] not null,
    odd_ordinals integer[] not null,
    odd_kinds smallint[] not null,
    odd_positions bigint[] not null,
    -- What the node says to all that follow; a batch may hold nothing else.
    notes bytea[] not null,
    primary key (writer, seq)
);
create index journal_feed_at on journal_feed (at, seq);

create function journal_now_v1(p_now bigint) returns bigint
language sql volatile parallel safe as $$
    select coalesce(p_now, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
$$;

-- The counter that says in which life a channel of this name begins.
create function journal_slot_v1(p_name text) returns integer
language sql immutable parallel safe as $$
    select get_byte(sha256(convert_to(p_name, 'UTF8')), 0) * 256 + get_byte(sha256(convert_to(p_name, 'UTF8')), 1)
$$;

-- The generation of the journal. On another server or timeline than the one that it was drawn on it
-- becomes p_drawn: a standby that was promoted may lack what the old primary acknowledged.
create function journal_generation_v1(p_drawn text, p_system text, p_timeline text) returns text
language plpgsql volatile as $$
declare
    v_meta journal_meta;
begin
    select * into v_meta from journal_meta where id = 1;
    if v_meta.system = p_system and v_meta.timeline = p_timeline then
        return v_meta.generation;
    end if;
    insert into journal_meta (id, generation, system, timeline) values (1, p_drawn, p_system, p_timeline)
        on conflict (id) do nothing;
    select * into v_meta from journal_meta where id = 1 for update;
    if v_meta.system = p_system and v_meta.timeline = p_timeline then
        return v_meta.generation;
    end if;
    update journal_meta set generation = p_drawn, system = p_system, timeline = p_timeline where id = 1;
    delete from journal_lives;
    return p_drawn;
end
$$;

-- Appends one batch. p_names: its channels, each once, in the order of their bytes; p_heads: for each
-- append the place of its channel there. p_notes: any number of notes, kept as they are. The other arrays have an
-- element an append, null for what it lacks.
--
-- Returns four numbers an append: its ordinal from 0, what became of it (0 new, 1 duplicate, 2 key reused,
-- 3 superseded), the offset, the life of its channel. Raises if the writer may not append this batch.
create function journal_append_v1(
    p_writer uuid,
    p_seq bigint,
    p_now bigint,
    p_names text[],
    p_heads integer[],
    p_keys bytea[],
    p_digests bytea[],
    p_version_numbers bigint[],
    p_version_epochs text[],
    p_flags integer[],
    p_data bytea[],
    p_users text[],
    p_clients text[],
    p_conn_infos bytea[],
    p_chan_infos bytea[],
    p_tags text[],
    p_notes bytea[]
) returns bigint[]
language plpgsql volatile as $$
declare
    -- Longer than the 5 minutes that are promised, by as much as a retry may spend on its way.
    c_key_ttl constant bigint := 6 * 60 * 1000;
    v_now bigint := journal_now_v1(p_now);
    v_writer journal_writers;
    v_count integer := cardinality(p_heads);
    -- By channel.
    v_names text[];
    v_ids bigint[];
    v_lives bigint[];
    v_tops bigint[];
    v_times bigint[];
    v_version_numbers bigint[];
    v_version_epochs text[];
    v_fresh bigint[];
    -- By append.
    v_positions bigint[];
    v_results bigint[];
    v_odd_ordinals integer[] := '{}';
    v_odd_kinds smallint[] := '{}';
    v_odd_positions bigint[] := '{}';
    v_head integer;
    v_kind smallint;
    v_position bigint;
    v_known bytea;
begin
    -- The writer's row is its lock: settling waits for what is under way.
    select * into v_writer from journal_writers where name = p_writer for update;
    if not found then
        insert into journal_writers (name, seq, at, closed) values (p_writer, 0, v_now, false)
            on conflict (name) do nothing;
        select * into v_writer from journal_writers where name = p_writer for update;
    end if;
    if v_writer.closed then
        raise exception 'this writer was closed';
    end if;
    if p_seq is distinct from v_writer.seq + 1 then
        raise exception 'batch % of a writer came after %', p_seq, v_writer.seq;
    end if;

    -- Every batch takes the locks of its channels in the same order. A row that was there may be
    -- forgotten before it is locked: then it is created anew.
    for v_attempt in 1..3 loop
        insert into journal_channels (name, life, top, removed, published_at)
            select n, -1, 0, 0, 0 from unnest(p_names) n
            where not exists (select from journal_channels c where c.name = n)
            order by n collate "C"
            on conflict (name) do nothing;
        select array_agg(l.name), array_agg(l.id), array_agg(l.life), array_agg(l.top), array_agg(l.published_at),
               array_agg(l.version_number), array_agg(l.version_epoch)
            into v_names, v_ids, v_lives, v_tops, v_times, v_version_numbers, v_version_epochs
            from (select * from journal_channels where name = any(p_names) order by name for no key update) l;
        exit when v_names = p_names or cardinality(p_names) = 0;
    end loop;
    v_ids := coalesce(v_ids, '{}');
    if coalesce(v_names, '{}') <> p_names then
        raise exception 'channels were forgotten meanwhile, or came in another order than that of their bytes'
            using errcode = 'serialization_failure';
    end if;

    -- From here on each statement sees what those who held the locks before have committed.
    for v_head in 1..cardinality(p_names) loop
        if v_lives[v_head] < 0 then
            v_lives[v_head] := coalesce(
                (select life from journal_lives where slot = journal_slot_v1(p_names[v_head])), 0);
            update journal_channels set life = v_lives[v_head] where id = v_ids[v_head];
        end if;
    end loop;

    v_fresh := array_fill(0::bigint, array[cardinality(p_names)]);
    v_positions := array_fill(null::bigint, array[v_count]);
    v_results := array_fill(0::bigint, array[4 * v_count]);
    for v_at in 1..v_count loop
        v_head := p_heads[v_at];
        v_kind := 0;
        v_position := 0;
        if p_keys[v_at] is not null then
            select data, position into v_known, v_position from journal_keys
                where channel = v_ids[v_head] and who = p_keys[v_at] and at > v_now - c_key_ttl;
            if found then
                v_kind := case when v_known = p_digests[v_at] then 1 else 2 end;
            end if;
        end if;
        if v_kind = 0 and p_version_numbers[v_at] is not null then
            if v_version_epochs[v_head] = p_version_epochs[v_at]
                and p_version_numbers[v_at] <= v_version_numbers[v_head] then
                v_kind := 3;
                v_position := v_tops[v_head];
            else
                v_version_numbers[v_head] := p_version_numbers[v_at];
                v_version_epochs[v_head] := p_version_epochs[v_at];
            end if;
        end if;
        if v_kind = 0 then
            v_position := v_tops[v_head] + 1;
            v_tops[v_head] := v_position;
            v_fresh[v_head] := v_position;
            v_positions[v_at] := v_position;
            if p_keys[v_at] is not null then
                insert into journal_keys (channel, who, data, position, at)
                    values (v_ids[v_head], p_keys[v_at], p_digests[v_at], v_position, v_now)
                    on conflict (channel, who) do update
                    set data = excluded.data, position = excluded.position, at = excluded.at;
            end if;
        else
            v_odd_ordinals := v_odd_ordinals || (v_at - 1);
            v_odd_kinds := v_odd_kinds || v_kind;
            v_odd_positions := v_odd_positions || v_position;
        end if;
        v_results[4 * v_at - 3] := v_at - 1;
        v_results[4 * v_at - 2] := v_kind;
        v_results[4 * v_at - 1] := v_position;
        v_results[4 * v_at] := v_lives[v_head];
    end loop;

    -- Times never fall within a channel, or retention by age would tear holes into it.
    for v_head in 1..cardinality(p_names) loop
        v_times[v_head] := greatest(v_times[v_head], v_now);
    end loop;
    insert into journal_publications
            (channel, position, at, flags, data, "user", client, conn_info, chan_info, tags)
        select v_ids[u.head], u.position, v_times[u.head], u.flags, u.data, u.who, u.client, u.conn_info,
               u.chan_info, u.tags
        from unnest(p_heads, v_positions, p_flags, p_data, p_users, p_clients, p_conn_infos, p_chan_infos, p_tags)
            as u(head, position, flags, data, who, client, conn_info, chan_info, tags)
        where u.position is not null
        order by 1, 2;
    update journal_channels c
        set top = t.top, published_at = t.at, version_number = t.version_number, version_epoch = t.version_epoch
        from unnest(v_ids, v_tops, v_times, v_version_numbers, v_version_epochs, v_fresh)
            as t(id, top, at, version_number, version_epoch, fresh)
        where c.id = t.id and t.fresh > 0;
    insert into journal_feed (writer, seq, at, channels, tops, heads, odd_ordinals, odd_kinds, odd_positions, notes)
        values (v_writer.id, p_seq, greatest(v_writer.at, v_now), v_ids, v_fresh, p_heads, v_odd_ordinals,
                v_odd_kinds, v_odd_positions, p_notes);
    update journal_writers set seq = p_seq, at = greatest(at, v_now) where id = v_writer.id;
    return v_results;
end
$$;

-- Whether the batch (writer, seq) was committed: the writer's id. If it was not, the writer is closed for good.
-- Waits for a batch of that writer that is still under way.
create function journal_settle_v1(p_writer uuid, p_seq bigint, p_now bigint) returns bigint
language plpgsql volatile as $$
declare
    v_writer journal_writers;
begin
    insert into journal_writers (name, seq, at, closed) values (p_writer, 0, journal_now_v1(p_now), true)
        on conflict (name) do nothing;
    select * into v_writer from journal_writers where name = p_writer for update;
    if p_seq <= v_writer.seq then
        return v_writer.id;
    end if;
    update journal_writers set closed = true where id = v_writer.id and not closed;
    return null;
end
$$;

-- Drops the row of a channel in which nothing stands; its name goes on in another life. Says whether it did.
-- Leaves it alone while somebody appends to it.
create function journal_forget_v1(p_channel bigint, p_published_at bigint) returns boolean
language plpgsql volatile as $$
declare
    v_channel journal_channels;
begin
    select * into v_channel from journal_channels where id = p_channel for update skip locked;
    if not found or v_channel.published_at <> p_published_at
        or exists (select from journal_publications where channel = p_channel) then
        return false;
    end if;
    insert into journal_lives as l (slot, life) values (journal_slot_v1(v_channel.name), v_channel.life + 1)
        on conflict (slot) do update set life = greatest(l.life, excluded.life);
    delete from journal_channels where id = p_channel;
    return true;
end
$$;
