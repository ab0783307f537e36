package daemon

import "strings"

// unit is what our systemd unit depends on.
type unit struct {
	Program  string // absolute paths
	Config   string
	DataDir  string
	User     string // "" for root, who then has no privileges but to own files
	StateDir bool   // DataDir is /var/lib/helpdesk, which systemd makes and hands to User
	Home     bool   // one of the paths lies in somebody's home
	Temp     bool   // one of the paths lies in /tmp or /var/tmp
}

// text is the unit file. It is complete: the service library fills in nothing.
//
// Exit codes 2 and 3 are wrong use and wrong configuration, which no restart
// mends. The name server and the mail servers are out there: hence
// network-online.
func (u unit) text() string {
	lines := []string{
		"[Unit]",
		"Description=E-mail service desk",
		"Wants=network-online.target",
		"After=network-online.target nss-lookup.target time-sync.target",
		"",
		"[Service]",
		"ExecStart=" + unitQuote(u.Program, true) + " run --service --config " + unitQuote(u.Config, true),
		"# Variables for password_env in helpdesk.toml",
		"EnvironmentFile=-/etc/default/helpdesk",
		"Restart=on-failure",
		"RestartSec=5",
		"RestartPreventExitStatus=2 3",
		"TimeoutStopSec=20",
		"UMask=0077",
	}
	if u.User != "" {
		lines = append(lines, "User="+u.User)
	}
	if u.StateDir {
		lines = append(lines, "StateDirectory=helpdesk", "StateDirectoryMode=0700")
	} else {
		lines = append(lines, "ReadWritePaths="+unitQuote(u.DataDir, false))
	}
	home := "yes"
	if u.Home {
		home = "read-only"
	}
	lines = append(lines, "ProtectHome="+home)
	if !u.Temp {
		lines = append(lines, "PrivateTmp=yes")
	}
	lines = append(lines,
		"ProtectSystem=strict",
		"NoNewPrivileges=yes",
		"CapabilityBoundingSet=",
		"PrivateDevices=yes",
		"ProtectKernelTunables=yes",
		"ProtectKernelModules=yes",
		"ProtectKernelLogs=yes",
		"ProtectControlGroups=yes",
		"ProtectClock=yes",
		"ProtectHostname=yes",
		"LockPersonality=yes",
		"MemoryDenyWriteExecute=yes",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
		"RestrictNamespaces=yes",
		"RestrictRealtime=yes",
		"RestrictSUIDSGID=yes",
		"SystemCallArchitectures=native",
		"SystemCallFilter=@system-service",
		"",
		"[Install]",
		"WantedBy=multi-user.target",
		"",
	)
	return strings.Join(lines, "\n")
}

// unitQuote writes a word as systemd reads it (systemd.service, "Command
// lines"; systemd.unit, "Specifiers"). In a command line $ stands for
// variables too, in other settings it is itself.
func unitQuote(s string, command bool) string {
	pairs := []string{`\`, `\\`, `"`, `\"`, "%", "%%"}
	if command {
		pairs = append(pairs, "$", "$$")
	}
	return `"` + strings.NewReplacer(pairs...).Replace(s) + `"`
}
