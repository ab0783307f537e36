-- POP3 names its mails by unique-ids (RFC 1939 section 7); each is given a
-- number, ascending in the order of appearance, that stands for it everywhere
-- else. All rows of a mailbox have the same uidvalidity.
CREATE TABLE unique_ids (
    mailbox_id  INTEGER NOT NULL,
    unique_id   TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    seen        INTEGER NOT NULL,   -- day when it was last listed, yyyymmdd; 0: we deleted the mail
    PRIMARY KEY (mailbox_id, unique_id)
) STRICT, WITHOUT ROWID;
-- NumberUniqueIDs: the highest number; DeletedUniqueIDs
CREATE UNIQUE INDEX unique_ids_by_uid ON unique_ids (mailbox_id, uid);
-- NumberUniqueIDs: those that may be forgotten
CREATE INDEX unique_ids_by_seen ON unique_ids (mailbox_id, seen);
