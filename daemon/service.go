package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kardianos/service"

	"helpdesk/daemon/config"
)

// serviceName is what the operating system calls our service.
const serviceName = "helpdesk"

// serviceGrace is how long the loops may take to stop. Everything is committed by
// then or taken again at the next start, so what hangs is left behind.
const serviceGrace = 5 * time.Second

// Reasons why the service could not be controlled, the values of ServiceError.Code.
const (
	serviceNotAdmin     = "not-admin"
	serviceInstalled    = "installed"
	serviceNotInstalled = "not-installed"
	serviceTemporary    = "temporary"
	serviceConfig       = "config"
	serviceUnreadable   = "unreadable"
	serviceByHand       = "by-hand"
	serviceFailed       = "failed"
)

// ServiceError says why the service could not be controlled, and what to do.
type ServiceError struct {
	Code   string
	Action string // install, start, …
	Path   string // the file it is about, if any
	User   string // the service's user, if it is about that
	Err    error  // the system's own words, if any
}

// Error is Text in English.
func (e *ServiceError) Error() string { return e.Text(config.English) }

// Unwrap returns the system's error.
func (e *ServiceError) Unwrap() error { return e.Err }

// Text is reason and remedy in lang ("en" or "ja").
func (e *ServiceError) Text(lang string) string {
	en, ja := e.words()
	text := en
	if lang == config.Japanese {
		text = ja
	}
	words := ""
	if e.Err != nil {
		words = strings.TrimRight(e.Err.Error(), ". ")
	}
	return strings.NewReplacer("{action}", e.Action, "{path}", e.Path, "{user}", e.User, "{words}", words, "{log}", serviceLogHint(lang)).Replace(text)
}

func (e *ServiceError) words() (en, ja string) {
	switch e.Code {
	case serviceNotAdmin:
		return "this needs administrator rights. " + adminHint(config.English),
			"管理者の権限が必要です。" + adminHint(config.Japanese)
	case serviceInstalled:
		return "the service is installed already. To install it anew, run: helpdesk uninstall",
			"サービスはすでにインストールされています。入れ直す場合は先に helpdesk uninstall を実行してください。"
	case serviceNotInstalled:
		return "the service is not installed. Install it first: helpdesk install",
			"サービスがインストールされていません。先に helpdesk install を実行してください。"
	case serviceTemporary:
		return "the program lies in a temporary folder ({path}) and will be gone there. Copy it to its place, as /usr/local/bin, and install it from there.",
			"プログラムが一時フォルダー({path})にあり、いずれ消えてしまいます。/usr/local/bin などにコピーし、そこからインストールしてください。"
	case serviceConfig:
		return "the configuration {path} has faults, and the service would not start. Run: helpdesk check",
			"設定ファイル {path} に誤りがあり、サービスを開始できません。helpdesk check で確認してください。"
	case serviceUnreadable:
		return "the service runs as the user {user}, who cannot read {path}. Allow it: chgrp {user} \"{path}\"; chmod 640 \"{path}\"",
			"サービスはユーザー {user} で動きますが、{path} を読む権限がありません。chgrp {user} \"{path}\" と chmod 640 \"{path}\" で許可してください。"
	case serviceByHand:
		return "--service is for the operating system only. Run: helpdesk run",
			"--service はオペレーティングシステム専用です。helpdesk run を実行してください。"
	}
	return "{action} of the service failed: {words}. {log}", "サービスの {action} に失敗しました: {words}。{log}"
}

// ServiceControl installs, uninstalls, starts, stops or restarts the operating
// system's service. The service will run with the configuration at configPath,
// which may be relative to the working directory. Errors for people are *ServiceError.
func ServiceControl(action, configPath string) error {
	if !isAdmin() {
		return &ServiceError{Code: serviceNotAdmin, Action: action}
	}
	s, err := newService(service.Config{})
	if err != nil {
		return &ServiceError{Code: serviceFailed, Action: action, Err: err}
	}
	_, err = s.Status() // "failed" is an error too
	switch installed := !errors.Is(err, service.ErrNotInstalled); {
	case action == "install" && installed:
		return &ServiceError{Code: serviceInstalled, Action: action}
	case action == "install":
		return installService(configPath)
	case !installed:
		return &ServiceError{Code: serviceNotInstalled, Action: action}
	}
	switch action {
	case "uninstall":
		if err = stopService(s); err == nil {
			err = s.Uninstall()
		}
	case "start":
		err = startService(s)
	case "stop":
		err = stopService(s)
	case "restart":
		if err = stopService(s); err == nil {
			err = startService(s)
		}
	default:
		return fmt.Errorf("%q is nothing to do with a service", action)
	}
	if err != nil {
		return &ServiceError{Code: serviceFailed, Action: action, Err: err}
	}
	return nil
}

// errEnded says that the service did not outlive its start. The configuration
// is the usual cause; which one it has is known to the service manager only.
var errEnded = errors.New("it ended right after it was started; helpdesk check may tell why")

// startService starts it and looks at it for two seconds, as the service
// managers only say that a process was made.
func startService(s service.Service) error {
	if status, err := s.Status(); err == nil && status == service.StatusRunning {
		return nil
	}
	if err := s.Start(); err != nil {
		return err
	}
	limit, tick := time.NewTimer(2*time.Second), time.NewTicker(200*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for {
		select {
		case <-limit.C:
			return nil
		case <-tick.C:
		}
		if status, err := s.Status(); err != nil || status != service.StatusRunning {
			return errEnded
		}
	}
}

// ServiceStatus is "running", "stopped", "failed" or "not installed".
func ServiceStatus() (string, error) {
	s, err := newService(service.Config{})
	if err != nil {
		return "", &ServiceError{Code: serviceFailed, Action: "status", Err: err}
	}
	status, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return "not installed", nil
	case err != nil:
		return "failed", nil
	case status == service.StatusRunning:
		return "running", nil
	}
	return "stopped", nil
}

func installService(configPath string) error {
	path, err := filepath.Abs(configPath)
	if err != nil {
		return fmt.Errorf("finding the configuration: %w", err)
	}
	c, _, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return err
	}
	if c == nil {
		return &ServiceError{Code: serviceConfig, Action: "install", Path: path}
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	if err := lasting(program); err != nil {
		return err
	}
	definition, err := define(program, path, c)
	if err != nil {
		return err
	}
	s, err := newService(definition)
	if err == nil {
		err = s.Install()
	}
	if err == nil {
		err = afterInstall()
	}
	if err != nil {
		return &ServiceError{Code: serviceFailed, Action: "install", Err: err}
	}
	return nil
}

// lasting refuses a program that will not be there at the next start of the
// machine: go run makes such ones.
func lasting(program string) error {
	if within(program, os.TempDir()) {
		return &ServiceError{Code: serviceTemporary, Action: "install", Path: program}
	}
	return nil
}

// newService makes the library's view of our service. Nothing is run by it:
// the service runs `helpdesk run --service`, which calls RunService.
func newService(definition service.Config) (service.Service, error) {
	definition.Name = serviceName
	definition.DisplayName = "helpdesk"
	definition.Description = "E-mail service desk"
	return service.New(idle{}, &definition)
}

type idle struct{}

func (idle) Start(service.Service) error { return nil }
func (idle) Stop(service.Service) error  { return nil }

// errHangs says that something did not stop in time.
var errHangs = errors.New("not everything stopped in time; the rest was left behind, nothing is lost")

// bounded runs run, and returns at most grace after the end of ctx.
func bounded(ctx context.Context, grace time.Duration, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errHangs
	}
}

// within says whether path lies in folder or below it.
func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
