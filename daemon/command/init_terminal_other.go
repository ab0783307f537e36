//go:build !linux && !windows

package command

import (
	"errors"
	"os"
)

// hideInput cannot be done here: the password is shown, or given in a file.
func hideInput(*os.File) (show func(), err error) { return nil, errors.ErrUnsupported }
