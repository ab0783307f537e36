-- Times are unix milliseconds, 0 for "never"; addresses that are matched stand
-- in *_key, lower case, beside the form that is shown. Every index names the
-- query that it serves. Ids come from the sequences table, so that none is ever
-- used twice, not even when everything was deleted in between.

PRAGMA application_id = 0x68656c70;

CREATE TABLE sequences (
    name TEXT PRIMARY KEY,      -- "ledger", "request", …; "key:SUP" for the keys of requests
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How many mails of a desk had which outcome (day 0: in all; else yyyymmdd);
-- "outbox:waiting" and the like count lines of the outbox.
CREATE TABLE counters (
    desk_id INTEGER NOT NULL,
    name    TEXT NOT NULL,
    day     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (day, desk_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE desks (
    id      INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    key     TEXT NOT NULL,
    name    TEXT NOT NULL
) STRICT;

CREATE TABLE mailboxes (
    id          INTEGER PRIMARY KEY,
    desk_id     INTEGER NOT NULL REFERENCES desks (id),
    protocol    TEXT NOT NULL,
    host        TEXT NOT NULL,
    username    TEXT NOT NULL,
    folder      TEXT NOT NULL,
    opened_at   INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    skip_below  INTEGER NOT NULL,
    skip_done   INTEGER NOT NULL,
    next_uid    INTEGER NOT NULL,
    UNIQUE (desk_id, protocol, host, username, folder)
) STRICT;

-- A row lives as long as the server lists the mail.
CREATE TABLE positions (
    mailbox_id  INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid         ANY NOT NULL,       -- INTEGER: IMAP UID; TEXT: POP3 unique-id
    ledger_id   INTEGER NOT NULL,   -- 0: not decided yet
    size        INTEGER NOT NULL,
    header_hash BLOB,               -- 16 bytes, NULL when unknown
    retry_at    INTEGER NOT NULL,
    breaks      INTEGER NOT NULL,
    PRIMARY KEY (mailbox_id, uidvalidity, uid)
) STRICT, WITHOUT ROWID;
-- PositionsByHash
CREATE INDEX positions_by_hash ON positions (mailbox_id, header_hash) WHERE header_hash IS NOT NULL;
-- DueRetries
CREATE INDEX positions_by_retry ON positions (mailbox_id, uidvalidity, retry_at) WHERE retry_at > 0;

-- What the server is still to be told. A table of its own, so that telling it
-- rewrites no position.
CREATE TABLE pending (
    mailbox_id  INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid         ANY NOT NULL,
    action      TEXT NOT NULL,      -- "seen", "delete" or "move:FOLDER"
    PRIMARY KEY (mailbox_id, uidvalidity, uid)
) STRICT, WITHOUT ROWID;

-- Every address that wrote to us or that we wrote to. Lines that are looked up by
-- address carry its number: newcomers have the highest, so that those indexes
-- grow at their end instead of all over.
CREATE TABLE addresses (
    id  INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE ledger (
    id           INTEGER PRIMARY KEY,
    desk_id      INTEGER NOT NULL,
    mailbox_id   INTEGER NOT NULL,
    uidvalidity  INTEGER NOT NULL,
    uid          ANY NOT NULL,
    message_id   TEXT NOT NULL,
    from_name    TEXT NOT NULL,
    from_address TEXT NOT NULL,
    from_id      INTEGER NOT NULL,
    subject      TEXT NOT NULL,
    seen_at      INTEGER NOT NULL,
    outcome      TEXT NOT NULL,
    rule         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    reason_args  TEXT NOT NULL,     -- JSON object, '' for none
    passed       TEXT NOT NULL,     -- slugs with spaces between
    request_id   INTEGER NOT NULL,
    fingerprint  BLOB,              -- 16 bytes, NULL when the mail was not read
    size         INTEGER NOT NULL,
    raw_state    TEXT NOT NULL,
    problems     TEXT NOT NULL      -- slugs with spaces between
) STRICT;
-- Entries of a desk or an outcome
CREATE INDEX ledger_by_outcome ON ledger (desk_id, outcome);
-- Entries from an address
CREATE INDEX ledger_by_from ON ledger (from_id);

-- Kept for ever, also when the ledger's line has expired.
CREATE TABLE fingerprints (
    desk_id     INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    ledger_id   INTEGER NOT NULL,
    PRIMARY KEY (desk_id, fingerprint)
) STRICT, WITHOUT ROWID;

-- The raw mail of ledger line L is the pieces with ids from L*65536 on.
CREATE TABLE raw (
    id     INTEGER PRIMARY KEY,
    codec  INTEGER NOT NULL,        -- 0: as it is; 1: a zstd frame
    length INTEGER NOT NULL,        -- bytes when unpacked
    data   BLOB NOT NULL
) STRICT;

CREATE TABLE requests (
    id                INTEGER PRIMARY KEY,
    desk_id           INTEGER NOT NULL,
    key               TEXT NOT NULL COLLATE NOCASE UNIQUE,
    type              TEXT NOT NULL,
    subject           TEXT NOT NULL,
    state             TEXT NOT NULL,
    requester_name    TEXT NOT NULL,
    requester_address TEXT NOT NULL,
    assignee          TEXT NOT NULL,
    created           INTEGER NOT NULL,
    updated           INTEGER NOT NULL,
    linked_to         INTEGER NOT NULL
) STRICT;
-- Requests of a desk or a state
CREATE INDEX requests_by_state ON requests (desk_id, state);

CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,
    request_id   INTEGER NOT NULL,
    ledger_id    INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    from_name    TEXT NOT NULL,
    from_address TEXT NOT NULL,
    at           INTEGER NOT NULL,
    message_id   TEXT NOT NULL,
    message_hash INTEGER NOT NULL,  -- 64 bits of the Message-ID's SHA-256, 0 for none
    verified     INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    attachments  TEXT NOT NULL,     -- JSON list, '' for none
    reply        TEXT,              -- NULL: the first reply_bytes of text
    reply_bytes  INTEGER NOT NULL,
    text         TEXT NOT NULL
) STRICT;
-- Messages, and how many a request has
CREATE INDEX messages_by_request ON messages (request_id);
-- RequestsByMessageIDs
CREATE INDEX messages_by_message_id ON messages (message_hash) WHERE message_hash <> 0;

CREATE TABLE participants (
    request_id INTEGER NOT NULL,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    address    TEXT NOT NULL,
    role       TEXT NOT NULL,
    PRIMARY KEY (request_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE customers (
    id      INTEGER PRIMARY KEY,    -- addresses.id
    name    TEXT NOT NULL,
    address TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY,
    desk_id      INTEGER NOT NULL,
    request_id   INTEGER NOT NULL,
    event        TEXT NOT NULL,
    message_row  INTEGER NOT NULL,
    to_name      TEXT NOT NULL,
    to_address   TEXT NOT NULL,
    to_id        INTEGER NOT NULL,
    message_id   TEXT NOT NULL,
    in_reply_to  TEXT NOT NULL,
    refs         TEXT NOT NULL,     -- Message-IDs with spaces between
    args         TEXT NOT NULL,     -- JSON object, '' for none
    automatic    INTEGER NOT NULL,
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    sent_at      INTEGER NOT NULL,
    cause        TEXT NOT NULL,
    error        TEXT NOT NULL
) STRICT;
-- DueOutbox, NextDue, Outbox of those waiting
CREATE INDEX outbox_by_due ON outbox (desk_id, next_at) WHERE state = 'waiting';
-- Outbox of the failed and the suspended
CREATE INDEX outbox_by_state ON outbox (state) WHERE state IN ('failed', 'suspended');
-- OutboxByMessageID. Ours begin with the request's number, so that the index
-- grows nearly at its end.
CREATE INDEX outbox_by_message_id ON outbox (message_id);
-- AutomaticSince, Outbox to an address
CREATE INDEX outbox_by_recipient ON outbox (to_id, automatic, created_at);

CREATE TABLE suspended (
    key       TEXT PRIMARY KEY,
    ledger_id INTEGER NOT NULL,     -- the bounce
    status    TEXT NOT NULL,        -- as "5.1.1"
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE health (
    subject   TEXT PRIMARY KEY,
    state     TEXT NOT NULL,
    since     INTEGER NOT NULL,
    last_poll INTEGER NOT NULL,
    next_poll INTEGER NOT NULL,
    step      TEXT NOT NULL,
    protocol  TEXT NOT NULL,
    server    TEXT NOT NULL,
    code      TEXT NOT NULL,
    enhanced  TEXT NOT NULL,
    text      TEXT NOT NULL,
    temporary INTEGER NOT NULL,
    err       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- rowid: messages.id. The text is given as words and pairs of CJK characters,
-- see words.go, and not kept.
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
