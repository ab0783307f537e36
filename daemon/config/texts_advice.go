package config

// advicePhrase is about providers, ports, POP3 and what else is worth a warning.
func advicePhrase(code string) (p phrase, ok bool) {
	switch code {
	case "preset-unknown":
		return phrase{
			`"{value}" is not a provider that is known here.`, "Perhaps one of these is meant: {near}. For another one leave preset out and write host, as your provider names it.",
			`"{value}" というプロバイダーは登録されていません。`, "次のいずれかかもしれません: {near}。それ以外では preset を書かず、プロバイダーの案内にある host を書いてください。",
		}, true
	case "preset-protocol":
		return phrase{
			"{name} does not offer {protocol}.", "Use another protocol, or the server of another provider.",
			"{name} は {protocol} に対応していません。", "別のプロトコルか、別のプロバイダーのサーバーを使ってください。",
		}, true
	case "preset-host":
		return phrase{
			"{name} gives each customer another server, so its name is needed.", `Add a line host = "…" with {what}.`,
			"{name} ではお客様ごとにサーバーが異なるため、サーバー名が必要です。", `host = "…" の行を追加してください。書く内容: {what}`,
		}, true
	case "port-protocol":
		return phrase{
			"{value} is the port of {protocol}, and this is {this}.", "The usual port here is {usual}; leave the line out to use it.",
			"{value} は {protocol} のポートですが、ここは {this} の設定です。", "通常のポートは {usual} です。行を省略すると、このポートが使われます。",
		}, true
	case "port-security":
		return phrase{
			`port {value} and security = "{security}" do not go together.`, `Write security = "{right}", or port = {usual}.`,
			`ポート {value} と security = "{security}" は組み合わせられません。`, `security = "{right}" とするか、port = {usual} としてください。`,
		}, true
	case "username-address":
		return phrase{
			`at {name} the user name is the whole e-mail address, and "{value}" is not one.`, "Write the address, as name@example.com.",
			`{name} のユーザー名はメールアドレス全体ですが、"{value}" はメールアドレスではありません。`, "name@example.com のようにアドレスを書いてください。",
		}, true
	case "other-product":
		return phrase{
			`"{value}" is the relay of {name}, for its own customers only: connections from elsewhere are blocked, or mail is taken and never delivered.`, "Write the outgoing mail server of your own mail provider.",
			`"{value}" は {name} の利用者専用の中継サーバーです。外部からの接続は拒否されるか、メールが受け付けられても配信されません。`, "ご利用のメールプロバイダーの送信サーバーを書いてください。",
		}, true
	case "bad-proxy":
		return phrase{
			"this is not the address of a proxy.", `Write "socks5://proxy.example.com:1080" or "http://proxy.example.com:3128", or "none" to use no proxy at all.`,
			"プロキシのアドレスではありません。", `"socks5://proxy.example.com:1080" や "http://proxy.example.com:3128" のように書いてください。プロキシを使わない場合は "none" と書きます。`,
		}, true
	case "pop3-after":
		return phrase{
			`"{value}" is not possible with POP3, which knows no marks and no folders.`, `Write after = "keep" or "delete", or use IMAP.`,
			`POP3 には既読の印もフォルダーもないため、"{value}" は指定できません。`, `after = "keep" か "delete" とするか、IMAP を使ってください。`,
		}, true
	case "pop3-folder":
		return phrase{
			`POP3 knows no folders, so "{value}" cannot be read.`, "Delete the line, or use IMAP.",
			`POP3 にはフォルダーがないため、"{value}" は読み取れません。`, "行を削除するか、IMAP を使ってください。",
		}, true
	case "pop3-archive":
		return phrase{
			"{name} gives archived mail to POP3 too, so that what you filed away may become requests.", `Use protocol = "imap" there.`,
			"{name} の POP3 ではアーカイブしたメールも取得されるため、整理済みのメールが依頼になることがあります。", `protocol = "imap" をお勧めします。`,
		}, true
	case "pop3-limit":
		return phrase{
			"{name} lets POP3 sign in only about every {pause} and refuses for hours when it is more often; a mail program that reads the same mailbox counts too.", `Use protocol = "imap" there.`,
			"{name} の POP3 はログインを約 {pause} に 1 回しか許可せず、超えると数時間拒否します。同じメールボックスを読むメールソフトの分も数えられます。", `protocol = "imap" をお勧めします。`,
		}, true
	case "poll-limit":
		return phrase{
			`"{value}" is more often than {name} allows.`, `Write poll = "{pause}" or longer, or delete the line.`,
			`"{value}" は {name} が許可する間隔より短すぎます。`, `poll = "{pause}" 以上にするか、行を削除してください。`,
		}, true
	case "canary-relay":
		return phrase{
			"a mail to oneself needs the relay, and it is switched off (enabled = false).", "Delete the line, or switch the relay on.",
			"自分宛ての確認メールには中継サーバーが必要ですが、無効になっています(enabled = false)。", "行を削除するか、中継サーバーを有効にしてください。",
		}, true
	case "admin-is-desk":
		return phrase{
			`"{value}" is the address of the desk "{desk}", so what is told to the administrator would come back as new mail, or not arrive when that mailbox fails.`, "Write the administrator's own address.",
			`"{value}" は窓口 "{desk}" のアドレスです。管理者への通知が新着メールとして戻ってくるか、そのメールボックスの障害時に届かなくなります。`, "管理者本人のアドレスを書いてください。",
		}, true
	}
	return phrase{}, false
}
