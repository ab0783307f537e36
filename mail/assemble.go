package mail

import "strings"

// assemble puts the reply together from the lines above end.
func (r *replyReader) assemble(end int) string {
	r.signatures(end)
	written := func(i int) bool { return !r.blank(i) && !r.quoted[i] && !r.intro[i] && !r.drop[i] }
	firstQuote := end
	for i := 0; i < end; i++ {
		if r.quoted[i] || r.intro[i] {
			firstQuote = i
			break
		}
	}
	above, last := false, -1
	for i := 0; i < end; i++ {
		if written(i) {
			above = above || i < firstQuote
			if !(above && r.wrapped(i)) {
				last = i
			}
		}
	}
	from, to := 0, last+1
	if last < firstQuote {
		to = min(to, firstQuote)
	} else if !above {
		from = r.belowSingleQuote(firstQuote, last)
	}
	return tidy(r.join(from, to))
}

// join returns the lines from…to without those that are signature; a piece of
// the text itself where nothing lies between.
func (r *replyReader) join(from, to int) string {
	if from >= to {
		return ""
	}
	start, size, gaps := 0, 0, false
	for i := 0; i < to; i++ {
		if i < from {
			start += len(r.lines[i]) + 1
		} else {
			size += len(r.lines[i]) + 1
			gaps = gaps || r.drop[i]
		}
	}
	if !gaps {
		return r.text[start : start+size-1]
	}
	var b strings.Builder
	b.Grow(size)
	for i := from; i < to; i++ {
		if !r.drop[i] {
			b.WriteString(r.lines[i])
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// belowSingleQuote returns where the answer begins when one quoted block, and
// nothing else, stands above it; else 0: answers between quotes are kept with
// the lines they answer.
func (r *replyReader) belowSingleQuote(firstQuote, last int) int {
	i := firstQuote
	for i <= last && (r.quoted[i] || r.intro[i] || r.blank(i)) {
		i++
	}
	for j := i; j <= last; j++ {
		if r.quoted[j] {
			return 0
		}
	}
	return i
}

// wrapped says whether line i is the rest of a quoted line that some program
// broke without marking it: between two quoted lines, in small letters, behind
// a long one.
func (r *replyReader) wrapped(i int) bool {
	if i == 0 || i+1 >= len(r.lines) || !r.quoted[i-1] || !r.quoted[i+1] || len(r.lines[i-1]) < 64 {
		return false
	}
	c := r.lines[i][0]
	return c >= 'a' && c <= 'z' && len(r.lines[i]) < 80
}

// Most lines that are believed to be a signature behind a mark that is not the
// standard "-- ".
const maxSignature = 12

// signatures marks the lines that are signature: below "-- " (RFC 3676
// section 4.3) and its like, and what mobile programs add.
func (r *replyReader) signatures(end int) {
	for i := 0; i < end; i++ {
		if r.quoted[i] || r.blank(i) {
			continue
		}
		l := strings.TrimRight(r.lines[i], " \t\u00a0")
		switch {
		case l == "--" && (r.isSignature(i, end, strings.HasPrefix(r.lines[i], "-- ")) || r.isFooter(i, end)):
			i = r.dropTo(i, end)
		case len(l) >= 2 && strings.Trim(l, "_") == "" && r.isFooter(i, end):
			i = r.dropTo(i, end)
		case len(l) < 200 && isSentFrom(l) && r.endsBlock(i, end):
			r.drop[i] = true
		}
	}
}

// dropTo marks from i up to quoted lines or the end, and returns the last.
func (r *replyReader) dropTo(i, end int) int {
	for ; i < end && !r.quoted[i] && !r.intro[i]; i++ {
		r.drop[i] = true
	}
	return i - 1
}

// isSignature says whether a few lines, no more, stand below the mark.
func (r *replyReader) isSignature(i, end int, standard bool) bool {
	n, limit := 0, maxSignature
	if standard {
		limit = 4 * maxSignature
	}
	for j := i + 1; j < end && !r.quoted[j] && !r.intro[j]; j++ {
		if r.blank(j) {
			continue
		}
		if n++; n > limit || !standard && isSentence(r.lines[j]) {
			return false
		}
	}
	return true
}

// isSentence says whether a line is prose and no line of a signature.
func isSentence(l string) bool {
	l = strings.TrimRight(l, " \t\u00a0")
	if strings.HasSuffix(l, "。") || strings.HasSuffix(l, "？") {
		return true
	}
	return l != "" && strings.IndexByte(".?!", l[len(l)-1]) >= 0 && len(strings.Fields(l)) >= 4
}

// isFooter says whether what a mailing list adds stands below a line.
func (r *replyReader) isFooter(i, end int) bool {
	n, sign := 0, false
	for j := i + 1; j < end; j++ {
		if r.quoted[j] {
			return false
		}
		if r.blank(j) {
			continue
		}
		if n++; n > 8 {
			return false
		}
		l := strings.ToLower(r.lines[j])
		sign = sign || strings.Contains(l, "mailing list") || strings.Contains(l, "listinfo") || strings.Contains(l, "unsubscribe")
	}
	return sign
}

// isSentFrom knows the line that a mobile program adds.
func isSentFrom(l string) bool {
	l = strings.TrimLeft(l, " \t*_<[(\u00a0")
	if l == "" {
		return false
	}
	first := l[0]
	if first >= 'A' && first <= 'Z' {
		first |= 0x20
	}
	if first < 0x80 && sentFromByStart[first] == nil {
		return false
	}
	lower := strings.ToLower(l)
	for _, p := range sentFromByStart[lower[0]] {
		if strings.HasPrefix(lower, p) {
			return len(strings.Fields(lower)) <= 14 && !strings.Contains(lower, ", ") && (p == mySentFrom || containsAny(lower, deviceWords))
		}
	}
	return false
}

// endsBlock says whether nothing but empty lines, another such line or a
// signature stands between line i and the end or the quoted mail.
func (r *replyReader) endsBlock(i, end int) bool {
	for range 3 {
		i = r.next(i + 1)
		if i >= end || r.quoted[i] || r.intro[i] {
			return true
		}
		l := strings.TrimRight(r.lines[i], " \t\u00a0")
		if l == "--" || isRule(l) {
			return true
		}
		if !isSentFrom(l) {
			return false
		}
	}
	return false
}

// belowMobile returns the line of a mobile program below which a mail that
// answers another one goes on without any quote mark: such programs put the
// mail that is answered there. It returns the number of lines when there is
// none, or nothing stands above it.
func (r *replyReader) belowMobile() int {
	for i, l := range r.lines {
		if r.quoted[i] || r.intro[i] {
			break
		}
		if len(l) < 200 && i > 0 && r.blank(i-1) && i+1 < len(r.lines) && r.blank(i+1) && isSentFrom(l) && !r.emptyBefore(i) && !r.anyQuoted(i) {
			return i
		}
	}
	return len(r.lines)
}

func (r *replyReader) anyQuoted(i int) bool {
	for ; i < len(r.lines); i++ {
		if r.quoted[i] || r.intro[i] {
			return true
		}
	}
	return false
}
