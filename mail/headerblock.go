package mail

import (
	"strings"
)

// The lines From, Sent, To, Subject above a quoted mail.

// headerBlock is the lines From, Sent, To, Subject above a quoted mail.
type headerBlock struct {
	value [roleOther + 1]string
	end   int // first line behind it
	lines int
}

func (b *headerBlock) roles() int {
	n := 0
	for role := roleFrom; role <= roleSubject; role++ {
		if b.value[role] != "" {
			n++
		}
	}
	return n
}

// holds says whether the lines are a header block and not a form: sender and
// date, or sender and two others; with a rule above, two are enough.
func (b headerBlock) holds(ruled bool) bool {
	n := b.roles()
	from := b.value[roleFrom] != ""
	switch {
	case from && n >= 3:
		// A journey has From, To and Date as well.
		return ruled || b.value[roleSubject] != "" || strings.Contains(b.value[roleFrom]+b.value[roleTo], "@")
	case from && b.value[roleDate] != "" && (ruled || strings.Contains(b.value[roleFrom], "@") && hasTime(b.value[roleDate])):
		return true
	case from && n >= 2 && ruled:
		return true
	case !from && n >= 3 && b.value[roleDate] != "" && b.value[roleSubject] != "" && ruled:
		return true
	}
	return false
}

// ruled says whether a line of dashes or the like stands right above.
func (r *replyReader) ruled(i int) bool {
	j := i - 1
	for j >= 0 && r.blank(j) && i-j < 3 {
		j--
	}
	return j >= 0 && isRule(r.lines[j])
}

// isRule knows a line drawn with dashes, underscores or equal signs.
func isRule(line string) bool {
	s := strings.Trim(line, " \t\u00a0*")
	return len(s) >= 4 && strings.Trim(s, "-_=─━—–") == ""
}

// aboveRule moves the cut at i above the line that is drawn over it.
func (r *replyReader) aboveRule(i int) int {
	j := i - 1
	for j >= 0 && r.blank(j) {
		j--
	}
	if j >= 0 && isRule(r.lines[j]) {
		return j
	}
	return i
}

// headerBlock reads the block that may begin at line i.
func (r *replyReader) headerBlock(i int) headerBlock {
	b := headerBlock{end: i}
	loose, blanks := 0, 0
	for j := i; j < len(r.lines) && j < i+24; j++ {
		if r.blank(j) {
			if blanks++; blanks > 1 || b.lines == 0 {
				break
			}
			continue
		}
		role, value := blockLine(r.lines[j])
		if role == roleNone {
			// A long list of addresses goes on in the next lines.
			if blanks > 0 || b.lines == 0 || loose >= 6 || len(r.lines[j]) > 400 || r.quoted[j] {
				break
			}
			loose++
			if b.value[roleSubject] != "" && b.roles() >= 3 && loose > 2 {
				break
			}
			continue
		}
		if role != roleOther && b.value[role] != "" && role != roleCc {
			break // a second From: another block
		}
		if value == "" {
			value = " "
		}
		if b.value[role] == "" {
			b.value[role] = value
		}
		loose, blanks = 0, 0
		b.lines++
		b.end = j + 1
	}
	return b
}

// blockLine reads "Key: value" where the key is one of a header block.
func blockLine(line string) (role int, value string) {
	line = strings.TrimLeft(line, " \t\u00a0*_|・■")
	i := strings.IndexByte(line, ':')
	wide := strings.Index(line, "：")
	size := 1
	if wide >= 0 && (i < 0 || wide < i) {
		i, size = wide, len("：")
	}
	if i <= 0 || i > 40 {
		return roleNone, ""
	}
	key := strings.ToLower(strings.Trim(line[:i], " \t\u00a0\u202f\u3000*_[]【】"))
	if key != "" && key[0] >= 0x80 && strings.ContainsAny(key, " \u3000") {
		if spaced := strings.ReplaceAll(strings.ReplaceAll(key, "\u3000", ""), " ", ""); blockKeys[spaced] != roleNone {
			key = spaced // 件　名
		}
	}
	role = blockKeys[key]
	if role == roleNone {
		return roleNone, ""
	}
	return role, strings.Trim(line[i+size:], " \t\u00a0\u3000*")
}
