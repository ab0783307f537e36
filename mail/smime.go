package mail

import "bytes"

// idData is the object identifier of plain content in a signed message
// (RFC 5652 section 4), with its tag and length.
var idData = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}

// signedContent takes the mail out of a message that is signed as a whole
// (application/pkcs7-mime with signed-data): the octet string behind the
// identifier of plain content. It checks no signature. nil when there is none,
// as in an encrypted message.
func signedContent(b []byte) []byte {
	i := bytes.Index(b, idData)
	if i < 0 {
		return nil
	}
	tag, body, _, ok := asn1Element(b[i+len(idData):])
	if !ok || tag != 0xa0 {
		return nil
	}
	tag, body, _, ok = asn1Element(body)
	if !ok {
		return nil
	}
	return octets(tag, body, 0)
}

// octets joins an octet string that may be cut into pieces (BER).
func octets(tag byte, body []byte, depth int) []byte {
	switch {
	case tag == 0x04:
		return body
	case tag != 0x24 || depth > 8:
		return nil
	}
	var out []byte
	for len(body) >= 2 {
		if body[0] == 0 && body[1] == 0 {
			break
		}
		tag, piece, rest, ok := asn1Element(body)
		if !ok {
			break
		}
		out = append(out, octets(tag, piece, depth+1)...)
		body = rest
	}
	return out
}

// asn1Element reads tag and length (X.690 section 8.1). With an indefinite
// length the body is all that follows; the reader stops at its end mark.
func asn1Element(b []byte) (tag byte, body, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil, nil, false
	}
	tag = b[0]
	n, at := int64(b[1]), 2
	if n == 0x80 {
		return tag, b[2:], nil, true
	}
	if n > 0x80 {
		count := int(n & 0x7f)
		if count > 4 || len(b) < 2+count {
			return 0, nil, nil, false
		}
		n = 0
		for _, c := range b[2 : 2+count] {
			n = n<<8 | int64(c)
		}
		at += count
	}
	if n > int64(len(b)-at) {
		n = int64(len(b) - at) // cut short: what is there
	}
	return tag, b[at : at+int(n)], b[at+int(n):], true
}
