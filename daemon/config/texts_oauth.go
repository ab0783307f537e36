package config

// oauthPhrase is about the sign-in without a password.
func oauthPhrase(code string) (p phrase, ok bool) {
	switch code {
	case "oauth-provider":
		return phrase{
			`"{value}" is not a provider whose sign-in is known here.`, "Write one of: {allowed}. For another one leave the line out, and write auth_url, token_url and scopes.",
			`"{value}" のサインイン方法は登録されていません。`, "次のいずれかを書いてください: {allowed}。それ以外のプロバイダーでは、この行を書かずに auth_url、token_url、scopes を書いてください。",
		}, true
	case "oauth-provider-missing":
		return phrase{
			"it is not said at which provider to sign in.", "Add provider = \"…\" with one of: {allowed}; for another one auth_url, token_url and scopes.",
			"サインインするプロバイダーが書かれていません。", "provider = \"…\" に次のいずれかを書いてください: {allowed}。それ以外のプロバイダーでは auth_url、token_url、scopes を書いてください。",
		}, true
	case "oauth-url":
		return phrase{
			`"{value}" is not an address for signing in.`, `Write it in full, as "https://login.example.com/token"; it must be https.`,
			`"{value}" はサインイン用のアドレスではありません。`, `"https://login.example.com/token" のように全体を書いてください。https でなければなりません。`,
		}, true
	case "oauth-flow":
		return phrase{
			`"{value}" is not possible with {name}.`, "Write one of: {allowed}.",
			`{name} では "{value}" は指定できません。`, "次のいずれかを書いてください: {allowed}",
		}, true
	case "oauth-excluded":
		return phrase{
			`this setting has no meaning with flow = "{flow}".`, "Delete the line, or correct flow.",
			`flow = "{flow}" では、この設定は使われません。`, "行を削除するか、flow を直してください。",
		}, true
	case "oauth-and-password":
		return phrase{
			"there is a password and also a sign-in without one ([{table}]).", "Keep one of the two: delete the password, or everything below [{table}].",
			"パスワードと、パスワードを使わないサインイン([{table}])の両方が設定されています。", "どちらか一方だけを残してください。パスワードの行か、[{table}] 以下を削除します。",
		}, true
	case "auth-needs-oauth":
		return phrase{
			`"{value}" signs in with a token of OAuth2, and there is no [{table}].`, `Add [{table}] with provider and client_id instead of the password, or write auth = "auto".`,
			`"{value}" は OAuth2 のトークンでログインする方式ですが、[{table}] がありません。`, `パスワードの代わりに [{table}] に provider と client_id を書くか、auth = "auto" としてください。`,
		}, true
	case "auth-not-oauth":
		return phrase{
			`"{value}" signs in with a password, and [{table}] is for signing in without one.`, `Write auth = "auto", or delete the line.`,
			`"{value}" はパスワードでログインする方式ですが、[{table}] はパスワードを使わないサインインの設定です。`, `auth = "auto" とするか、行を削除してください。`,
		}, true
	case "missing-secret":
		return phrase{
			"the client secret is missing.", "Save the secret that the provider's console shows into a file, and name that file in client_secret_file (or use client_secret_env).",
			"クライアントシークレットがありません。", "プロバイダーの管理画面に表示されたシークレットをファイルに保存し、client_secret_file に指定してください(client_secret_env も使えます)。",
		}, true
	case "two-secrets":
		return phrase{
			"the client secret is given in two ways.", "Keep just one of client_secret_file and client_secret_env.",
			"クライアントシークレットが 2 つの方法で指定されています。", "client_secret_file と client_secret_env のどちらか 1 つだけを残してください。",
		}, true
	case "secret-file":
		return phrase{
			`the file "{value}" cannot be read ({why}).`, "Save it there, and let the user that helpdesk runs as read it.",
			`ファイル "{value}" を読み取れません({why})。`, "この場所に保存し、helpdesk を実行するユーザーが読めるようにしてください。",
		}, true
	case "secret-file-empty":
		return phrase{
			`the file "{value}" is empty.`, "Write the client secret into it.",
			`ファイル "{value}" は空です。`, "クライアントシークレットを書き込んでください。",
		}, true
	case "secret-file-odd":
		return phrase{
			`the file "{value}" holds more than a client secret.`, "It must hold one line: the secret's value.",
			`ファイル "{value}" の内容がクライアントシークレットだけではありません。`, "シークレットの値を 1 行だけ書いてください。",
		}, true
	case "secret-env":
		return phrase{
			`the environment variable "{value}" is not set.`, "Set it where helpdesk is started, or use client_secret_file instead.",
			`環境変数 "{value}" が設定されていません。`, "helpdesk を起動する環境で設定するか、代わりに client_secret_file を使ってください。",
		}, true
	case "secret-is-id":
		return phrase{
			`"{value}" seems to hold the secret's ID instead of the secret itself; Microsoft will refuse it.`, `Copy the column "Value" in Entra's "Certificates & secrets". It is shown only once: if it is gone, make a new secret.`,
			`"{value}" の内容は、シークレットの値ではなく ID のようです。Microsoft に拒否されます。`, `Entra の「証明書とシークレット」で「値」の列をコピーしてください。値は作成時に一度しか表示されないため、控えがない場合は新しく作成してください。`,
		}, true
	case "bad-date":
		return phrase{
			`"{value}" is not a date.`, `Write year, month and day, as "2027-05-01".`,
			`"{value}" は日付ではありません。`, `"2027-05-01" のように年・月・日で書いてください。`,
		}, true
	case "secret-expired":
		return phrase{
			"the client secret has expired on {value}; the sign-in will be refused.", "Make a new one in the provider's console, save it in the file, and write its new date here.",
			"クライアントシークレットは {value} に期限が切れており、サインインが拒否されます。", "プロバイダーの管理画面で新しいシークレットを作成してファイルに保存し、この日付も書き直してください。",
		}, true
	case "secret-expires":
		return phrase{
			"the client secret expires on {value}, in {days} day(s).", "Make a new one in the provider's console in time, save it in the file, and write its new date here.",
			"クライアントシークレットは {value} に期限が切れます(あと {days} 日)。", "早めにプロバイダーの管理画面で新しいシークレットを作成してファイルに保存し、この日付も書き直してください。",
		}, true
	case "missing-tenant":
		return phrase{
			"the tenant is missing.", `Write the "Directory (tenant) ID" that Microsoft Entra shows in the overview of the registered app.`,
			"テナントがありません。", `Microsoft Entra で、登録したアプリの概要に表示される「ディレクトリ (テナント) ID」を書いてください。`,
		}, true
	case "tenant-one":
		return phrase{
			`"{value}" stands for many tenants, and flow = "app" needs yours.`, `Write the "Directory (tenant) ID" that Microsoft Entra shows in the overview of the registered app.`,
			`"{value}" は複数のテナントを表しますが、flow = "app" では自社のテナントが必要です。`, `Microsoft Entra で、登録したアプリの概要に表示される「ディレクトリ (テナント) ID」を書いてください。`,
		}, true
	case "bad-tenant":
		return phrase{
			`"{value}" is not a tenant.`, `Write the "Directory (tenant) ID" that Microsoft Entra shows, or a domain as "example.onmicrosoft.com".`,
			`"{value}" はテナントではありません。`, `Microsoft Entra に表示される「ディレクトリ (テナント) ID」か、"example.onmicrosoft.com" のようなドメインを書いてください。`,
		}, true
	case "tenant-only-microsoft":
		return phrase{
			"only Microsoft has tenants.", "Delete the line.",
			"テナントは Microsoft だけの設定です。", "行を削除してください。",
		}, true
	case "service-account":
		return phrase{
			`"{value}" is not the key of a service account.`, `In Google's console open IAM > Service accounts > Keys, add a key of the type JSON, and save that file here as it is.`,
			`"{value}" はサービスアカウントのキーではありません。`, `Google の管理画面で「IAM」>「サービス アカウント」>「キー」を開き、JSON 形式のキーを追加して、そのファイルをそのまま保存してください。`,
		}, true
	case "needs-oauth":
		return phrase{
			"{name} lets no program sign in with a password any more.", "Delete the password, add [{table}] with client_id as in helpdesk.toml.example, and run helpdesk authorize.",
			"{name} では、プログラムはパスワードでログインできません。", "パスワードの行を削除し、helpdesk.toml.example のとおり [{table}] に client_id を書いて、helpdesk authorize を実行してください。",
		}, true
	}
	return phrase{}, false
}
