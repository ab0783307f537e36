package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"helpdesk/daemon/config"
)

// RunService runs run under the service manager, which must have started the
// process with an explicit argument: asking Windows whether it did is not
// reliable. A stop or the shutdown of the machine ends run's context.
func RunService(ctx context.Context, run func(ctx context.Context) error) error {
	h := &handler{ctx: ctx, run: run}
	err := svc.Run(serviceName, h)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return &ServiceError{Code: serviceByHand, Err: err}
	}
	return errors.Join(err, h.err)
}

// handler answers the service manager.
type handler struct {
	ctx context.Context
	run func(context.Context) error
	err error // of run
}

// Execute is called by svc.Run. A failure is reported as one, so that the
// service manager starts us again.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- bounded(ctx, serviceGrace, h.run) }()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	status <- running
	for {
		select {
		case h.err = <-done:
			status <- svc.Status{State: svc.StopPending}
			if h.err != nil && ctx.Err() == nil {
				return true, 1
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: uint32((2 * serviceGrace).Milliseconds())}
				stop()
			}
		}
	}
}

// ServiceOutput is where a service writes what people should be able to read
// later: the event log, application, source helpdesk. A line of slog goes in
// with its level.
func ServiceOutput() (io.Writer, error) {
	log, err := eventlog.Open(serviceName)
	if err != nil {
		return nil, fmt.Errorf("opening the event log: %w", err)
	}
	return eventWriter{log}, nil
}

type eventWriter struct{ log *eventlog.Log }

// Write makes one event of p.
func (w eventWriter) Write(p []byte) (int, error) {
	text, report := strings.TrimSpace(string(p)), w.log.Info
	switch {
	case strings.Contains(text, "level=ERROR"):
		report = w.log.Error
	case strings.Contains(text, "level=WARN"):
		report = w.log.Warning
	}
	if err := report(1, text); err != nil {
		return 0, fmt.Errorf("writing to the event log: %w", err)
	}
	return len(p), nil
}

func isAdmin() bool { return windows.GetCurrentProcessToken().IsElevated() }

func adminHint(lang string) string {
	if lang == config.Japanese {
		return "コマンドプロンプトを「管理者として実行」で開いてください。"
	}
	return `Open the command prompt by "Run as administrator".`
}

func serviceLogHint(lang string) string {
	if lang == config.Japanese {
		return "詳しくはイベントビューアーの「Windows ログ」→「アプリケーション」で確認できます。"
	}
	return "See more in the Event Viewer, Windows Logs, Application."
}

// define says how the service is to run: by the local system account, started
// with the machine, and again after a failure. It need not wait for the
// network: a mailbox that cannot be reached is tried again.
func define(program, configPath string, c *config.Config) (service.Config, error) {
	if err := makePrivate(c.DataDir); err != nil {
		return service.Config{}, fmt.Errorf("making data_dir: %w", err)
	}
	return service.Config{
		Executable: program,
		Arguments:  []string{"run", "--service", "--config", configPath},
		Option: service.KeyValue{
			service.OnFailure: service.OnFailureRestart, service.OnFailureDelayDuration: "5s", service.OnFailureResetPeriod: 3600,
		},
	}, nil
}

// makePrivate makes dir, for the system and administrators only: what lies in
// C:\ProgramData is otherwise readable by everyone. A folder that is there
// keeps its access list.
func makePrivate(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := windows.SecurityDescriptorFromString("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
	if err != nil {
		return err
	}
	dacl, _, err := list.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

// afterInstall lets a failure that we report ourselves count like a crash.
func afterInstall() error {
	err := withService(func(s *mgr.Service) error { return s.SetRecoveryActionsOnNonCrashFailures(true) })
	if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
		return nil // Wine does not have this; a crash is recovered from all the same
	}
	return err
}

// stopService stops it and waits for its end, but not for ever as the library
// does: Windows itself gives a service 20 seconds at most.
func stopService(service.Service) error {
	return withService(func(s *mgr.Service) error {
		status, err := s.Control(svc.Stop)
		if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
			return nil
		}
		if err != nil {
			return err
		}
		limit, tick := time.NewTimer(20*time.Second), time.NewTicker(100*time.Millisecond)
		defer limit.Stop()
		defer tick.Stop()
		for status.State != svc.Stopped {
			select {
			case <-tick.C:
			case <-limit.C:
				return errHangs
			}
			if status, err = s.Query(); err != nil {
				return err
			}
		}
		return nil
	})
}

func withService(do func(*mgr.Service) error) (err error) {
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	s, err := m.OpenService(serviceName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(s)
}
