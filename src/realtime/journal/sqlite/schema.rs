//! The journal's tables as diesel sees them; `migrations/sqlite` creates them and says what they hold.

diesel::table! {
    journal_meta (id) {
        id -> BigInt,
        generation -> Text,
        copied -> BigInt,
    }
}

diesel::table! {
    journal_channels (id) {
        id -> BigInt,
        name -> Text,
        life -> BigInt,
        top -> BigInt,
        removed -> BigInt,
        published_at -> BigInt,
        version_number -> Nullable<BigInt>,
        version_epoch -> Nullable<Text>,
    }
}

diesel::table! {
    journal_lives (slot) {
        slot -> BigInt,
        life -> BigInt,
    }
}

diesel::table! {
    journal_publications (id) {
        id -> BigInt,
        at -> BigInt,
        flags -> BigInt,
        data -> Binary,
        user -> Nullable<Text>,
        client -> Nullable<Text>,
        conn_info -> Nullable<Binary>,
        chan_info -> Nullable<Binary>,
        tags -> Nullable<Text>,
    }
}

diesel::table! {
    journal_keys (channel, who) {
        channel -> BigInt,
        who -> Binary,
        data -> Binary,
        position -> BigInt,
        at -> BigInt,
    }
}

diesel::table! {
    journal_writers (id) {
        id -> BigInt,
        name -> Binary,
        seq -> BigInt,
        at -> BigInt,
        closed -> BigInt,
    }
}

diesel::table! {
    journal_feed (id) {
        id -> BigInt,
        at -> BigInt,
        body -> Binary,
    }
}
