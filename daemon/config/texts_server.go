package config

// serverPhrase is about the page, mail servers, passwords and certificates.
func serverPhrase(code string) (p phrase, ok bool) {
	switch code {
	case "bad-listen":
		return phrase{
			`"{value}" is not an address to listen on.`, `Write an IP address and a port, as "127.0.0.1:8025".`,
			`"{value}" は待ち受けるアドレスではありません。`, `"127.0.0.1:8025" のように IP アドレスとポートを書いてください。`,
		}, true
	case "listen-beyond":
		return phrase{
			`"{value}" can be reached from other machines, which is not available yet.`, `Use "127.0.0.1:8025": the page is then seen on this machine only.`,
			`"{value}" は他のコンピューターから届くアドレスですが、この機能はまだ利用できません。`, `"127.0.0.1:8025" としてください。ページはこのコンピューターだけで表示できます。`,
		}, true
	case "bad-url":
		return phrase{
			`"{value}" is not a web address.`, `Write it in full, as "https://helpdesk.example.com".`,
			`"{value}" は Web アドレスではありません。`, `"https://helpdesk.example.com" のように全体を書いてください。`,
		}, true
	case "bad-host":
		return phrase{
			`"{value}" is not the name of a server.`, `Write just the name, as "mail.example.com", without "https://", spaces or user names.`,
			`"{value}" はサーバー名ではありません。`, `"mail.example.com" のように名前だけを書いてください。"https://"、空白、ユーザー名は付けません。`,
		}, true
	case "host-port":
		return phrase{
			`"{value}" has the port in it.`, `Write host = "{host}" and, on a line of its own, port = {port}.`,
			`"{value}" にポートが含まれています。`, `host = "{host}" と書き、別の行に port = {port} と書いてください。`,
		}, true
	case "bad-port":
		return phrase{
			"{value} is not a port.", "Ports go from 1 to 65535; leave the line out to use the usual one.",
			"{value} はポート番号ではありません。", "1 から 65535 の番号を書いてください。標準のポートでよければ行を省略できます。",
		}, true
	case "plaintext":
		return phrase{
			"without encryption the password can be read on the way.", `Use security = "tls" or "starttls"; if the server really offers neither, add allow_plaintext = true.`,
			"暗号化しないと、パスワードが通信の途中で読み取られるおそれがあります。", `security は "tls" か "starttls" にしてください。サーバーがどちらにも対応していない場合に限り allow_plaintext = true を追加してください。`,
		}, true
	case "missing-username":
		return phrase{
			"the user name is missing.", "Add username and a password; if the server needs no login, write anonymous = true.",
			"ユーザー名がありません。", "username とパスワードを追加してください。ログインが不要なサーバーなら anonymous = true と書いてください。",
		}, true
	case "missing-password":
		return phrase{
			"the password is missing.", "Add one of password_file (a file that holds it), password_env or password.",
			"パスワードがありません。", "password_file(パスワードを書いたファイル)、password_env、password のいずれかを追加してください。",
		}, true
	case "two-passwords":
		return phrase{
			"the password is given in more than one way.", "Keep just one of password, password_file and password_env.",
			"パスワードが複数の方法で指定されています。", "password、password_file、password_env のうち 1 つだけを残してください。",
		}, true
	case "no-file":
		return phrase{
			`there is no configuration "{value}".`, "Make one: run helpdesk init with the address of the desk (or copy helpdesk.toml.example to that place and fill it in), or name another file with -c. To just look first: helpdesk demo",
			`設定ファイル "{value}" がありません。`, "helpdesk init のあとに窓口のアドレスを書いて実行すると作成できます（helpdesk.toml.example をコピーして記入することもできます）。別の場所にある場合は -c で指定してください。まず試すだけなら helpdesk demo を実行してください。",
		}, true
	case "file-missing":
		return phrase{
			`there is no file "{value}".`, "Correct the name, or save the file there; a name without a folder is looked for beside this configuration.",
			`ファイル "{value}" がありません。`, "名前を直すか、その場所にファイルを保存してください。フォルダーを書かない場合は、この設定ファイルと同じ場所を探します。",
		}, true
	case "password-file":
		return phrase{
			`the file "{value}" cannot be read ({why}).`, "Put the password into that file, and let the user that helpdesk runs as read it.",
			`ファイル "{value}" を読み取れません({why})。`, "このファイルにパスワードを書き、helpdesk を実行するユーザーが読めるようにしてください。",
		}, true
	case "password-file-empty":
		return phrase{
			`the file "{value}" is empty.`, "Write the password into it.",
			`ファイル "{value}" は空です。`, "パスワードを書き込んでください。",
		}, true
	case "password-file-odd":
		return phrase{
			`the file "{value}" holds more than a password.`, "It must hold one line: the password.",
			`ファイル "{value}" の内容がパスワードだけではありません。`, "パスワードを 1 行だけ書いてください。",
		}, true
	case "password-env":
		return phrase{
			`the environment variable "{value}" is not set.`, "Set it where helpdesk is started, or use password_file instead.",
			`環境変数 "{value}" が設定されていません。`, "helpdesk を起動する環境で設定するか、代わりに password_file を使ってください。",
		}, true
	case "readable-password":
		return phrase{
			`every user of this machine can read "{value}".`, `Allow it to helpdesk only, as with: chmod 600 "{value}"`,
			`このコンピューターの全ユーザーが "{value}" を読めます。`, `chmod 600 "{value}" などで helpdesk だけが読めるようにしてください。`,
		}, true
	case "readable-config":
		return phrase{
			"every user of this machine can read this file and the passwords in it.", `Allow it to helpdesk only, as with: chmod 600 "{file}"`,
			"このコンピューターの全ユーザーが、このファイルの中のパスワードを読めます。", `chmod 600 "{file}" などで helpdesk だけが読めるようにしてください。`,
		}, true
	case "trust-unknown":
		return phrase{
			`there is no [[trust]] or [[key]] with the name "{value}".`, "Correct the name, or add a [[trust]] with this name and its file.",
			`"{value}" という名前の [[trust]] や [[key]] はありません。`, "名前を直すか、この名前とファイルを書いた [[trust]] を追加してください。",
		}, true
	case "trust-file":
		return phrase{
			`the certificate file "{value}" cannot be read ({why}).`, "Save the server's or your office's certificate there in PEM form.",
			`証明書ファイル "{value}" を読み取れません({why})。`, "サーバーまたは社内認証局の証明書を PEM 形式でこの場所に保存してください。",
		}, true
	case "trust-empty":
		return phrase{
			`the file "{value}" holds no certificate.`, `It must be in PEM form: a text that has the line "-----BEGIN CERTIFICATE-----". A key store (.p12, .jks) is named in a [[key]].`,
			`ファイル "{value}" に証明書がありません。`, `PEM 形式("-----BEGIN CERTIFICATE-----" の行を含むテキスト)で保存してください。キーストア(.p12、.jks)は [[key]] に指定します。`,
		}, true
	case "name-taken":
		return phrase{
			`the name "{value}" is used twice.`, "Give each its own name.",
			`"{value}" という名前が二重に使われています。`, "それぞれ別の名前を付けてください。",
		}, true
	}
	return phrase{}, false
}

// deskPhrase is about desks and agents.
func deskPhrase(code string) (p phrase, ok bool) {
	switch code {
	case "no-desk":
		return phrase{
			"there is no desk.", "Add a [[desk]] with name, key and address, and its [desk.mailbox]; helpdesk.toml.example shows one.",
			"窓口がありません。", "name、key、address を書いた [[desk]] と [desk.mailbox] を追加してください。helpdesk.toml.example に例があります。",
		}, true
	case "no-agents":
		return phrase{
			"nobody is told of new requests.", `List the people who answer, as agents = ["aki@example.com"].`,
			"新しい依頼が誰にも通知されません。", `agents = ["aki@example.com"] のように担当者を書いてください。`,
		}, true
	case "bad-key":
		return phrase{
			`"{value}" cannot be the beginning of request numbers.`, "Write 1 to 10 capital letters and digits, a letter first, as SUP: requests are then called SUP-1, SUP-2.",
			`"{value}" は依頼番号の先頭に使えません。`, "SUP のように、英大文字で始まる 10 文字以内の英大文字と数字で書いてください。依頼は SUP-1、SUP-2 という番号になります。",
		}, true
	case "key-is-request":
		return phrase{
			`"{value}" is what a request will be called.`, `Write the part before the number only: key = "{example}".`,
			`"{value}" は個々の依頼の番号です。`, `番号より前の部分だけを key = "{example}" と書いてください。`,
		}, true
	case "key-taken":
		return phrase{
			`the desks "{first}" and "{second}" both have the key "{value}".`, `Give "{second}" another one, so that their requests can be told apart.`,
			`窓口 "{first}" と "{second}" の key がどちらも "{value}" です。`, `依頼を区別できるように、"{second}" に別の key を付けてください。`,
		}, true
	case "address-taken":
		return phrase{
			`the desks "{first}" and "{second}" both have the address "{value}".`, `An address belongs to one desk: remove it from "{first}" or from "{second}".`,
			`窓口 "{first}" と "{second}" の両方にアドレス "{value}" があります。`, `1 つのアドレスは 1 つの窓口のものです。"{first}" か "{second}" のどちらかから削除してください。`,
		}, true
	case "address-same":
		return phrase{
			`"{value}" of the desk "{second}" and "{other}" of the desk "{first}" are one address: Gmail takes no notice of dots, and googlemail.com is gmail.com.`, `An address belongs to one desk: remove it from "{first}" or from "{second}".`,
			`窓口 "{second}" の "{value}" と窓口 "{first}" の "{other}" は同じアドレスです(Gmail ではドットの有無は区別されず、googlemail.com は gmail.com と同じです)。`, `1 つのアドレスは 1 つの窓口のものです。"{first}" か "{second}" のどちらかから削除してください。`,
		}, true
	case "address-repeated":
		return phrase{
			`the address "{value}" stands here twice.`, "Delete one of the two; aliases are the other addresses of a desk.",
			`アドレス "{value}" が二重に書かれています。`, "一方を削除してください。aliases には窓口の別のアドレスだけを書きます。",
		}, true
	case "agent-unknown":
		return phrase{
			`"{value}" is not among the agents.`, `Correct the address, or add an [[agent]] with a name and email = "{value}".`,
			`"{value}" は [[agent]] に登録されていません。`, `アドレスを直すか、name と email = "{value}" を書いた [[agent]] を追加してください。`,
		}, true
	case "agent-listed-twice":
		return phrase{
			`"{value}" is listed twice.`, "Delete one of the two.",
			`"{value}" が二重に書かれています。`, "一方を削除してください。",
		}, true
	case "agent-twice":
		return phrase{
			`two agents have the address "{value}".`, "Delete one of the two, or correct its address.",
			`2 人の担当者のアドレスがどちらも "{value}" です。`, "一方を削除するか、アドレスを直してください。",
		}, true
	case "agent-is-desk":
		return phrase{
			`"{value}" is the address of the desk "{desk}", so notifications to this agent would come back as new mail.`, "Write the agent's own address.",
			`"{value}" は窓口 "{desk}" のアドレスです。この担当者への通知が新着メールとして戻ってきてしまいます。`, "担当者本人のアドレスを書いてください。",
		}, true
	case "mailbox-taken":
		return phrase{
			`the desks "{first}" and "{second}" read the same mailbox (folder "{folder}" of "{value}" at {host}), so each would miss mail.`, `Give "{second}" a mailbox or a folder of its own, or make its address an alias of "{first}".`,
			`窓口 "{first}" と "{second}" が同じメールボックス({host} の "{value}"、フォルダー "{folder}")を読むため、互いにメールを取りこぼします。`, `"{second}" に別のメールボックスかフォルダーを指定するか、そのアドレスを "{first}" の aliases に入れてください。`,
		}, true
	case "mailbox-same":
		return phrase{
			`the desks "{first}" and "{second}" read the same mailbox under two names (folder "{folder}" of "{other}" at {otherhost} and of "{value}" at {host}), so each would miss mail.`, `Give "{second}" a mailbox or a folder of its own, or make its address an alias of "{first}".`,
			`窓口 "{first}" と "{second}" は、別の名前で同じメールボックス({otherhost} の "{other}" と {host} の "{value}"、フォルダー "{folder}")を読むため、互いにメールを取りこぼします。`, `"{second}" に別のメールボックスかフォルダーを指定するか、そのアドレスを "{first}" の aliases に入れてください。`,
		}, true
	case "mailbox-shown-same":
		return phrase{
			`the desks "{first}" and "{second}" read the same mailbox: the server shows the same mails in both (folder "{folder}"), so each mail would be taken twice.`, `"{first}" goes on, "{second}" is stopped. Give "{second}" a mailbox or a folder of its own, or make its address an alias of "{first}".`,
			`窓口 "{first}" と "{second}" は同じメールボックスを読んでいます(フォルダー "{folder}" に同じメールがあります)。このままでは 1 通のメールが 2 回受け付けられます。`, `"{first}" は動作を続け、"{second}" は停止しています。"{second}" に別のメールボックスかフォルダーを指定するか、そのアドレスを "{first}" の aliases に入れてください。`,
		}, true
	case "move-into-itself":
		return phrase{
			`"{value}" is the folder that mail is read from.`, "Name another folder for mail that was taken.",
			`"{value}" はメールを読み取るフォルダーです。`, "処理済みのメールを移す先には別のフォルダーを指定してください。",
		}, true
	}
	return phrase{}, false
}
