package connect

import (
	"slices"
	"strings"
)

// hidden stands where a secret was.
const hidden = "***"

// secrets are texts that nobody may be shown: servers repeat the commands that
// they refuse.
type secrets []string

// minPiece is the length of a secret's beginning, in bytes, that is hidden at
// the end of a line which a server has cut off.
const minPiece = 6

// Secret keeps a password, a token or what is made of them out of everything
// that is shown of the conversation from now on, in its own form, in base64,
// and as a quoted string of IMAP holds it.
func (c *Conn) Secret(secret string) {
	if secret == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, form := range []string{secret, encode(secret), strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)} {
		if !slices.Contains(c.words.secrets, form) {
			c.words.secrets = append(c.words.secrets, form)
		}
	}
	// The longest first: one may be a part of another.
	slices.SortStableFunc(c.words.secrets, func(a, b string) int { return len(b) - len(a) })
}

// Scrub removes the secrets from a text of the server.
func (c *Conn) Scrub(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.words.secrets.scrub(text)
}

func (s secrets) scrub(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, hidden)
		for n := min(len(text), len(secret)); n >= minPiece; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				text = text[:len(text)-n] + hidden
				break
			}
		}
	}
	return text
}
