package daemon

import (
	"errors"
	"math/rand/v2"
	"time"

	"helpdesk/mail"
)

// refusedPauses are the pauses after a refused login: a server locks an
// account that is tried again and again with a wrong password (promise 8).
var refusedPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour}

// backoff says how long to wait after failures that follow each other.
type backoff struct {
	failures int // of any kind, since the last success
	refused  int // logins refused, since the last success
}

// reset is for a success.
func (b *backoff) reset() { *b = backoff{} }

// next is the pause after err. Other failures than a refused login begin with
// 5 seconds and double up to 5 minutes, with jitter, so that many desks do not
// come back to a server at the same moment.
func (b *backoff) next(err error) time.Duration {
	b.failures++
	if refusedLogin(err) {
		pause := refusedPauses[min(b.refused, len(refusedPauses)-1)]
		b.refused++
		return pause
	}
	pause := min(5*time.Second<<min(b.failures-1, 6), 5*time.Minute)
	return pause - rand.N(pause/4)
}

// refusedLogin reports whether a server said no to the name and password.
func refusedLogin(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Step == mail.StepLogin && !e.Temporary
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
