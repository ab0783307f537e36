package mail

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the most that is kept of a file name, in bytes: what file systems
// take.
const maxName = 240

// attachmentName finds a part's name where programs put it, makes it safe, and
// makes one up where there is none.
func attachmentName(n *node, ct, disp *params, index int, fallback string) string {
	name := disp.get("filename", fallback)
	if name == "" {
		name = ct.get("name", fallback)
	}
	if name == "" {
		name = disp.get("name", fallback)
	}
	if name == "" {
		name = ct.get("filename", fallback)
	}
	if name = safeName(name); name != "" {
		return name
	}
	if n.kind == kindMail {
		if name = safeName(attachedSubject(n.data)); name != "" {
			return shorten(name, maxName-4) + ".eml"
		}
	}
	if location := n.header.get("Content-Location"); location != "" && !strings.ContainsAny(location, "?&=:") {
		if name = safeName(location); strings.Contains(name, ".") {
			return name
		}
	}
	return "part-" + strconv.Itoa(index+1) + extension(n.typ)
}

// extension is the usual ending for a type of the kinds that come without names.
func extension(typ string) string {
	switch typ {
	case "text/plain", "message/delivery-status", "text/rfc822-headers", "message/disposition-notification", "message/feedback-report":
		return ".txt"
	case "text/html":
		return ".html"
	case "text/calendar":
		return ".ics"
	case "text/csv":
		return ".csv"
	case "text/vcard", "text/x-vcard":
		return ".vcf"
	case "image/jpeg", "image/jpg":
		return ".jpg"
	case "image/png", "image/gif", "image/bmp", "image/webp", "image/heic", "application/pdf", "application/zip":
		return "." + typ[strings.IndexByte(typ, '/')+1:]
	case "image/tiff":
		return ".tif"
	case "image/svg+xml":
		return ".svg"
	case "message/rfc822", "message/global":
		return ".eml"
	case "application/pgp-signature", "application/pgp-encrypted":
		return ".asc"
	case "application/pkcs7-signature", "application/x-pkcs7-signature":
		return ".p7s"
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return ".p7m"
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return ".dat"
	case "audio/wav", "audio/x-wav":
		return ".wav"
	case "audio/mpeg":
		return ".mp3"
	}
	return ".bin"
}

// safeName makes a name that every file system takes: no path, no control or
// direction characters, nothing that Windows refuses. It may return "".
func safeName(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = strings.Trim(name, " \t\r\n\"")
	if i := strings.LastIndexAny(name, "/\\"); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0xfeff:
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if name == "" {
		return ""
	}
	stem, _, _ := strings.Cut(name, ".")
	if isReserved(strings.TrimSpace(stem)) {
		name = "_" + name
	}
	return shorten(name, maxName)
}

// isReserved knows the device names of Windows.
func isReserved(stem string) bool {
	stem = strings.ToUpper(stem)
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && stem[3] >= '0' && stem[3] <= '9'
}

// shorten cuts a name to n bytes and keeps its extension.
func shorten(name string, n int) string {
	if len(name) <= n {
		return name
	}
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 12 {
		ext = name[i:]
	}
	cut := n - len(ext)
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + ext
}
