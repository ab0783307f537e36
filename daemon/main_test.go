package daemon_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"helpdesk/daemon"
	"helpdesk/daemon/config"
)

// childConfig names the configuration that this program runs as a daemon
// instead of running tests: tests that kill a daemon need it as a process.
const childConfig = "HELPDESK_TEST_RUN"

func TestMain(m *testing.M) {
	if path := os.Getenv(childConfig); path != "" {
		if err := runChild(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, faults, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return err
	}
	if config.Refused(faults) {
		return fmt.Errorf("wrong configuration: %v", faults)
	}
	return daemon.Run(ctx, daemon.Options{
		Config: c, Version: "test", Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ready: func(daemon.Info) { fmt.Println("ready") },
	})
}
