package command

import (
	"os"

	"golang.org/x/sys/windows"
)

// hideInput keeps what is typed from being shown. show undoes it; the error
// says that f is no console.
func hideInput(f *os.File) (show func(), err error) {
	console := windows.Handle(f.Fd())
	var before uint32
	if err := windows.GetConsoleMode(console, &before); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, before&^windows.ENABLE_ECHO_INPUT); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(console, before) }, nil // nobody could do anything about it
}
