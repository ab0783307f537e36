-- Who may ask where. A customer is an address that wrote to a desk with public
-- sign-up, or that somebody added.
ALTER TABLE customers ADD COLUMN named INTEGER NOT NULL DEFAULT 0;   -- 1: somebody set the name, mails do not change it
ALTER TABLE customers ADD COLUMN person INTEGER NOT NULL DEFAULT 0;  -- customers.id of the address that this one was merged into; 0: none
-- PersonKeys
CREATE INDEX customers_by_person ON customers (person) WHERE person <> 0;
CREATE TABLE members (
    customer_id INTEGER NOT NULL,
    desk_id     INTEGER NOT NULL,   -- 0: every desk
    at          INTEGER NOT NULL,
    PRIMARY KEY (customer_id, desk_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE requests ADD COLUMN requester_id INTEGER NOT NULL DEFAULT 0;     -- addresses.id; 0: the mail named no sender
UPDATE requests SET requester_id = ifnull((SELECT id FROM addresses WHERE key = lower(trim(requester_address)) AND key <> ''), 0);
-- Who asked a desk before this version is its customer.
INSERT INTO members (customer_id, desk_id, at)
    SELECT c.id, r.desk_id, max(c.last) FROM requests r JOIN customers c ON c.id = r.requester_id GROUP BY c.id, r.desk_id;

ALTER TABLE requests ADD COLUMN fields TEXT NOT NULL DEFAULT '';             -- JSON object, '' for none
ALTER TABLE requests ADD COLUMN language TEXT NOT NULL DEFAULT '';           -- of the customer's mail; '': the desk's
ALTER TABLE requests ADD COLUMN awaiting_since INTEGER NOT NULL DEFAULT 0;   -- the customer waits for an answer since then; 0: does not
ALTER TABLE requests ADD COLUMN reminded_at INTEGER NOT NULL DEFAULT 0;      -- agents were reminded; 0: not since awaiting_since
ALTER TABLE requests ADD COLUMN resolved_at INTEGER NOT NULL DEFAULT 0;      -- 0: it is not resolved
ALTER TABLE requests ADD COLUMN closed_at INTEGER NOT NULL DEFAULT 0;        -- too late to reopen it since then; 0: not
ALTER TABLE requests ADD COLUMN merged_into INTEGER NOT NULL DEFAULT 0;      -- another request's id; 0: none
ALTER TABLE requests ADD COLUMN spam INTEGER NOT NULL DEFAULT 0;
-- Resolved requests without a time were resolved when they last changed.
UPDATE requests SET resolved_at = updated WHERE state = 'resolved';
-- RequestsToRemind
CREATE INDEX requests_awaiting ON requests (desk_id, awaiting_since) WHERE awaiting_since > 0 AND reminded_at = 0;
-- RequestsToClose
CREATE INDEX requests_to_close ON requests (desk_id, resolved_at) WHERE state = 'resolved' AND closed_at = 0;
-- ExpireRequests
CREATE INDEX requests_closed ON requests (desk_id, closed_at) WHERE closed_at > 0;
-- RequestsOf, Requests of a requester
CREATE INDEX requests_by_requester ON requests (requester_id) WHERE requester_id <> 0;
-- Requests of an agent
CREATE INDEX requests_by_assignee ON requests (assignee) WHERE assignee <> '';
-- What points to a request that is removed
CREATE INDEX requests_linked ON requests (linked_to) WHERE linked_to <> 0;
CREATE INDEX requests_merged ON requests (merged_into) WHERE merged_into <> 0;
-- Whether a raw mail is still needed
CREATE INDEX messages_by_ledger ON messages (ledger_id) WHERE ledger_id <> 0;
-- MergeRequest, and what is removed with a request
CREATE INDEX outbox_by_request ON outbox (request_id) WHERE request_id <> 0;
-- PositionOf, Wanted
CREATE INDEX positions_by_ledger ON positions (ledger_id) WHERE ledger_id <> 0;

-- Whom a notice to an agent is about: the address of the sender who caused it.
ALTER TABLE outbox ADD COLUMN caused_by INTEGER NOT NULL DEFAULT 0;          -- addresses.id; 0: nobody
-- CausedSince
CREATE INDEX outbox_by_cause ON outbox (caused_by, to_id, created_at) WHERE caused_by <> 0;
-- NoticesSince: in a storm nearly all notices wait for a digest
CREATE INDEX outbox_notices ON outbox (to_id, created_at) WHERE caused_by <> 0 AND state <> 'digest' AND state <> 'digested';
-- AutomaticInAll
CREATE INDEX outbox_automatic ON outbox (created_at) WHERE automatic = 1;
-- DigestLines: notices that come with the next digest
CREATE INDEX outbox_digest ON outbox (desk_id, to_id) WHERE state = 'digest';

-- Senders whose mail agents called spam.
CREATE TABLE blocked (
    desk_id    INTEGER NOT NULL,
    key        TEXT NOT NULL,
    request_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (desk_id, key)
) STRICT, WITHOUT ROWID;

-- Mails that a person wants taken and whose text still has to be fetched.
CREATE TABLE wanted (
    ledger_id INTEGER PRIMARY KEY,
    quiet     INTEGER NOT NULL,     -- 1: nobody is told
    by_rule   INTEGER NOT NULL,     -- 1: of what would set it aside only its age is passed over
    at        INTEGER NOT NULL
) STRICT;

-- Mails that the server confirmed to have moved. One that comes back was moved back by a person.
CREATE TABLE moved (
    ledger_id   INTEGER PRIMARY KEY,
    mailbox_id  INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    folder      TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

-- Comparisons of a mailbox with the ledger.
CREATE TABLE reconciliations (
    mailbox_id  INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    listed      INTEGER NOT NULL,   -- mails that the server listed
    missing     INTEGER NOT NULL,   -- of which the ledger knew nothing
    unaccounted INTEGER NOT NULL    -- of these, how many could not be taken
) STRICT;

-- backlog = "import": old mails that are taken without telling anybody.
ALTER TABLE mailboxes ADD COLUMN import_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailboxes ADD COLUMN import_done INTEGER NOT NULL DEFAULT 0;
