package config

// phrase is what a fault says. {value} is the value as written, {key} the last
// part of the key; other names in braces are arguments of the fault.
type phrase struct {
	en, enDo string // what is wrong; what to do
	ja, jaDo string
}

func (p phrase) reason(lang string) string { return pick(lang, p.en, p.ja) }
func (p phrase) remedy(lang string) string { return pick(lang, p.enDo, p.jaDo) }

// phraseOf finds the sentence of a fault. A test proves that every code in use
// has one and that both languages use the same arguments.
func phraseOf(code string) phrase {
	for _, group := range []func(string) (phrase, bool){syntaxPhrase, valuePhrase, serverPhrase, keyPhrase, oauthPhrase, advicePhrase, deskPhrase, officePhrase, typePhrase} {
		if p, ok := group(code); ok {
			return p
		}
	}
	return phrase{en: code, ja: code}
}

// syntaxPhrase is about lines and keys that cannot be read.
func syntaxPhrase(code string) (p phrase, ok bool) {
	switch code {
	case "syntax":
		return phrase{
			"this line cannot be read ({why}).", `Each setting is one line: key = "text", key = 123 or key = true.`,
			"この行を読み取れません({why})。", `設定は 1 行に 1 つ、key = "文字"、key = 123、key = true のように書いてください。`,
		}, true
	case "syntax-header":
		return phrase{
			"a line that begins with [ must be the name of a group of settings between brackets.", "Write it on a line of its own, as [relay], or [[desk]] where there can be several.",
			"[ で始まる行は、角括弧で囲んだ設定のまとまりの名前でなければなりません。", "[relay] のように(複数書けるものは [[desk]] のように)1 行で書いてください。",
		}, true
	case "syntax-table-twice":
		return phrase{
			"{name} stands in the file a second time.", "Put all of its settings below the first one. Only [[desk]], [[agent]], [[trust]] and [[key]], with two brackets each, can be there several times.",
			"{name} が二重に書かれています。", "設定は最初の方にまとめてください。複数書けるのは、角括弧が二重の [[desk]]、[[agent]]、[[trust]]、[[key]] だけです。",
		}, true
	case "syntax-wide":
		return phrase{
			`this line has a typographic or full-width sign where a plain one is needed.`, `Use the keyboard's plain " and = signs and plain spaces; do not edit the file in a word processor.`,
			"この行に全角または飾りの記号があります。", `引用符 "、等号 =、空白は半角で入力してください。ワープロソフトでは編集しないでください。`,
		}, true
	case "syntax-duplicate":
		return phrase{
			"{name} is set a second time.", "Keep one of the two lines and delete the other.",
			"{name} が二重に設定されています。", "どちらか 1 行だけを残してください。",
		}, true
	case "syntax-empty":
		return phrase{
			"{name} has no value.", `Write a value after the = sign, as {name} = "text", or delete the line.`,
			"{name} に値がありません。", `= の後に {name} = "文字" のように値を書くか、行を削除してください。`,
		}, true
	case "syntax-backslash":
		return phrase{
			`the \ sign has a special meaning between double quotes.`, `Write Windows paths and other text with \ between single quotes: {name} = 'C:\folder\file'.`,
			`二重引用符の中では \ 記号は特別な意味を持ちます。`, `Windows のパスなど \ を含む文字は {name} = 'C:\folder\file' のように単一引用符で囲んでください。`,
		}, true
	case "syntax-unclosed":
		return phrase{
			`the closing " is missing.`, `Text stands between two double quotes: {name} = "text".`,
			`閉じる側の " がありません。`, `文字は {name} = "文字" のように二重引用符で囲んでください。`,
		}, true
	case "syntax-unquoted":
		return phrase{
			"text needs double quotes.", `Write {name} = "{text}".`,
			"文字は二重引用符で囲む必要があります。", `{name} = "{text}" と書いてください。`,
		}, true
	case "syntax-secret":
		return phrase{
			"the value cannot be read.", `Write {name} = 'the password' between single quotes; if it has a single quote in it, put it into a file and use password_file.`,
			"値を読み取れません。", `{name} = 'パスワード' のように単一引用符で囲んでください。パスワードに単一引用符が含まれる場合は、ファイルに保存して password_file を使ってください。`,
		}, true
	case "unknown":
		return phrase{
			"there is no setting {name}.", "Delete it, or look up its name in helpdesk.toml.example.",
			"{name} という設定はありません。", "削除するか、helpdesk.toml.example で正しい名前を確認してください。",
		}, true
	case "unknown-near":
		return phrase{
			"there is no setting {name} here.", "Did you mean {near}?",
			"ここには {name} という設定はありません。", "{near} の書き間違いではありませんか。",
		}, true
	case "unknown-elsewhere":
		return phrase{
			"{name} does not belong here.", "Move the line below {places}.",
			"{name} はここには書けません。", "この行を {places} の下に移してください。",
		}, true
	case "unknown-top":
		return phrase{
			"{name} does not belong here.", "Move the line to the top of the file, above the first [table].",
			"{name} はここには書けません。", "この行をファイルの先頭、最初の [ ] の行より上に移してください。",
		}, true
	}
	return phrase{}, false
}

// valuePhrase is about values of the wrong kind.
func valuePhrase(code string) (p phrase, ok bool) {
	switch code {
	case "want-text":
		return phrase{
			"this must be text between double quotes.", `Write {key} = "{written}".`,
			"二重引用符で囲んだ文字で指定する設定です。", `{key} = "{written}" と書いてください。`,
		}, true
	case "want-number":
		return phrase{
			`"{value}" is not a whole number.`, "Write a number without quotes, as {key} = {example}.",
			`"{value}" は整数ではありません。`, "{key} = {example} のように、引用符なしの数字で書いてください。",
		}, true
	case "want-bool":
		return phrase{
			`"{value}" is neither true nor false.`, "Write {key} = true or {key} = false, without quotes.",
			`"{value}" は true でも false でもありません。`, "引用符なしで {key} = true または {key} = false と書いてください。",
		}, true
	case "want-list":
		return phrase{
			"this must be a list.", "Write it between square brackets: {key} = [{example}].",
			"一覧で指定する設定です。", "{key} = [{example}] のように角括弧で囲んでください。",
		}, true
	case "want-table":
		return phrase{
			"this is a group of settings.", "Write {header} on a line of its own, and its settings below it.",
			"これは設定のまとまりです。", "{header} だけの行を書き、その下に設定を書いてください。",
		}, true
	case "not-yet":
		return phrase{
			"this setting is not available yet.", "Delete it, or leave it at its default; a later version will have it.",
			"この設定はまだ利用できません。", "削除するか、既定値のままにしてください。今後の版で対応します。",
		}, true
	case "missing":
		return phrase{
			"this setting is missing.", `Add a line {key} = "…"; helpdesk.toml.example shows what to write.`,
			"この設定がありません。", `{key} = "…" の行を追加してください。書き方は helpdesk.toml.example にあります。`,
		}, true
	case "not-one-of":
		return phrase{
			`"{value}" is not possible here.`, "Write one of: {allowed}.",
			`"{value}" は指定できません。`, "次のいずれかを書いてください: {allowed}",
		}, true
	case "no-unit-duration":
		return phrase{
			`"{value}" has no unit.`, `Write "{number}s" or "{number}m" ("{number}h" for hours, "{number}d" for days).`,
			`"{value}" に単位がありません。`, `"{number}s"(秒)、"{number}m"(分)、"{number}h"(時間)、"{number}d"(日)のように書いてください。`,
		}, true
	case "bad-duration":
		return phrase{
			`"{value}" is not a time span.`, `Write a whole number and a unit: "30s", "5m", "4h" or "14d".`,
			`"{value}" は時間の長さとして読み取れません。`, `"30s"、"5m"、"4h"、"14d" のように整数と単位で書いてください。`,
		}, true
	case "no-unit-size":
		return phrase{
			`"{value}" has no unit.`, `Write "{number}MB" ("{number}kB", "{number}GB").`,
			`"{value}" に単位がありません。`, `"{number}MB"("{number}kB"、"{number}GB")のように書いてください。`,
		}, true
	case "bad-size":
		return phrase{
			`"{value}" is not a size.`, `Write a whole number and a unit: "500kB", "50MB" or "1GB".`,
			`"{value}" はサイズとして読み取れません。`, `"500kB"、"50MB"、"1GB" のように整数と単位で書いてください。`,
		}, true
	case "too-small":
		return phrase{
			`"{value}" is too small.`, "The smallest possible value is {least}.",
			`"{value}" は小さすぎます。`, "指定できる最小の値は {least} です。",
		}, true
	case "too-small-or-off":
		return phrase{
			`"{value}" is too small.`, `The smallest possible value is {least}; "0" switches it off.`,
			`"{value}" は小さすぎます。`, `指定できる最小の値は {least} です。"0" にすると無効になります。`,
		}, true
	case "bad-address":
		return phrase{
			`"{value}" is not an e-mail address.`, "Write just the address, as name@example.com.",
			`"{value}" はメールアドレスではありません。`, "name@example.com のようにアドレスだけを書いてください。",
		}, true
	case "bad-named":
		return phrase{
			`"{value}" is not an e-mail address.`, `Write "name@example.com" or "Name <name@example.com>".`,
			`"{value}" はメールアドレスではありません。`, `"name@example.com" または "Name <name@example.com>" と書いてください。`,
		}, true
	}
	return phrase{}, false
}

// missing says that f is about something that is not written.
func (f *Fault) missing() bool {
	switch f.Code {
	case "missing", "missing-username", "missing-password", "missing-secret", "missing-tenant", "oauth-provider-missing", "no-desk", "no-agents":
		return true
	}
	return false
}
