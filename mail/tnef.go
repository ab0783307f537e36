package mail

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// tnef is what an Outlook message format (MS-OXTNEF) holds.
type tnef struct {
	ok    bool // it is one, and readable to its end
	text  string
	html  []byte
	rtf   []byte // compressed (MS-OXRTFCP)
	files []containedFile
}

// Attributes and properties that are read.
const (
	tnefSignature     = 0x223e9f78
	tnefBody          = 0x800c
	tnefAttachData    = 0x800f
	tnefAttachTitle   = 0x8010
	tnefProps         = 0x9003
	tnefAttachStart   = 0x9002
	tnefAttachProps   = 0x9005
	tnefCodepage      = 0x9007
	propBody          = 0x1000
	propRTF           = 0x1009
	propHTML          = 0x1013
	propDisplayName   = 0x3001
	propAttachData    = 0x3701
	propAttachName    = 0x3704
	propAttachLong    = 0x3707
	propAttachMIME    = 0x370e
	propAttachID      = 0x3712
	propString8       = 0x1e
	propUnicode       = 0x1f
	propObject        = 0x0d
	propBinary        = 0x102
	maxTNEFFiles      = 1000
	maxTNEFProperties = 10_000
)

// parseTNEF reads winmail.dat. What is damaged ends the reading; what was
// found before it stays.
func parseTNEF(b []byte) (t tnef) {
	if len(b) < 6 || binary.LittleEndian.Uint32(b) != tnefSignature {
		return t
	}
	codepage := ""
	b = b[6:]
	for len(b) >= 9 {
		id := binary.LittleEndian.Uint32(b[1:]) & 0xffff
		size := int64(binary.LittleEndian.Uint32(b[5:]))
		if size+9 > int64(len(b)) {
			return t
		}
		data := b[9 : 9+size]
		b = b[min(int64(len(b)), 9+size+2):]
		switch id {
		case tnefCodepage:
			if len(data) >= 4 {
				codepage = codepageLabel(binary.LittleEndian.Uint32(data))
			}
		case tnefBody:
			t.text, _ = decodeCharset(codepage, cutZero(data))
		case tnefProps:
			t.messageProps(data, codepage)
		case tnefAttachStart:
			if len(t.files) < maxTNEFFiles {
				t.files = append(t.files, containedFile{})
			}
		case tnefAttachTitle, tnefAttachData, tnefAttachProps:
			if len(t.files) == 0 {
				t.files = append(t.files, containedFile{})
			}
			t.files[len(t.files)-1].attribute(id, data, codepage)
		}
	}
	t.ok = true
	return t
}

func codepageLabel(n uint32) string {
	switch n {
	case 65001:
		return "utf-8"
	case 20127, 0:
		return ""
	case 50220, 50221, 50222:
		return "iso-2022-jp"
	case 51932:
		return "euc-jp"
	case 28591:
		return "iso-8859-1"
	case 20866:
		return "koi8-r"
	}
	return "cp" + strconv.FormatUint(uint64(n), 10)
}

// cutZero cuts the zero bytes at the end of a C string off.
func cutZero(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// attribute takes one attribute of an attachment.
func (f *containedFile) attribute(id uint32, data []byte, codepage string) {
	switch id {
	case tnefAttachTitle:
		if f.name == "" {
			f.name, _ = decodeCharset(codepage, cutZero(data))
		}
	case tnefAttachData:
		f.data = data
	case tnefAttachProps:
		readProps(data, func(id, typ uint16, value []byte) {
			switch id {
			case propAttachLong:
				f.name = propText(typ, value, codepage)
			case propAttachName, propDisplayName:
				if f.name == "" {
					f.name = propText(typ, value, codepage)
				}
			case propAttachMIME:
				f.typ = propText(typ, value, codepage)
			case propAttachID:
				f.contentID = propText(typ, value, codepage)
				f.inline = f.contentID != ""
			case propAttachData:
				if len(f.data) == 0 && len(value) > 16 && typ == propObject {
					f.data = value[16:] // behind the interface's identifier
				} else if len(f.data) == 0 {
					f.data = value
				}
			}
		})
	}
}

func (t *tnef) messageProps(data []byte, codepage string) {
	readProps(data, func(id, typ uint16, value []byte) {
		switch id {
		case propBody:
			if text := propText(typ, value, codepage); text != "" {
				t.text = text
			}
		case propHTML:
			t.html = value
		case propRTF:
			t.rtf = value
		}
	})
}

func propText(typ uint16, value []byte, codepage string) string {
	var s string
	if typ == propUnicode {
		s = decodeUTF16("utf-16le", value)
	} else {
		s, _ = decodeCharset(codepage, cutZero(value))
	}
	return strings.TrimRight(s, "\x00")
}

// readProps goes through a list of MAPI properties (MS-OXTNEF section 2.1.3.4).
func readProps(b []byte, fn func(id, typ uint16, value []byte)) {
	r := propReader{b: b}
	count := r.uint32()
	for n := uint32(0); n < count && n < maxTNEFProperties && !r.bad; n++ {
		typ, id := r.uint16(), r.uint16()
		if id >= 0x8000 { // a named one: its name comes first
			r.take(16)
			if r.uint32() == 0 {
				r.take(4)
			} else {
				r.padded(r.uint32())
			}
		}
		values := uint32(1)
		multi := typ&0x1000 != 0
		typ &^= 0x1000
		long := typ == propString8 || typ == propUnicode || typ == propBinary || typ == propObject
		if multi || long {
			values = r.uint32()
		}
		for v := uint32(0); v < values && !r.bad; v++ {
			value := r.value(typ, long)
			if v == 0 && !r.bad {
				fn(id, typ, value)
			}
		}
	}
}

// propReader reads little-endian values; bad latches when they do not fit.
type propReader struct {
	b   []byte
	bad bool
}

func (r *propReader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *propReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *propReader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// padded reads n bytes and what fills them up to a multiple of four.
func (r *propReader) padded(n uint32) []byte {
	out := r.take(n)
	if pad := (4 - n%4) % 4; pad > 0 {
		r.take(min(pad, uint32(len(r.b))))
	}
	return out
}

func (r *propReader) value(typ uint16, long bool) []byte {
	if long {
		return r.padded(r.uint32())
	}
	switch typ {
	case 0x05, 0x06, 0x07, 0x14, 0x40:
		return r.take(8)
	case 0x48:
		return r.take(16)
	case 0x02, 0x03, 0x04, 0x0a, 0x0b:
		return r.take(4)
	}
	r.bad = true
	return nil
}
