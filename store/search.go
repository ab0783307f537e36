package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// indexedTo is the meta key of the last message in the search index.
	indexedTo = "search.indexed"
	// indexedMax is how many bytes of one message can be found.
	indexedMax = 256 << 10
	// searchDepth is how many of the newest messages that match are looked at.
	searchDepth = 10000
)

// IndexNext puts up to n messages that are not in the search index yet into it,
// oldest first, and returns how many there were. The intake leaves that to it.
func (s *Store) IndexNext(ctx context.Context, n int) (indexed int, err error) {
	s.indexing.Lock()
	defer s.indexing.Unlock()
	value, _, err := s.Meta(ctx, indexedTo)
	if err != nil {
		return 0, fmt.Errorf("reading what is indexed: %w", err)
	}
	var last int64
	if value != "" {
		if last, err = strconv.ParseInt(value, 10, 64); err != nil {
			return 0, fmt.Errorf("reading what is indexed: %w", err)
		}
	}
	docs, err := list(ctx, s.View, scanDocument, documentColumns+"WHERE m.id > ? ORDER BY m.id LIMIT ?", last, int64(n))
	if err != nil || len(docs) == 0 {
		return 0, err
	}
	err = s.Write(ctx, func(tx *Tx) error {
		for _, d := range docs {
			if err := tx.index(d); err != nil {
				return err
			}
		}
		return tx.SetMeta(indexedTo, strconv.FormatInt(docs[len(docs)-1].id, 10))
	})
	if err != nil {
		return 0, err
	}
	return len(docs), nil
}

// document is what can be found of a message.
type document struct {
	id   int64 // of the message
	text string
}

const documentColumns = `SELECT m.id, m.id = (SELECT min(id) FROM messages WHERE request_id = m.request_id), r.key, r.subject, m.from_name, m.from_address,
	m.reply, m.reply_bytes, m.text
	FROM messages m JOIN requests r ON r.id = m.request_id `

func scanDocument(r *row) document {
	id, first := r.int(), r.bool()
	key, subject, name, address := r.text(), r.text(), r.text(), r.text()
	reply, text := r.replyAndText()
	parts := []string{name, address, reply}
	if first { // later ones quote what is there already
		parts = []string{key, subject, name, address, text}
	}
	return document{id, indexText(head(strings.Join(parts, "\n"), indexedMax))}
}

// index puts a document into the index, unless it is there or its message was
// removed since it was read.
func (t *Tx) index(d document) error {
	_, err := t.exec(`INSERT INTO search (rowid, text) SELECT ?, ? WHERE EXISTS (SELECT 1 FROM messages WHERE id = ?)
		AND NOT EXISTS (SELECT 1 FROM search_docsize WHERE id = ?)`, d.id, d.text, d.id, d.id)
	if err != nil {
		return fmt.Errorf("indexing message %d: %w", d.id, err)
	}
	return nil
}

// indexFirst indexes the first message of a request now, while it is the first:
// it is the one that is found by the request's key and subject.
func (t *Tx) indexFirst(requestID int64) error {
	d, err := one(t.ctx, t.View, scanDocument, documentColumns+"WHERE m.id = (SELECT min(id) FROM messages WHERE request_id = ?)", requestID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the first message of request %d: %w", requestID, err)
	}
	return t.index(d)
}

// head returns the first n bytes of s, less where that would cut a character.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Search returns the ids of the requests whose subject, people or messages have
// all words of a query, newest first. Any query is allowed; one without a word
// finds nothing.
func (v *View) Search(ctx context.Context, query string, limit int) ([]int64, error) {
	below, n := page(0, limit)
	return v.searchRequests(ctx, RequestFilter{Query: query}, below, n)
}

func (v *View) searchRequests(ctx context.Context, f RequestFilter, below, n int64) ([]int64, error) {
	match := matchQuery(f.Query)
	if match == "" {
		return nil, nil
	}
	where, args := f.conditions()
	args = append(append([]any{match, int64(searchDepth), below}, args...), n)
	ids, err := list(ctx, v, (*row).int, `SELECT DISTINCT m.request_id FROM
		(SELECT rowid AS id FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?) s
		CROSS JOIN messages m ON m.id = s.id CROSS JOIN requests r ON r.id = m.request_id
		WHERE r.id < ?`+where+` ORDER BY m.request_id DESC LIMIT ?`, args...)
	if err != nil {
		return nil, fmt.Errorf("searching: %w", err)
	}
	return ids, nil
}
