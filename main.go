// Command helpdesk is an e-mail service desk for small offices; README.md says
// what it does, package daemon how it is built.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"helpdesk/daemon/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command.Execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
