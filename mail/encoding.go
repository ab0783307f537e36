package mail

import "bytes"

// decoder undoes a transfer encoding line by line (RFC 2045 section 6). It
// never fails: what cannot be decoded is passed on or left out, and damaged
// says so.
type decoder interface {
	// line appends what a line, or a piece of one, decodes to.
	line(dst, line []byte) []byte
	// finish appends what was held back. atEnd says that the mail ends here
	// and no boundary follows: then the last line end belongs to the content.
	finish(dst []byte, atEnd bool) []byte
	damaged() bool
}

// identity is 7bit, 8bit, binary and everything unknown. The end of the last
// line belongs to the boundary behind it (RFC 2046 section 5.1.1), so each line
// end waits for the next line.
type identity struct{ eol []byte }

func (d *identity) line(dst, line []byte) []byte {
	dst = append(dst, d.eol...)
	body, eol := splitEOL(line)
	d.eol = append(d.eol[:0], eol...)
	return append(dst, body...)
}

func (d *identity) finish(dst []byte, atEnd bool) []byte {
	if atEnd {
		dst = append(dst, d.eol...)
	}
	return dst
}

func (d *identity) damaged() bool { return false }

// splitEOL parts a line from its end.
func splitEOL(line []byte) (body, eol []byte) {
	n := len(line)
	if n > 0 && (line[n-1] == '\n' || line[n-1] == '\r') {
		n--
		if n > 0 && line[n] == '\n' && line[n-1] == '\r' {
			n--
		}
	}
	return line[:n], line[n:]
}

// quotedPrintable is RFC 2045 section 6.7. What is no escape stays as it is.
type quotedPrintable struct {
	eol []byte
	bad bool
}

func (d *quotedPrintable) line(dst, line []byte) []byte {
	dst = append(dst, d.eol...)
	body, eol := splitEOL(line)
	if len(eol) > 0 {
		body = bytes.TrimRight(body, " \t")
	}
	d.eol = append(d.eol[:0], eol...)
	for {
		i := bytes.IndexByte(body, '=')
		if i < 0 {
			return append(dst, body...)
		}
		dst = append(dst, body[:i]...)
		body = body[i:]
		switch {
		case len(body) == 1: // soft line break
			d.eol = d.eol[:0]
			return dst
		case len(body) >= 3 && isHex(body[1]) && isHex(body[2]):
			dst = append(dst, unhex(body[1])<<4|unhex(body[2]))
			body = body[3:]
		default:
			d.bad = true
			dst = append(dst, '=')
			body = body[1:]
		}
	}
}

func (d *quotedPrintable) finish(dst []byte, atEnd bool) []byte {
	if atEnd {
		dst = append(dst, d.eol...)
	}
	return dst
}

func (d *quotedPrintable) damaged() bool { return d.bad }

// base64Decoder is RFC 2045 section 6.8: characters outside the alphabet are
// skipped, padding in the middle (joined pieces) starts anew.
type base64Decoder struct {
	bits   uint32
	n      int  // sextets in bits
	begun  bool // a line with anything on it was seen
	padded bool // padding has ended the data
	tail   bool // what follows is plain text: a list's footer, or all of it under a wrong name
	isText bool // such a tail is kept, for it is to be read
	bad    bool
}

// Values of base64Values beside sextets.
const (
	b64Skip = 0x80 // white space
	b64Pad  = 0x81
	b64Bad  = 0xff
)

// base64Values maps a character to its sextet.
var base64Values = func() (t [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range t {
		t[i] = b64Bad
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	for _, c := range " \t\r\n" {
		t[c] = b64Skip
	}
	t['='] = b64Pad
	return t
}()

func (d *base64Decoder) line(dst, line []byte) []byte {
	if !d.tail && (d.padded && isProse(line, 1) || d.isText && !d.begun && isProse(line, 2)) {
		d.tail, d.bad = true, true
		if d.isText && d.begun {
			dst = append(dst, '\n')
		}
	}
	d.begun = d.begun || len(bytes.TrimSpace(line)) > 0
	switch {
	case !d.tail:
		return d.decode(dst, line)
	case d.isText:
		return append(dst, line...)
	}
	return dst
}

// isProse says whether a line is no base64: it has at least so many spaces
// between words or foreign characters.
func isProse(line []byte, least int) bool {
	for _, c := range bytes.TrimSpace(line) {
		if v := base64Values[c]; v == b64Bad || v == b64Skip {
			if least--; least == 0 {
				return true
			}
		}
	}
	return false
}

func (d *base64Decoder) decode(dst, src []byte) []byte {
	i := 0
	if d.n == 0 {
		for ; i+4 <= len(src); i += 4 {
			a, b, c, e := base64Values[src[i]], base64Values[src[i+1]], base64Values[src[i+2]], base64Values[src[i+3]]
			if (a|b|c|e)&0x80 != 0 {
				break
			}
			v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(e)
			dst = append(dst, byte(v>>16), byte(v>>8), byte(v))
		}
	}
	for ; i < len(src); i++ {
		v := base64Values[src[i]]
		switch {
		case v < 64:
			d.bits = d.bits<<6 | uint32(v)
			if d.n++; d.n == 4 {
				dst = append(dst, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
				d.n, d.bits = 0, 0
			}
		case v == b64Pad:
			dst = d.finish(dst, true)
			d.padded = true
		case v == b64Bad:
			d.bad = true
		}
	}
	return dst
}

// finish appends the bytes of an unfinished group.
func (d *base64Decoder) finish(dst []byte, _ bool) []byte {
	switch d.n {
	case 1:
		d.bad = true
	case 2:
		dst = append(dst, byte(d.bits>>4))
	case 3:
		dst = append(dst, byte(d.bits>>10), byte(d.bits>>2))
	}
	d.n, d.bits = 0, 0
	return dst
}

func (d *base64Decoder) damaged() bool { return d.bad }

// uuencoded is the old Unix encoding when it is named as the transfer encoding
// (x-uuencode); lines outside begin and end are left out.
type uuencoded struct{ inside, done, bad bool }

func (d *uuencoded) line(dst, line []byte) []byte {
	body := trimEOL(line)
	switch {
	case d.done:
	case !d.inside:
		d.inside = bytes.HasPrefix(body, []byte("begin "))
	case bytes.Equal(body, []byte("end")):
		d.done = true
	default:
		var ok bool
		dst, ok = appendUU(dst, body)
		d.bad = d.bad || !ok
	}
	return dst
}

func (d *uuencoded) finish(dst []byte, _ bool) []byte { return dst }
func (d *uuencoded) damaged() bool                    { return d.bad || !d.done }

// appendUU decodes one line of uuencoded data. Trailing spaces that were cut
// off are made up for.
func appendUU(dst, line []byte) ([]byte, bool) {
	if len(line) == 0 {
		return dst, true
	}
	n := int(line[0]-' ') & 63
	at := func(i int) byte {
		if i < len(line) {
			return (line[i] - ' ') & 63
		}
		return 0
	}
	ok := len(line)-1 <= (n+2)/3*4+2
	for i := 1; n > 0; i += 4 {
		a, b, c, e := at(i), at(i+1), at(i+2), at(i+3)
		group := [3]byte{a<<2 | b>>4, b<<4 | c>>2, c<<6 | e}
		dst = append(dst, group[:min(n, 3)]...)
		n -= 3
	}
	return dst, ok
}

// newDecoder returns the decoder for a Content-Transfer-Encoding; known is
// false for a name that means nothing.
func newDecoder(name string) (d decoder, known bool) {
	switch cleanValue(name) {
	case "base64", "base-64", "b":
		return &base64Decoder{}, true
	case "quoted-printable", "quotedprintable", "quoted_printable", "q":
		return &quotedPrintable{}, true
	case "x-uuencode", "x-uue", "uuencode", "x-uu":
		return &uuencoded{}, true
	case "", "7bit", "7-bit", "8bit", "8-bit", "binary", "plain", "none", "text", "raw":
		return &identity{}, true
	}
	return &identity{}, false
}
