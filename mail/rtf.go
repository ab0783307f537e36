package mail

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// rtfPrebuffer is what compressed RTF refers back to before its own beginning
// (MS-OXRTFCP section 2.1.2.1).
const rtfPrebuffer = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// expandRTF undoes the compression of RTF in TNEF. Damaged data gives what
// was read before the fault.
func expandRTF(b []byte) []byte {
	if len(b) < 16 {
		return nil
	}
	size := min(int(min(binary.LittleEndian.Uint32(b[4:]), maxText)), maxText)
	if string(b[8:12]) == "MELA" {
		return b[16:min(len(b), 16+size)]
	}
	if string(b[8:12]) != "LZFu" {
		return nil
	}
	var window [4096]byte
	at := copy(window[:], rtfPrebuffer)
	out := make([]byte, 0, size)
	put := func(c byte) {
		out = append(out, c)
		window[at] = c
		at = (at + 1) % len(window)
	}
	for i := 16; i < len(b) && len(out) < size; {
		control := b[i]
		i++
		for bit := 0; bit < 8 && i < len(b) && len(out) < size; bit++ {
			if control>>bit&1 == 0 {
				put(b[i])
				i++
				continue
			}
			if i+1 >= len(b) {
				return out
			}
			ref := int(b[i])<<8 | int(b[i+1])
			i += 2
			offset, n := ref>>4, ref&15+2
			if offset == at {
				return out
			}
			for ; n > 0; n-- {
				put(window[offset])
				offset = (offset + 1) % len(window)
			}
		}
	}
	return out
}

// rtfReader turns RTF into plain text.
type rtfReader struct {
	out   strings.Builder
	skips []bool // for each open group: is its text left out
	html  bool   // inside \htmlrtf … \htmlrtf0, which repeats what HTML tags say
}

// rtfText returns the text of an RTF document: words, line ends and
// characters; pictures, fonts and styles are left out.
func rtfText(b []byte) string {
	r := rtfReader{skips: []bool{false}}
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '{':
			if len(r.skips) < 1000 {
				r.skips = append(r.skips, r.skips[len(r.skips)-1])
			}
			i++
		case '}':
			if len(r.skips) > 1 {
				r.skips = r.skips[:len(r.skips)-1]
			}
			i++
		case '\\':
			i = r.control(b, i+1)
		case '\r', '\n':
			i++
		default:
			r.write(string(charmap.Windows1252.DecodeByte(c)))
			i++
		}
	}
	return strings.TrimSpace(r.out.String())
}

func (r *rtfReader) write(s string) {
	if !r.skips[len(r.skips)-1] && !r.html {
		r.out.WriteString(s)
	}
}

// control reads a control word or symbol behind its backslash.
func (r *rtfReader) control(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	if !isLetter(b[i]) {
		return r.symbol(b, i)
	}
	j := i
	for j < len(b) && isLetter(b[j]) && j-i < 40 {
		j++
	}
	word := string(b[i:j])
	k := j
	if k < len(b) && b[k] == '-' {
		k++
	}
	for k < len(b) && isDigit(b[k]) && k-j < 10 {
		k++
	}
	arg := string(b[j:k])
	if k < len(b) && b[k] == ' ' {
		k++
	}
	switch word {
	case "par", "line", "sect", "page":
		r.write("\n")
	case "tab", "cell":
		r.write("\t")
	case "row":
		r.write("\n")
	case "u":
		return r.unicode(b, k, arg)
	case "htmlrtf":
		r.html = arg != "0"
	case "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "htmltag", "mhtmltag", "themedata", "datastore", "generator", "listtable", "listoverridetable", "rsidtbl", "xmlnstbl", "header", "footer":
		r.skips[len(r.skips)-1] = true
	}
	return k
}

// unicode writes \uN and passes over the character that stands in for it.
func (r *rtfReader) unicode(b []byte, k int, arg string) int {
	n, negative := 0, strings.HasPrefix(arg, "-")
	for _, c := range strings.TrimPrefix(arg, "-") {
		n = n*10 + int(c-'0')
		if n > 1<<20 {
			return k
		}
	}
	if negative {
		n = 65536 - n
	}
	if n > 0 && n < 0x10000 && !utf16.IsSurrogate(rune(n)) {
		r.write(string(rune(n)))
	}
	if k < len(b) && b[k] == '?' {
		k++
	} else if k+3 < len(b) && b[k] == '\\' && b[k+1] == '\'' {
		k += 4
	}
	return k
}

func (r *rtfReader) symbol(b []byte, i int) int {
	switch b[i] {
	case '\'':
		if i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]) {
			r.write(string(charmap.Windows1252.DecodeByte(unhex(b[i+1])<<4 | unhex(b[i+2]))))
			return i + 3
		}
	case '~':
		r.write(" ")
	case '*':
		r.skips[len(r.skips)-1] = true
	case '\\', '{', '}':
		r.write(string(rune(b[i])))
	case '\r', '\n':
		r.write("\n")
	}
	return i + 1
}
