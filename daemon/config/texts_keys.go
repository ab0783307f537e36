package config

// keyPhrase is about key stores, fingerprints, and certificates that expire.
func keyPhrase(code string) (p phrase, ok bool) {
	switch code {
	case "key-file":
		return phrase{
			`the key store "{value}" cannot be read ({why}).`, "Save it there, and let the user that helpdesk runs as read it.",
			`キーストア "{value}" を読み取れません({why})。`, "この場所に保存し、helpdesk を実行するユーザーが読めるようにしてください。",
		}, true
	case "key-format":
		return phrase{
			`"{value}" is not a key store.`, "It must be PKCS#12 (often named .p12 or .pfx), a Java key store (.jks), or PEM with the private key and its certificates in one file.",
			`"{value}" はキーストアではありません。`, "PKCS#12(.p12 や .pfx)、Java のキーストア(.jks)、または秘密鍵と証明書を 1 つにまとめた PEM ファイルを指定してください。",
		}, true
	case "key-jceks":
		return phrase{
			`"{value}" is a Java key store of the kind JCEKS, which helpdesk cannot open.`, `Convert it, as with: keytool -importkeystore -srckeystore "{value}" -srcstoretype JCEKS -destkeystore office.p12 -deststoretype PKCS12`,
			`"{value}" は JCEKS 形式の Java キーストアで、helpdesk では開けません。`, `次のように変換してください: keytool -importkeystore -srckeystore "{value}" -srcstoretype JCEKS -destkeystore office.p12 -deststoretype PKCS12`,
		}, true
	case "key-locked":
		return phrase{
			`"{value}" is locked by a password.`, "Write the password into a file and name that file in password_file.",
			`"{value}" はパスワードで保護されています。`, "パスワードをファイルに書き、そのファイルを password_file に指定してください。",
		}, true
	case "key-password":
		return phrase{
			`the password does not open "{value}".`, "Correct the password in the file. In a Java key store the key must have the same password as the store.",
			`"{value}" のパスワードが違います。`, "ファイルのパスワードを直してください。Java のキーストアでは、鍵のパスワードをキーストアのパスワードと同じにしてください。",
		}, true
	case "key-unreadable":
		return phrase{
			`the content of "{value}" cannot be used ({why}).`, "Export it again as PKCS#12 with one private key and its certificates, or as PEM.",
			`"{value}" の内容を利用できません({why})。`, "1 つの秘密鍵とその証明書を含む PKCS#12 または PEM 形式で、もう一度エクスポートしてください。",
		}, true
	case "key-cipher":
		return phrase{
			`the private key in "{value}" is encrypted in a way that helpdesk cannot open.`, `Encrypt it in the usual way, as with: openssl pkcs8 -topk8 -v2 aes256 -in old.pem -out new.pem`,
			`"{value}" の秘密鍵は、helpdesk では開けない方式で暗号化されています。`, `次のように一般的な方式で暗号化し直してください: openssl pkcs8 -topk8 -v2 aes256 -in old.pem -out new.pem`,
		}, true
	case "key-damaged":
		return phrase{
			`the file "{value}" is cut off or damaged.`, "Copy it again from where it came from, as a file and not as text.",
			`ファイル "{value}" が途中で切れているか、壊れています。`, "元の場所から、テキストではなくファイルとしてもう一度コピーしてください。",
		}, true
	case "key-several":
		return phrase{
			`"{value}" holds more than one private key.`, "Export just the one that is meant into a file of its own.",
			`"{value}" に複数の秘密鍵が含まれています。`, "使用する鍵だけを別のファイルにエクスポートしてください。",
		}, true
	case "key-only-certificates":
		return phrase{
			`"{value}" holds certificates but no private key.`, "To sign in with it, export it again with the private key. To trust the certificates, save them in PEM form and name that file in a [[trust]].",
			`"{value}" には証明書だけがあり、秘密鍵がありません。`, "ログインに使う場合は、秘密鍵を含めてもう一度エクスポートしてください。証明書を信頼するだけの場合は、PEM 形式で保存して [[trust]] に指定してください。",
		}, true
	case "key-mismatch":
		return phrase{
			`no certificate in "{value}" belongs to its private key.`, "Put the certificate that was issued for this key into the same file.",
			`"{value}" に、秘密鍵に対応する証明書がありません。`, "この鍵に対して発行された証明書を同じファイルに入れてください。",
		}, true
	case "key-none":
		return phrase{
			`the [[key]] "{value}" has no private key in it, so it cannot be presented to a server.`, "Export the file again with the private key, or name another [[key]] here.",
			`[[key]] "{value}" には秘密鍵がないため、サーバーに提示できません。`, "秘密鍵を含めてファイルをもう一度エクスポートするか、別の [[key]] を指定してください。",
		}, true
	case "client-key-unknown":
		return phrase{
			`there is no [[key]] with the name "{value}".`, "Correct the name, or add a [[key]] with this name and its file.",
			`"{value}" という名前の [[key]] はありません。`, "名前を直すか、この名前とファイルを書いた [[key]] を追加してください。",
		}, true
	case "trust-neither":
		return phrase{
			"it is not said what to trust.", `Add file = "…" with certificates in PEM form, or fingerprint = "sha256:…" of one server's certificate.`,
			"信頼する対象が書かれていません。", `PEM 形式の証明書を file = "…" で指定するか、サーバー証明書のフィンガープリントを fingerprint = "sha256:…" で指定してください。`,
		}, true
	case "trust-both":
		return phrase{
			"a [[trust]] has a file or a fingerprint, not both.", "Make two of it, each with a name of its own.",
			"[[trust]] に指定できるのは file か fingerprint のどちらか一方です。", "別の名前を付けて 2 つに分けてください。",
		}, true
	case "bad-fingerprint":
		return phrase{
			`"{value}" is not a fingerprint.`, `Write "sha256:" and the 64 digits and letters (0-9, a-f) of the SHA-256 fingerprint; helpdesk test prints it.`,
			`"{value}" はフィンガープリントではありません。`, `"sha256:" に続けて、SHA-256 フィンガープリントの 64 桁の英数字(0-9、a-f)を書いてください。helpdesk test で表示されます。`,
		}, true
	case "fingerprint-sha1":
		return phrase{
			`"{value}" is a SHA-1 fingerprint, which can be forged.`, "Use the SHA-256 fingerprint, which has 64 digits and letters; helpdesk test prints it.",
			`"{value}" は SHA-1 のフィンガープリントで、偽造されるおそれがあります。`, "64 桁の SHA-256 フィンガープリントを使ってください。helpdesk test で表示されます。",
		}, true
	case "key-expired":
		return phrase{
			`our certificate "{subject}" expired on {date}; servers will refuse it.`, `Ask whoever issued it for a new one, and save it as "{value}".`,
			`クライアント証明書 "{subject}" は {date} に期限が切れており、サーバーに拒否されます。`, `発行元から新しい証明書を入手し、"{value}" に保存してください。`,
		}, true
	case "key-expires":
		return phrase{
			`our certificate "{subject}" expires on {date}, in {days} day(s).`, `Ask whoever issued it for a new one in time, and save it as "{value}".`,
			`クライアント証明書 "{subject}" は {date} に期限が切れます(あと {days} 日)。`, `早めに発行元から新しい証明書を入手し、"{value}" に保存してください。`,
		}, true
	case "trust-expired":
		return phrase{
			`the trusted certificate "{subject}" expired on {date}; it is of no use any more.`, `Get the server's new one and save it as "{value}".`,
			`信頼する証明書 "{subject}" は {date} に期限が切れており、もう使えません。`, `サーバーの新しい証明書を入手し、"{value}" に保存してください。`,
		}, true
	case "trust-expires":
		return phrase{
			`the trusted certificate "{subject}" expires on {date}, in {days} day(s).`, `Get the server's new one in time, and add it to "{value}".`,
			`信頼する証明書 "{subject}" は {date} に期限が切れます(あと {days} 日)。`, `早めにサーバーの新しい証明書を入手し、"{value}" に追加してください。`,
		}, true
	}
	return phrase{}, false
}
