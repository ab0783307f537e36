package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"helpdesk/daemon/config"
)

func TestUnit(t *testing.T) {
	text := unit{Program: "/usr/local/bin/helpdesk", Config: "/etc/helpdesk/helpdesk.toml", DataDir: "/var/lib/helpdesk", StateDir: true, User: "helpdesk"}.text()
	for _, line := range []string{
		`ExecStart="/usr/local/bin/helpdesk" run --service --config "/etc/helpdesk/helpdesk.toml"`,
		"After=network-online.target nss-lookup.target time-sync.target", "Wants=network-online.target",
		"Restart=on-failure", "RestartSec=5", "User=helpdesk", "StateDirectory=helpdesk", "ProtectHome=yes", "PrivateTmp=yes", "WantedBy=multi-user.target",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q:\n%s", line, text)
		}
	}
	odd := unit{Program: `/home/a b/100%/help"desk`, Config: "/tmp/$x.toml", DataDir: `/srv/100% $data`, Home: true, Temp: true}.text()
	for _, line := range []string{
		`ExecStart="/home/a b/100%%/help\"desk" run --service --config "/tmp/$$x.toml"`,
		`ReadWritePaths="/srv/100%% $data"`, "ProtectHome=read-only",
	} {
		if !strings.Contains(odd, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q:\n%s", line, odd)
		}
	}
	for _, absent := range []string{"User=", "StateDirectory=", "PrivateTmp="} {
		if strings.Contains(odd, "\n"+absent) {
			t.Errorf("the unit has %s:\n%s", absent, odd)
		}
	}
	for _, u := range []string{text, odd} {
		if strings.Contains(u, "{{") {
			t.Error("the service library would take this for a template")
		}
	}
}

// systemd itself reads the unit without a complaint.
func TestUnitIsUnderstood(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs systemd-analyze (Debian package systemd)")
	} else if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a b%")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "helpdesk")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]unit{
		"state": {Program: program, Config: "/etc/helpdesk/helpdesk.toml", DataDir: "/var/lib/helpdesk", StateDir: true, User: "root"},
		"odd":   {Program: program, Config: filepath.Join(dir, "$x.toml"), DataDir: dir, Home: true, Temp: true},
	} {
		file := filepath.Join(t.TempDir(), "helpdesk-"+name+".service")
		if err := os.WriteFile(file, []byte(u.text()), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), analyze, "verify", file).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "helpdesk-") {
				t.Errorf("%s: %s%v", name, line, err)
			}
		}
	}
}

func TestBounded(t *testing.T) {
	failed := errors.New("failed")
	if err := bounded(t.Context(), time.Hour, func(context.Context) error { return failed }); err != failed {
		t.Errorf("run's own end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bounded(ctx, time.Hour, func(ctx context.Context) error { <-ctx.Done(); return failed }); err != failed {
		t.Errorf("an orderly stop: %v", err)
	}
	hang := make(chan struct{})
	defer close(hang)
	if err := bounded(ctx, time.Millisecond, func(context.Context) error { <-hang; return nil }); err != errHangs {
		t.Errorf("one that hangs: %v", err)
	}
}

func TestServiceErrorsSpeakBothLanguages(t *testing.T) {
	for _, code := range []string{serviceNotAdmin, serviceInstalled, serviceNotInstalled, serviceTemporary, serviceConfig, serviceUnreadable, serviceByHand, serviceFailed} {
		e := &ServiceError{Code: code, Action: "install", Path: "/etc/x", User: "helpdesk", Err: errors.New("exit status 1")}
		en, ja := e.Text(config.English), e.Text(config.Japanese)
		if en == ja || strings.ContainsAny(en+ja, "{}") || strings.Contains(en, "{") || !strings.ContainsAny(ja, "。") || e.Error() != en {
			t.Errorf("%s:\n%s\n%s", code, en, ja)
		}
	}
	e := &ServiceError{Code: serviceFailed, Action: "start", Err: fs.ErrPermission}
	if !errors.Is(e, fs.ErrPermission) || !strings.Contains(e.Error(), "start of the service failed: permission denied. See more") {
		t.Error(e)
	}
}

func TestWithin(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of unix")
	}
	for path, want := range map[string]bool{"/tmp/a": true, "/tmp": true, "/tmp/../tmp/x": true, "/tmpfile": false, "/var/tmp": false, "/": false} {
		if within(path, "/tmp") != want {
			t.Errorf("within(%q, /tmp) = %v", path, !want)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "helpdesk.toml")
	var fault *config.Fault
	if err := installService(path); !errors.As(err, &fault) || fault.Code != "no-file" {
		t.Errorf("no configuration: %v", err)
	}
	if err := os.WriteFile(path, []byte("language = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var e *ServiceError
	if err := installService(path); !errors.As(err, &e) || e.Code != serviceConfig {
		t.Errorf("a faulty configuration: %v", err)
	}
	if err := lasting(filepath.Join(os.TempDir(), "go-build1", "exe", "helpdesk")); !errors.As(err, &e) || e.Code != serviceTemporary {
		t.Errorf("a program of go run: %v", err)
	}
	if err := lasting(filepath.Join(filepath.Dir(os.TempDir()), "opt", "helpdesk")); err != nil {
		t.Errorf("a program in its place: %v", err)
	}
}
