package daemon

import (
	"errors"
	"math/rand/v2"
	"time"

	"helpdesk/mail"
	"helpdesk/mail/diagnose"
)

// refusedPauses are the pauses after a refused sign-in: a server locks an
// account that is tried again and again with a wrong password (promise 8).
var refusedPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour}

// slowPauses are those after failures that mostly need a person or much time.
// A server that worked before mostly comes back by itself, and customers wait:
// it is asked at least every quarter of an hour.
var slowPauses = [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}

const slowAfterSuccess = 15 * time.Minute

// limitPauses are those after a server said that we ask too often or too much.
var limitPauses = [...]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}

// Causes of the catalogue after which less is asked of a server.
const (
	causeConnections = "too-many-connections"
	causeLoginLimit  = "login-rate-limit"
	causeAttempts    = "auth-too-many-attempts"
	causeThrottled   = "throttled"
	causeQuota       = "smtp-sending-quota"
)

// backoff says how long to wait after failures that follow each other.
type backoff struct {
	provider string // slug of mail/provider, "" for none
	worked   bool   // the server took us at least once
	failures int    // of one kind, since the last success
	kind     string
}

// reset is for a success.
func (b *backoff) reset() { b.worked, b.failures, b.kind = true, 0, "" }

// next is the pause after err. What passes soon begins with 5 seconds and
// doubles up to 5 minutes; what passes slowly goes from minutes to hours. Both
// have jitter, so that many desks do not come back to a server at the same
// moment. A pause that the server asks for in its own words is obeyed.
func (b *backoff) next(err error) time.Duration {
	e, d, ok := explained(err, b.provider)
	kind := diagnose.RetrySoon // ours, as a locked database
	if ok {
		kind = d.Retry
		if d.Cause == causeConnections || limiting(d.Cause) {
			kind = d.Cause
		}
	}
	if kind != b.kind {
		b.kind, b.failures = kind, 0
	}
	n := b.failures
	b.failures++
	var pause time.Duration
	switch kind {
	case diagnose.RetrySoon:
		pause = min(5*time.Second<<min(n, 6), 5*time.Minute)
	case diagnose.RetrySlow, diagnose.RetryNever:
		if b.worked && restarting(e) && n < quickTries {
			pause = 5 * time.Second << n
			break
		}
		pause = slowPauses[min(n, len(slowPauses)-1)]
		if b.worked {
			pause = min(pause, slowAfterSuccess)
		}
	case causeConnections:
		pause = limitPauses[min(n, len(limitPauses)-1)]
	default:
		pause = limitPauses[min(n+1, len(limitPauses)-1)]
	}
	pause -= rand.N(pause / 4)
	if ok {
		if named := diagnose.Pause(e.Text); named > 0 {
			pause = max(pause, named+rand.N(named/8+time.Second))
		}
	}
	return pause
}

// quickTries is how often a server that worked and cannot be reached is tried
// in quick order: mostly it is being restarted, and back within a minute.
const quickTries = 4

// restarting reports whether a failure is what a server that is being restarted
// looks like: nobody accepts the connection.
func restarting(e *mail.Error) bool { return e.Step == mail.StepDial }

// limiting reports whether a cause says that a server has had enough of us for
// a while.
func limiting(cause string) bool {
	switch cause {
	case causeLoginLimit, causeAttempts, causeThrottled, causeQuota:
		return true
	}
	return false
}

// explained diagnoses a failure. ok is false for one that no server is part
// of, as a file that cannot be read.
func explained(err error, provider string) (e *mail.Error, d diagnose.Diagnosis, ok bool) {
	if !errors.As(err, &e) {
		return nil, diagnose.Diagnosis{}, false
	}
	return e, diagnose.Explain(e, provider), true
}

// retryPauses are those between attempts to send one mail; the last one repeats.
var retryPauses = [...]time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
}

// giveUpAfter is how long a mail is tried (RFC 5321 section 4.5.4.1 asks for 4 to 5 days).
const giveUpAfter = 5 * 24 * time.Hour

// retryPause is the pause after so many attempts at one mail, at least 1.
func retryPause(attempts int) time.Duration {
	return retryPauses[min(max(attempts, 1)-1, len(retryPauses)-1)]
}
