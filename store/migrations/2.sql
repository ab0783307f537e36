-- How we signed in when a part failed: "password", "oauth2", "" before that.
ALTER TABLE health ADD COLUMN auth TEXT NOT NULL DEFAULT '';

-- What is known about signing in to an account, so that we never lock it: kept
-- across restarts, forgotten after a success or when its settings change.
CREATE TABLE sign_ins (
    subject  TEXT PRIMARY KEY,  -- of the health table
    account  TEXT NOT NULL,     -- hash of the settings, the password's content included
    worked   INTEGER NOT NULL,  -- it worked with these settings at least once
    refused  INTEGER NOT NULL,  -- refusals in a row
    stopped  INTEGER NOT NULL,  -- not tried again before the settings change or a person tests it
    next_at  INTEGER NOT NULL   -- not tried before
) STRICT, WITHOUT ROWID;
