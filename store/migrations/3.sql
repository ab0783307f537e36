-- OAuth2 tokens, encrypted with the key file in data_dir.
CREATE TABLE tokens (
    account TEXT PRIMARY KEY,   -- provider, client and user
    sealed  BLOB NOT NULL,
    saved   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
