package mail

import (
	"strings"
	"testing"
	"time"
)

var htmlCases = []struct{ in, want string }{
	{"<p>One</p><p>Two</p>", "One\n\nTwo"},
	{"<div>One</div><div>Two</div>", "One\nTwo"},
	{"<div>One<br></div><div><br></div><div>Two</div>", "One\n\nTwo"},
	{"One<br>Two<br/>\n<br>Three", "One\nTwo\n\nThree"},
	{"a  b\n c&nbsp;d &amp; &lt;e&gt;", "a b c d & <e>"},
	{"<ul><li>one</li><li>two</li></ul>after", "- one\n- two\n\nafter"},
	{"<ol><li>one<li>two</ol>", "1. one\n2. two"},
	{"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
	{"<blockquote type=cite>quoted<br>more<blockquote>deep</blockquote></blockquote>own", "> quoted\n> more\n>> deep\nown"},
	{`<blockquote style="margin:0 0 0 40px;border:none;padding:0px">indented</blockquote>`, "indented"},
	{`see <a href="https://example.com/x">here</a>!`, "see here <https://example.com/x>!"},
	{`<a href="https://example.com/">example.com</a>`, "example.com"},
	{`<a href="mailto:a@example.com">a@example.com</a>`, "a@example.com"},
	{`<a href="#top">top</a> <a href="javascript:x()">x</a>`, "top x"},
	{`before <img src="cid:pic@x" alt="picture"> after <img src="https://t.example/p.gif">`, "before [cid:pic@x] after"},
	{"<style>p{color:red}</style><script>var a = '<p>'</script><title>T</title>text", "text"},
	{`<div style="display:none">preview</div>shown`, "shown"},
	{`<div style="display: none !important">only this</div>`, "only this"},
	{"<!-- <p>no</p> -->yes<!--[if mso]>no<![endif]-->", "yes"},
	{"<pre>a\n  b</pre>", "a\n  b"},
	{"1 < 2 and 3 > 2", "1 < 2 and 3 > 2"},
	{"write to <a@example.com> or <https://example.com/x>", "write to <a@example.com> or <https://example.com/x>"},
	{"<p>unclosed <b>tags <i>all <a href=x>over", "unclosed tags all over <x>"},
	{"<div>a</div><div>&nbsp;</div><div>b</div>", "a\n\nb"},
	{"said:<blockquote><p>one</p><p>two</p></blockquote>", "said:\n> one\n>\n> two"},
	{"<h1>Title</h1>text", "Title\n\ntext"},
	{"text <a", "text <a"},
	{"<o:p>&nbsp;</o:p><p class=MsoNormal>Outlook<o:p></o:p></p>", "Outlook"},
	{"日本語<br>テスト", "日本語\nテスト"},
}

func TestHTMLText(t *testing.T) {
	for _, c := range htmlCases {
		if got := tidy(htmlText(c.in)); got != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

// Hostile input takes time in proportion to its length. What is quadratic takes
// minutes here, what is linear milliseconds: the bound is far from both.
func TestLinearTime(t *testing.T) {
	for _, piece := range []string{"<", "<a ", "<a href='", "<!--", "<!-- >", "</a", "<title>", "<svg>", "&", "<div style=\"display:none\">", "<blockquote>", "<li>", "<p>", "<a href=x>", "\"<", "<b =\"'>"} {
		text := strings.Repeat(piece, 500_000/len(piece))
		start := time.Now()
		htmlText(text)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%q: %v", piece, took)
		}
	}
	for _, piece := range []string{"Sent from my iPhone\n", "--\n", "__\nx\n", "On 1/1/2026 10:00 a@b wrote:\n", "From: a\nDate: b\n", "> \n", ">From \n", "\n", "-----Original Message-----\n", "a:\n"} {
		text := strings.Repeat(piece, 300_000/len(piece))
		start := time.Now()
		replyPart(text, true)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%q: %v", piece, took)
		}
	}
	for _, piece := range []string{"<", "(", "\"", "a,", "=?utf-8?Q?", "a@b ", ":;", "\\", "=?utf-8?Q?a?= ", "Doe, "} {
		text := strings.Repeat(piece, 300_000/len(piece))
		start := time.Now()
		parseAddresses(text, "")
		decodeWords(text, "")
		parseParams("x; name=" + text)
		parseParams(strings.Repeat("a="+piece+";", 20_000))
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("header %q: %v", piece, took)
		}
	}
}
