package config

// officePhrase is about who may write, times, limits and notices.
func officePhrase(code string) (p phrase, ok bool) {
	switch code {
	case "no-limit":
		return phrase{
			"0 is no limit: a mistake or an attack can then cause any number of mails.", "Delete the line to have the usual limit of {usual}.",
			"0 は無制限です。設定の誤りや攻撃があると、際限なくメールが送られるおそれがあります。", "行を削除すると、通常の上限 {usual} になります。",
		}, true
	case "bad-domain":
		return phrase{
			`"{value}" is not a domain.`, `Write just the part of the addresses behind the @, as "{domain}"; domains below it are included.`,
			`"{value}" はドメインではありません。`, `"{domain}" のように、アドレスの @ より後だけを書いてください。その下のドメインも含まれます。`,
		}, true
	case "bad-listed":
		return phrase{
			`"{value}" is neither an e-mail address nor a domain.`, `Write an address, as "name@example.com", or a domain, as "{domain}"; domains below it are included.`,
			`"{value}" はメールアドレスでもドメインでもありません。`, `"name@example.com" のようなアドレスか、"{domain}" のようなドメインを書いてください。その下のドメインも含まれます。`,
		}, true
	case "domains-open":
		return phrase{
			"this has no effect: with public_signup = true everybody may write to this desk.", "Write public_signup = false to let in known customers and these domains only, or delete this line.",
			"この設定は効果がありません。public_signup = true の窓口には誰でも送信できます。", "登録済みのお客様とこれらのドメインだけに限るなら public_signup = false と書き、そうでなければこの行を削除してください。",
		}, true
	case "allowed-and-blocked":
		return phrase{
			`"{value}" is in allow and in block; it is blocked.`, "Delete it from one of the two.",
			`"{value}" は allow と block の両方にあります。この場合は拒否されます。`, "どちらか一方から削除してください。",
		}, true
	case "agent-blocked":
		return phrase{
			`"{value}" is the agent {agent} too: their answers to notifications are taken all the same, other mail of theirs is not.`, `Delete it, or add "{agent}" to allow.`,
			`"{value}" は担当者 {agent} にも当てはまります。通知への返信は受け付けますが、その他のメールは拒否されます。`, `削除するか、allow に "{agent}" を追加してください。`,
		}, true
	case "bad-hours":
		return phrase{
			`"{value}" is not understood as office hours.`, `Write days and times, as "mon-fri 09:00-17:30" or "mon,wed 09:00-12:00 13:00-17:00"; for hours past midnight write two, as "fri 22:00-24:00" and "sat 00:00-02:00".`,
			`"{value}" を営業時間として読み取れません。`, `"月-金 09:00-17:30" や "mon,wed 09:00-12:00 13:00-17:00" のように曜日と時刻を書いてください。午前 0 時をまたぐ場合は "fri 22:00-24:00" と "sat 00:00-02:00" のように 2 つに分けます。`,
		}, true
	case "bad-holiday":
		return phrase{
			`"{value}" is not a day.`, `Write "2026-12-25", or "01-01" for the first of January of each year.`,
			`"{value}" は日付ではありません。`, `"2026-12-25" のように、毎年の休日は "01-01"(1 月 1 日)のように書いてください。`,
		}, true
	case "bad-timezone":
		return phrase{
			`"{value}" is not a time zone.`, `Write its name with continent and city, as "Europe/Berlin" or "Asia/Tokyo", or delete the line to use this machine's.`,
			`"{value}" はタイムゾーンの名前ではありません。`, `"Asia/Tokyo" のように地域と都市で書いてください。行を削除すると、このコンピューターのタイムゾーンになります。`,
		}, true
	case "answers-off":
		return phrase{
			"what agents answer is then not sent to customers.", "Delete the line, unless this desk is to answer nobody.",
			"担当者の回答がお客様に送信されなくなります。", "この窓口から回答を一切送らない場合を除き、行を削除してください。",
		}, true
	case "own-text": // package desk knows the sentences
		return phrase{"{reason}", "{remedy}", "{reason}", "{remedy}"}, true
	case "no-folder":
		return phrase{
			`there is no folder "{value}".`, "Correct the name, or make the folder; a name without a folder before it is looked for beside this configuration.",
			`フォルダー "{value}" がありません。`, "名前を直すか、フォルダーを作成してください。上位のフォルダーを書かない場合は、この設定ファイルと同じ場所を探します。",
		}, true
	}
	return phrase{}, false
}

// typePhrase is about request types and their fields.
func typePhrase(code string) (p phrase, ok bool) {
	switch code {
	case "type-unknown":
		return phrase{
			`this desk has no request type "{value}", so its mail cannot become requests.`, "Write request_type below [desk.mailbox] as one of: {names}.",
			`この窓口には依頼種別 "{value}" がないため、メールを依頼にできません。`, "[desk.mailbox] の request_type に次のいずれかを書いてください: {names}",
		}, true
	case "type-twice":
		return phrase{
			`two request types of this desk have the name "{value}".`, "Give each its own name.",
			`この窓口に "{value}" という依頼種別が 2 つあります。`, "それぞれ別の名前を付けてください。",
		}, true
	case "field-missing":
		return phrase{
			`the request type "{type}" of the mailbox has no field "{field}", so mail cannot become requests.`, `Add a [[desk.request_type.field]] with name = "{field}" and visible = true.`,
			`メールボックスの依頼種別 "{type}" に項目 "{field}" がないため、メールを依頼にできません。`, `name = "{field}" と visible = true を書いた [[desk.request_type.field]] を追加してください。`,
		}, true
	case "field-hidden":
		return phrase{
			`the field "{field}" of the mailbox's request type "{type}" is hidden, so mail cannot become requests.`, "Write visible = true there.",
			`メールボックスの依頼種別 "{type}" の項目 "{field}" が非表示のため、メールを依頼にできません。`, "その項目に visible = true と書いてください。",
		}, true
	case "field-required":
		return phrase{
			`the field "{field}" of the mailbox's request type "{type}" is required, and a mail cannot fill it in.`, "Write required = false there, or give the mailbox another request_type.",
			`メールボックスの依頼種別 "{type}" の項目 "{field}" は必須ですが、メールでは入力できません。`, "その項目を required = false とするか、メールボックスに別の request_type を指定してください。",
		}, true
	case "field-twice":
		return phrase{
			`the request type "{type}" has two fields "{value}".`, "Delete one of the two, or give it another name.",
			`依頼種別 "{type}" に項目 "{value}" が 2 つあります。`, "一方を削除するか、別の名前にしてください。",
		}, true
	case "bad-field":
		return phrase{
			`"{value}" cannot be the name of a field.`, "Write at most 40 letters, without colon, # and line ends, and without spaces around it.",
			`"{value}" は項目名に使えません。`, "40 文字以内で、コロン、#、改行を含めず、前後に空白を入れずに書いてください。",
		}, true
	case "field-command":
		return phrase{
			`"{value}" is a command in agents' mails, so it cannot be the name of a field.`, "Give the field another name.",
			`"{value}" は担当者がメールで使う命令のため、項目名に使えません。`, "項目に別の名前を付けてください。",
		}, true
	case "field-of-mail":
		return phrase{
			`what stands in "{value}" always comes from the mail, so default and choices have no effect.`, "Delete default and choices there.",
			`"{value}" の内容は常にメールから取られるため、default と choices は効果がありません。`, "この項目の default と choices を削除してください。",
		}, true
	case "choice-empty":
		return phrase{
			"a choice is empty.", "Write a word there, or delete it: a field that is not required can be left empty anyway.",
			"空の選択肢があります。", "文字を書くか、削除してください。必須でない項目は何も選ばないこともできます。",
		}, true
	case "choice-twice":
		return phrase{
			`the choice "{value}" stands here twice.`, "Delete one of the two; capital and small letters are no difference.",
			`選択肢 "{value}" が二重に書かれています。`, "一方を削除してください。大文字と小文字は区別されません。",
		}, true
	case "default-choice":
		return phrase{
			`"{value}" is not among the choices of this field.`, "Write one of: {choices}, or add it to choices.",
			`"{value}" はこの項目の選択肢にありません。`, "次のいずれかを書くか、choices に追加してください: {choices}",
		}, true
	}
	return phrase{}, false
}
