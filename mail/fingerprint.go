package mail

import (
	"crypto/sha256"
	"strings"
)

// Fingerprints. Two mails with the same fingerprint are the same mail.
//
// Message.Fingerprint is the first 16 bytes of SHA-256 over the values of
// Message-ID, Date, From and Subject, each followed by a zero byte, and then
// the first 16 bytes of SHA-256 over the decoded body: of each leaf in the
// order of the mail, text as its bytes with LF line ends, an attachment as the
// SHA-256 of its bytes. Received and other trace fields, boundaries and
// transfer encodings do not count, so that one mail is the same mail whichever
// way a server hands it over.
//
// Message.HeaderHash is the same over the four values alone; HeaderHash makes
// it from what an IMAP server returns for
// BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)].
//
// A value is taken as it stands in its first occurrence, with all white space
// removed: servers refold, and some put a space where a line was folded and
// some none.

// fourFields are the fields that both hashes are over, in this order.
var fourFields = [4]string{"Message-ID", "Date", "From", "Subject"}

// HeaderHash returns the hash of the four fields in a header block.
func HeaderHash(block []byte) [16]byte {
	return half(appendFour(nil, blockHeader(block)))
}

// appendFour appends what both hashes are over: the four values, each with a
// zero byte behind it.
func appendFour(dst []byte, h header) []byte {
	for _, name := range fourFields {
		for i := range h {
			if strings.EqualFold(h[i].name, name) {
				dst = appendSolid(dst, h[i].value)
				break
			}
		}
		dst = append(dst, 0)
	}
	return dst
}

// appendSolid appends a value without its white space.
func appendSolid(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if !isSpace(s[i]) && s[i] != 0 {
			dst = append(dst, s[i])
		}
	}
	return dst
}

// half is the first 16 bytes of the SHA-256 of b.
func half(b []byte) [16]byte {
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}
