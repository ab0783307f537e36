package config

// keyRows are about key stores, client certificates and fingerprints.
func keyRows() []row {
	return []row{
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"good.p12\"\npassword_file = \"right\"\n[[trust]]", nil},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"good.jks\"\npassword_file = \"right\"\n[[trust]]", nil},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"good.pem\"\n\n[[trust]]", nil},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"\"\n[[trust]]", []string{`11: key[1].file: this setting is missing. Add a line file = "…"; helpdesk.toml.example shows what to write.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"nothere\"\npassword_file = \"right\"\n[[trust]]", []string{`11: key[1].file: there is no file "DIR/nothere". Correct the name, or save the file there; a name without a folder is looked for beside this configuration.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \".\"\n\n[[trust]]", []string{`11: key[1].file: the key store "DIR" cannot be read (is a directory). Save it there, and let the user that helpdesk runs as read it.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"good.p12\"\npassword_file = \"nothere\"\n[[trust]]", []string{`12: key[1].password_file: there is no file "DIR/nothere". Correct the name, or save the file there; a name without a folder is looked for beside this configuration.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"good.p12\"\n\n[[trust]]", []string{`9: key[1].password_file: "DIR/good.p12" is locked by a password. Write the password into a file and name that file in password_file.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"good.p12\"\npassword_file = \"wrong\"\n[[trust]]", []string{`12: key[1].password_file: the password does not open "DIR/good.p12". Correct the password in the file. In a Java key store the key must have the same password as the store.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"misfit.p12\"\npassword_file = \"right\"\n[[trust]]", []string{`11: key[1].file: no certificate in "DIR/misfit.p12" belongs to its private key. Put the certificate that was issued for this key into the same file.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"cut.jks\"\npassword_file = \"right\"\n[[trust]]", []string{`11: key[1].file: the file "DIR/cut.jks" is cut off or damaged. Copy it again from where it came from, as a file and not as text.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"cut.p12\"\npassword_file = \"right\"\n[[trust]]", []string{`11: key[1].file: the content of "DIR/cut.p12" cannot be used (pkcs12: error reading P12 data: asn1: syntax error: data truncated). Export it again as PKCS#12 with one private key and its certificates, or as PEM.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"exotic.pem\"\npassword_file = \"right\"\n[[trust]]", []string{`11: key[1].file: the private key in "DIR/exotic.pem" is encrypted in a way that helpdesk cannot open. Encrypt it in the usual way, as with: openssl pkcs8 -topk8 -v2 aes256 -in old.pem -out new.pem`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"words\"\n\n[[trust]]", []string{`11: key[1].file: "DIR/words" is not a key store. It must be PKCS#12 (often named .p12 or .pfx), a Java key store (.jks), or PEM with the private key and its certificates in one file.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"old.jceks\"\n\n[[trust]]", []string{`11: key[1].file: "DIR/old.jceks" is a Java key store of the kind JCEKS, which helpdesk cannot open. Convert it, as with: keytool -importkeystore -srckeystore "DIR/old.jceks" -srcstoretype JCEKS -destkeystore office.p12 -deststoretype PKCS12`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"two.p12\"\n\n[[trust]]", []string{`11: key[1].file: "DIR/two.p12" holds more than one private key. Export just the one that is meant into a file of its own.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"only.p12\"\n\n[[trust]]", []string{`11: key[1].file: "DIR/only.p12" holds certificates but no private key. To sign in with it, export it again with the private key. To trust the certificates, save them in PEM form and name that file in a [[trust]].`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"old.p12\"\npassword_file = \"right\"\n[[trust]]", []string{`11: warning: key[1].file: our certificate "old" expired on 2024-01-02; servers will refuse it. Ask whoever issued it for a new one, and save it as "DIR/old.p12".`}},
		{``, `[[trust]]`, "[[key]]\nname = \"k\"\nfile = \"pass/word\"\n\n[[trust]]", []string{`11: key[1].file: the key store "DIR/pass/word" cannot be read (not a directory). Save it there, and let the user that helpdesk runs as read it.`}},
		{``, `[[trust]]`, "[[key]]\nname = \"office\"\nfile = \"good.pem\"\n[[trust]]", []string{`10: key[1].name: the name "office" is used twice. Give each its own name.`}},
		{``, "username = \"support\"\npassword = \"x\"\n[[trust]]", "username = \"support\"\npassword = \"x\"\nclient_key = \"k\"\ntrust = [\"k\", \"office\"]\n[[key]]\nname = \"k\"\nfile = \"good.pem\"\n[[trust]]", nil},
		{``, "username = \"support\"\npassword = \"x\"\n[[trust]]", "username = \"support\"\npassword = \"x\"\nclient_key = \"k\"\n[[key]]\nname = \"k\"\nfile = \"ca.pem\"\n[[trust]]", []string{`9: relay.client_key: the [[key]] "k" has no private key in it, so it cannot be presented to a server. Export the file again with the private key, or name another [[key]] here.`}},
		{`[relay]`, `password = "x"`, "password = \"x\"\nclient_key = \"office\"", []string{`9: relay.client_key: there is no [[key]] with the name "office". Correct the name, or add a [[key]] with this name and its file.`}},
		{``, `file = "office.pem"`, `fingerprint = "SHA256 Fingerprint=AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB"`, nil},
		{``, `file = "office.pem"`, `fingerprint = "sha256:abcd"`, []string{`11: trust[1].fingerprint: "sha256:abcd" is not a fingerprint. Write "sha256:" and the 64 digits and letters (0-9, a-f) of the SHA-256 fingerprint; helpdesk test prints it.`}},
		{``, `file = "office.pem"`, `fingerprint = "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB"`, []string{`11: trust[1].fingerprint: "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB" is a SHA-1 fingerprint, which can be forged. Use the SHA-256 fingerprint, which has 64 digits and letters; helpdesk test prints it.`}},
		{``, `file = "office.pem"`, ``, []string{`9: trust[1].file: it is not said what to trust. Add file = "…" with certificates in PEM form, or fingerprint = "sha256:…" of one server's certificate.`}},
		{``, `file = "office.pem"`, "file = \"office.pem\"\nfingerprint = \"sha256:abababababababababababababababababababababababababababababababab\"", []string{`12: trust[1].fingerprint: a [[trust]] has a file or a fingerprint, not both. Make two of it, each with a name of its own.`}},
		{``, `file = "office.pem"`, `file = "old.pem"`, []string{`11: warning: trust[1].file: the trusted certificate "old" expired on 2024-01-02; it is of no use any more. Get the server's new one and save it as "DIR/old.pem".`}},
	}
}
