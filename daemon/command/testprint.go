package command

import (
	"fmt"
	"io"
	"strings"
	"time"

	"helpdesk/ui"
)

// testPrinter writes a test as it goes, a line for each stage: its name when
// it begins, how it went when it has ended.
type testPrinter struct {
	w      io.Writer
	words  ui.Words
	now    time.Time // a certificate that ends soon after it is marked
	inLine bool      // a stage's name was written, and not yet how it went
}

// stepWidth is how many places the name of a stage takes.
const stepWidth = 42

func (p *testPrinter) line(indent int, text string) {
	fmt.Fprintf(p.w, "%s%s\n", strings.Repeat(" ", indent), printable(text))
}

func (p *testPrinter) tell(e ui.TestEvent) {
	if p.inLine && e.Stage == nil {
		fmt.Fprintln(p.w)
	}
	p.inLine = false
	switch {
	case e.Section != nil:
		fmt.Fprintf(p.w, "\n%s\n", printable(p.words.TestSection(*e.Section)))
	case e.Begin != "":
		name := p.words.Step(e.Begin)
		fmt.Fprintf(p.w, "  %s%s ", name, strings.Repeat(" ", max(0, stepWidth-columns(name))))
		p.inLine = true
	case e.Stage != nil:
		p.stage(e.Stage)
	case e.Note != nil:
		p.line(2, p.words.TestNote(*e.Note))
	case e.Trouble != nil:
		p.trouble(e.Trouble)
	}
}

func (p *testPrinter) stage(s *ui.TestStage) {
	how := p.words.Text("test.passed")
	if s.Failed {
		how = strings.ToUpper(p.words.Text("test.failed"))
	}
	fmt.Fprintf(p.w, "%s%s%s\n", how, p.words.Text("list.comma"), p.words.Took(s.Took))
	for _, f := range s.Facts {
		if f.Value != "" && f.Name != "family" {
			p.line(6, p.words.Fact(f)+": "+p.words.FactValue(f))
		}
	}
	for said := range strings.SplitSeq(s.Said, "\n") {
		if said != "" {
			p.line(6, "< "+said)
		}
	}
	if s.TLS == nil {
		return
	}
	p.line(6, strings.Trim(s.TLS.Version+", "+s.TLS.Cipher, ", "))
	for i, c := range s.TLS.Chain {
		p.certificate(p.words.Text("test.certificate"), c, i == 0)
	}
	if s.TLS.Own != nil {
		p.certificate(p.words.Text("test.own-certificate"), *s.TLS.Own, true)
	}
	if s.TLS.Fingerprint != "" {
		p.line(6, p.words.Text("test.fingerprint")+":")
		p.line(8, s.TLS.Fingerprint)
	}
}

// certificate prints one; of those above the server's own nobody here can
// renew any, so their end is not remarked on.
func (p *testPrinter) certificate(name string, c ui.TestCertificate, remark bool) {
	p.line(6, name+": "+c.Subject)
	p.line(8, p.words.Text("test.issuer")+" "+c.Issuer)
	if len(c.Names) > 0 {
		p.line(8, strings.Join(c.Names, ", "))
	}
	end := p.words.Text("test.until") + " " + when(c.Expiry)
	if remark && c.Expiry.Sub(p.now) < 30*24*time.Hour {
		end += " " + p.words.Text("test.ends-soon")
	}
	p.line(8, end)
}

// trouble is the explanation.
func (p *testPrinter) trouble(t *ui.PartStatus) {
	fmt.Fprintln(p.w)
	p.line(2, t.Title)
	if t.Text != "" {
		p.line(2, t.Text)
	}
	for i, step := range t.Remedy {
		p.line(4, fmt.Sprintf("%d. %s", i+1, step))
	}
	for _, link := range t.Links {
		p.line(4, link)
	}
	if t.ServerText != "" {
		p.line(2, p.words.Text("status.server-said")+":")
		for said := range strings.SplitSeq(t.ServerText, "\n") {
			p.line(4, said)
		}
	}
}
