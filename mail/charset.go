package mail

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// charset is how a label's bytes become text. decode replaces what it cannot
// read by U+FFFD.
type charset struct {
	name   string
	decode func([]byte) string
	// strict charsets tell by invalid bytes that the label is wrong; in the
	// others (single-byte ones) every byte means something.
	strict bool
}

// canonical is a label in lower case without quotes, spaces and the prefixes
// that programs put before it.
func canonical(label string) string {
	label = strings.ToLower(strings.Trim(label, " \t\r\n\"'<>;,="))
	label = strings.TrimPrefix(label, "charset=")
	label = strings.TrimPrefix(label, "x-")
	label = strings.Trim(label, "\"'")
	return strings.ReplaceAll(label, "_", "-")
}

// lookupCharset finds the charset of a label; ok is false for one that is
// unknown. Labels of the WHATWG Encoding Standard, of IANA and of vendors.
func lookupCharset(label string) (charset, bool) {
	label = canonical(label)
	switch label {
	case "utf-8", "utf8", "utf-8-mac", "unicode-1-1-utf-8", "utf8mb4", "utf-8mb4", "cp65001", "65001", "utf-8-strict":
		return charset{"utf-8", decodeUTF8, true}, true
	case "us-ascii", "ascii", "ansi-x3.4-1968", "ansi-x3.4-1986", "iso-ir-6", "iso646-us", "646", "usascii", "us", "iso-8859", "unknown", "unknown-8bit", "8bit", "7bit", "default", "none", "binary", "default-charset", "ansi", "user-defined", "charset", "utf":
		return charset{"us-ascii", decodeUTF8, true}, true
	case "utf-7", "utf7", "unicode-1-1-utf-7", "csunicode11utf7":
		return charset{"utf-7", decodeUTF7, false}, true
	case "utf-16", "utf16", "ucs-2", "unicode", "iso-10646-ucs-2", "utf-16le", "utf-16be", "utf16le", "utf16be":
		return charset{label, func(b []byte) string { return decodeUTF16(label, b) }, false}, true
	case "utf-32", "utf-32le", "utf-32be", "ucs-4", "utf32":
		order := utf32.BigEndian
		if strings.HasSuffix(label, "le") {
			order = utf32.LittleEndian
		}
		return charset{label, with(utf32.UTF32(order, utf32.UseBOM)), false}, true
	case "imap4-utf-7", "utf-7-imap":
		return charset{"utf-7", decodeUTF7, false}, true
	}
	if strings.HasPrefix(label, "iso-2022-jp") || strings.HasPrefix(label, "iso2022-jp") || strings.HasPrefix(label, "iso2022jp") ||
		label == "csiso2022jp" || label == "cp50220" || label == "cp50221" || label == "cp50222" || label == "jis" || label == "jis7" {
		return charset{"iso-2022-jp", decodeISO2022JP, false}, true
	}
	if strings.HasPrefix(label, "iso-2022-kr") || strings.HasPrefix(label, "iso-2022-cn") || label == "csiso2022kr" || label == "cp50225" {
		return charset{"iso-2022-kr", decodeISO2022KR, false}, true
	}
	if e, name := encodingOf(label); e != nil {
		return charset{name, with(e), isMultibyte(e)}, true
	}
	return charset{}, false
}

// encodingOf finds the table for a label. Where a vendor's superset is what
// programs mean by a narrower name, the superset is taken.
func encodingOf(label string) (encoding.Encoding, string) {
	switch label {
	case "cp932", "windows-31j", "ms932", "shift-jis", "shiftjis", "sjis", "ms-kanji", "windows-932", "sjis-win", "shift-jisx0213", "shift-jis-2004", "mskanji", "csshiftjis", "932", "sjis-mac", "sjis-open", "cp943", "cp943c", "ibm943", "sjis-docomo", "sjis-kddi", "sjis-softbank", "mac-japanese":
		return japanese.ShiftJIS, "shift_jis"
	case "euc-jp", "eucjp", "cp51932", "eucjp-ms", "eucjp-win", "eucjpms", "ujis", "euc", "euc-jis-2004", "euc-jisx0213", "cseucpkdfmtjapanese":
		return japanese.EUCJP, "euc-jp"
	case "gb2312", "gb-2312", "gbk", "cp936", "gb18030", "gb-18030", "euc-cn", "euccn", "ms936", "windows-936", "936", "gb", "chinese", "gb2312-80", "csgb2312", "gb-2312-80":
		return simplifiedchinese.GB18030, "gb18030"
	case "hz-gb-2312", "hz", "hz-gb2312":
		return simplifiedchinese.HZGB2312, "hz-gb-2312"
	case "big5", "big-5", "big5-hkscs", "cp950", "ms950", "windows-950", "950", "big5-eten", "cn-big5", "big5hkscs":
		return traditionalchinese.Big5, "big5"
	case "ks-c-5601-1987", "ks-c-5601-1989", "ks-c-5601", "ksc5601", "ksc-5601", "ks-c-5601-1992", "euc-kr", "euckr", "cp949", "uhc", "ms949", "windows-949", "949", "korean", "5601", "cseuckr":
		return korean.EUCKR, "euc-kr"
	case "cp1252", "ansi-1252", "1252", "win-1252", "windows1252", "iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "iso-8859-1-windows-3.1-latin-1", "8859-1", "iso-latin-1", "iso88591", "iso-88591", "windows-1252-windows", "western", "is0-8859-1", "cp819", "so-8859-1", "iso-8859-1-1", "macintosh-latin1":
		return charmap.Windows1252, "windows-1252"
	case "cp850", "ibm850", "850":
		return charmap.CodePage850, "ibm850"
	case "cp437", "ibm437", "437":
		return charmap.CodePage437, "ibm437"
	case "cp852", "ibm852", "852":
		return charmap.CodePage852, "ibm852"
	case "cp855", "ibm855":
		return charmap.CodePage855, "ibm855"
	case "cp858", "ibm00858":
		return charmap.CodePage858, "ibm858"
	case "cp860", "ibm860":
		return charmap.CodePage860, "ibm860"
	case "cp862", "ibm862":
		return charmap.CodePage862, "ibm862"
	case "cp863", "ibm863":
		return charmap.CodePage863, "ibm863"
	case "cp865", "ibm865":
		return charmap.CodePage865, "ibm865"
	case "cp866", "ibm866", "866":
		return charmap.CodePage866, "ibm866"
	case "cp874", "tis-620", "tis620", "iso-8859-11", "windows-874":
		return charmap.Windows874, "windows-874"
	case "koi8", "koi", "koi8r", "koi-8-r":
		return charmap.KOI8R, "koi8-r"
	case "koi8-ru", "koi8u":
		return charmap.KOI8U, "koi8-u"
	case "mac-roman", "macroman", "macintosh", "mac":
		return charmap.Macintosh, "macintosh"
	case "mac-cyrillic", "maccyrillic", "mac-ukraine":
		return charmap.MacintoshCyrillic, "x-mac-cyrillic"
	case "iso-8859-8-i", "iso-8859-8-e", "iso-8859-8", "logical":
		return charmap.ISO8859_8, "iso-8859-8"
	}
	return otherEncoding(label)
}

// otherEncoding asks the tables of the WHATWG and of IANA, and makes up for
// labels such as cp1251, iso8859-15 or windows1250.
func otherEncoding(label string) (encoding.Encoding, string) {
	tries := []string{label}
	for _, prefix := range []string{"cp", "windows", "win-", "win", "ansi-", "microsoft-cp", "ibm-", "ms-ansi-"} {
		if rest, ok := strings.CutPrefix(label, prefix); ok {
			tries = append(tries, "windows-"+strings.TrimLeft(rest, "-"))
		}
	}
	for _, prefix := range []string{"iso8859-", "iso-8859", "iso8859", "8859-", "iso-", "isoiec-8859-"} {
		if rest, ok := strings.CutPrefix(label, prefix); ok {
			tries = append(tries, "iso-8859-"+strings.TrimLeft(rest, "-"))
		}
	}
	if head, _, ok := strings.Cut(label, ":"); ok { // iso-8859-15:1999
		tries = append(tries, head)
	}
	for _, t := range tries {
		if e, err := htmlindex.Get(t); err == nil && e != encoding.Replacement {
			name, _ := htmlindex.Name(e)
			return e, name
		}
		if e, err := ianaindex.MIME.Encoding(t); err == nil && e != nil {
			return e, t
		}
	}
	return nil, ""
}

func isMultibyte(e encoding.Encoding) bool {
	switch e {
	case japanese.ShiftJIS, japanese.EUCJP, simplifiedchinese.GB18030, simplifiedchinese.GBK, simplifiedchinese.HZGB2312, traditionalchinese.Big5, korean.EUCKR:
		return true
	}
	return false
}

// with decodes by a table of x/text; its decoders replace and do not fail.
func with(e encoding.Encoding) func([]byte) string {
	return func(b []byte) string {
		out, err := e.NewDecoder().Bytes(b)
		if err != nil {
			return decodeUTF8(b)
		}
		return string(out)
	}
}

func decodeUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// decodeUTF16 heeds a byte order mark, then the label, then where the zeros lie.
func decodeUTF16(label string, b []byte) string {
	order := unicode.BigEndian
	if strings.HasSuffix(label, "le") {
		order = unicode.LittleEndian
	} else if !strings.HasSuffix(label, "be") {
		even, odd := zeros(b)
		if odd > even {
			order = unicode.LittleEndian
		}
	}
	return with(unicode.UTF16(order, unicode.UseBOM))(b)
}

// zeros counts the zero bytes at even and at odd places.
func zeros(b []byte) (even, odd int) {
	for i, c := range b {
		if c == 0 {
			if i%2 == 0 {
				even++
			} else {
				odd++
			}
		}
	}
	return even, odd
}

// decodeCharset turns bytes into valid UTF-8. The declared charset wins where
// the bytes fit it; else they tell themselves what they are, and problem says
// so ("" when all is well).
func decodeCharset(label string, b []byte) (text, problem string) {
	if bytes.IndexByte(b, 0x1b) >= 0 && looksISO2022JP(b) {
		return decodeISO2022JP(b), ""
	}
	if bytes.IndexByte(b, 0x0e) >= 0 && looksISO2022KR(b) {
		return decodeISO2022KR(b), ""
	}
	cs, known := lookupCharset(label)
	if !known && canonical(label) != "" {
		problem = ProblemUnknownCharset
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) && utf8.Valid(b) {
		return string(b[3:]), ""
	}
	if known && isWide(cs.name) && bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) {
		return string(b), ProblemCharsetGuessed // UTF-16 by name only
	}
	if !known || cs.name == "us-ascii" || cs.name == "utf-8" {
		return decodeUnlabelled(cs, b, problem)
	}
	if isASCIIBytes(b) && (cs.strict || !strings.HasPrefix(cs.name, "utf")) && cs.name != "hz-gb-2312" && !strings.HasPrefix(cs.name, "iso-2022-") {
		return string(b), ""
	}
	if better, ok := contradicts(cs, b); ok {
		return better.decode(b), ProblemCharsetGuessed
	}
	if cs.strict && isUTF8Text(b) {
		return string(b), ProblemCharsetGuessed
	}
	text = cs.decode(b)
	if cs.strict && strings.ContainsRune(text, utf8.RuneError) {
		if guess, ok := guessCharset(b); ok && guess.name != cs.name {
			if other := guess.decode(b); strings.Count(other, "\uFFFD") < strings.Count(text, "\uFFFD") {
				return other, ProblemCharsetGuessed
			}
		}
		problem = ProblemBadCharacters
	}
	return text, problem
}

// isWide says whether a charset has two or four bytes for each character.
func isWide(name string) bool {
	return strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf16") || strings.HasPrefix(name, "utf-32") || name == "ucs-2" || name == "ucs-4" || name == "unicode" || name == "iso-10646-ucs-2" || name == "utf32"
}

// decodeUnlabelled is for bytes without a usable label, and for those called
// us-ascii or utf-8: programs call anything so.
func decodeUnlabelled(cs charset, b []byte, problem string) (string, string) {
	if utf8.Valid(b) {
		if problem == "" && cs.name != "utf-8" && !isASCIIBytes(b) {
			problem = ProblemCharsetGuessed
		}
		if guess, ok := guessUTF16(b); ok {
			return guess.decode(b), ProblemCharsetGuessed
		}
		return string(b), problem
	}
	// A few bad bytes in text that is else UTF-8: a cut or damaged character.
	good, bad := countUTF8(b)
	if bad <= good {
		return decodeUTF8(b), ProblemBadCharacters
	}
	if guess, ok := guessCharset(b); ok {
		return guess.decode(b), ProblemCharsetGuessed
	}
	return with(charmap.Windows1252)(b), ProblemCharsetGuessed
}

// isUTF8Text says whether bytes of a multi-byte charset are plainly UTF-8: all
// of them valid, and so many that it is no chance.
func isUTF8Text(b []byte) bool {
	good, bad := countUTF8(b)
	return bad == 0 && good >= 3 && (good >= 4 || len(b) > 0 && utf8.RuneCount(b)+2*good <= len(b))
}

func isASCIIBytes(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// countUTF8 counts the multi-byte characters and the bytes that belong to none.
func countUTF8(b []byte) (good, bad int) {
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	return good, bad
}
