package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	linkLife    = 10 * time.Minute
	sessionLife = 12 * time.Hour // since the last visit
	maxSecrets  = 1000           // far more than people; the oldest go first
)

// secrets remembers random words until they expire. It keeps their hashes
// only: a dump of the memory or a slow comparison gives nothing away.
type secrets struct {
	now  func() time.Time
	life time.Duration

	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

func newSecrets(now func() time.Time, life time.Duration) *secrets {
	return &secrets{now: now, life: life, until: make(map[[sha256.Size]byte]time.Time)}
}

// add makes a new secret.
func (s *secrets) add() string {
	word := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	s.until[sha256.Sum256([]byte(word))] = s.now().Add(s.life)
	return word
}

// holds reports whether word is one of them and has not expired; it then lives
// for another life.
func (s *secrets) holds(word string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(word))
	if !s.now().Before(s.until[key]) {
		return false
	}
	s.until[key] = s.now().Add(s.life)
	return true
}

// take reports whether word is one of them and has not expired, and forgets it.
func (s *secrets) take(word string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(word))
	good := s.now().Before(s.until[key])
	delete(s.until, key)
	return good
}

func (s *secrets) sweep() {
	now := s.now()
	var oldest [sha256.Size]byte
	var first time.Time
	for key, until := range s.until {
		if !now.Before(until) {
			delete(s.until, key)
		} else if first.IsZero() || until.Before(first) {
			oldest, first = key, until
		}
	}
	if len(s.until) >= maxSecrets {
		delete(s.until, oldest)
	}
}
