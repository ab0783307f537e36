package command

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"helpdesk/daemon/config"
	"helpdesk/daemon/control"
)

var (
	//go:embed init_file.en.toml
	initFileEn string
	//go:embed init_file.ja.toml
	initFileJa string
)

// draft is the configuration as the file will have it, for the tests.
func (i *initer) draft() (*config.Config, error) {
	dir, err := filepath.Abs(filepath.Dir(i.path))
	if err != nil {
		return nil, fmt.Errorf("finding the folder of %s: %w", i.path, err)
	}
	c := config.Default()
	c.Language, c.DataDir = i.Language, filepath.Join(dir, "data")
	if i.Trust != "" {
		file, err := filepath.Abs(i.Trust)
		if err != nil {
			return nil, fmt.Errorf("finding %s: %w", i.Trust, err)
		}
		c.Trust = []config.Trust{{Name: "mailserver", File: file}}
	}
	d := config.DefaultDesk()
	d.Name, d.Key, d.Address = i.DeskName, i.Key, i.Address
	d.Mailbox.Server = i.signIn(i.In)
	if i.POP3 {
		d.Mailbox.Protocol = config.POP3
	}
	c.Relay.Server = i.signIn(i.Out)
	c.Desks = []config.Desk{d}
	c.Fill()
	return c, nil
}

func (i *initer) signIn(s initServer) config.Server {
	return config.Server{Host: s.Host, Port: s.Port, Security: s.Security, Username: s.Username, Password: s.password, Auth: "auto"}
}

// write makes the password files and the configuration, and looks whether it
// loads. Either all of it is there afterwards, or nothing is.
func (i *initer) write(context.Context) (err error) {
	var made []string
	defer func() {
		if err == nil {
			return
		}
		for _, file := range made {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	dir := filepath.Dir(i.path)
	if i.OAuth == nil {
		made, err = i.writePasswords(dir)
	} else if i.OAuth.secret != "" {
		made, err = i.writeSecret(dir)
	}
	if err != nil {
		return err
	}
	text, err := i.file()
	if err != nil {
		return err
	}
	scratch, err := os.CreateTemp(dir, "helpdesk-*.toml")
	if err != nil {
		return fmt.Errorf("writing %s: %w", i.path, err)
	}
	defer func() { err = errors.Join(err, os.Remove(scratch.Name())) }()
	_, err = scratch.Write(text)
	if err = errors.Join(err, scratch.Sync(), scratch.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", i.path, err)
	}
	c, faults, err := config.Load(scratch.Name(), os.LookupEnv)
	if err != nil {
		return err
	}
	for n := range faults {
		faults[n].File = i.path
	}
	if err := config.Print(i.e.stdout, faults, i.Language); err != nil {
		return err
	}
	if c == nil || len(c.Desks[0].Closed) > 0 {
		return &failure{exitConfig, errPrinted}
	}
	// A link is made in one step, and never over a file that is there.
	if err := os.Link(scratch.Name(), i.path); errors.Is(err, os.ErrExist) {
		return i.wrong("exists", "path", i.path)
	} else if err != nil {
		if err := copyNew(i.path, text); err != nil {
			return fmt.Errorf("writing %s: %w", i.path, err)
		}
	}
	passwords := made
	made = nil // what belongs to a written file stays
	i.finish(passwords)
	return nil
}

// copyNew is for folders that have no links.
func copyNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// finish says what was written and what comes next.
func (i *initer) finish(passwords []string) {
	i.print("")
	i.say("written", "file", i.path)
	for _, file := range passwords {
		i.say("written-password", "file", file)
	}
	option := ""
	if i.e.configPath != "" {
		option = " -c " + i.path
		if strings.Contains(i.path, " ") {
			option = ` -c "` + i.path + `"`
		}
	}
	switch {
	case i.failed:
		i.say("next-test", "config", option)
	case i.OAuth != nil:
		i.say("next-authorize", "key", i.Key, "config", option)
	default:
		i.say("next-run", "key", i.Key, "config", option)
	}
}

// file is the text of helpdesk.toml.
func (i *initer) file() ([]byte, error) {
	text := initFileEn
	if i.Language == config.Japanese {
		text = initFileJa
	}
	t, err := template.New("helpdesk.toml").Funcs(template.FuncMap{"q": quoted}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("composing the configuration: %w", err)
	}
	a := i.answers
	if a.Trust != "" {
		if a.Trust, err = fromFolder(filepath.Dir(i.path), a.Trust); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		answers
		Date, DataDir, Admin string
	}{a, time.Now().Format(time.DateOnly), "data", a.Agents[0].Email})
	if err != nil {
		return nil, fmt.Errorf("composing the configuration: %w", err)
	}
	return b.Bytes(), nil
}

// quoted writes a text as TOML wants it. Control characters, which Go and TOML
// write differently, are in no answer that makes sense.
func quoted(s string) string { return strconv.Quote(printable(s)) }

// fromFolder is how a file is named in a configuration of folder dir: short
// where it lies below, else with its whole path.
func fromFolder(dir, file string) (string, error) {
	folder, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", dir, err)
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", file, err)
	}
	if short, err := filepath.Rel(folder, whole); err == nil && filepath.IsLocal(short) {
		return filepath.ToSlash(short), nil
	}
	return whole, nil
}

// writePasswords makes a file for each password that is in none yet.
func (i *initer) writePasswords(dir string) (made []string, err error) {
	base := filepath.Join(dir, strings.ToLower(i.Key))
	if i.In.PasswordFile == "" {
		if i.In.PasswordFile, err = newPassword(base+"-password", string(i.In.password)); err != nil {
			return nil, err
		}
		made = append(made, i.In.PasswordFile)
	}
	switch {
	case i.Out.PasswordFile != "":
	case i.Out.password == i.In.password:
		i.Out.PasswordFile = i.In.PasswordFile
	default:
		if i.Out.PasswordFile, err = newPassword(base+"-relay-password", string(i.Out.password)); err != nil {
			return made, err
		}
		made = append(made, i.Out.PasswordFile)
	}
	for _, s := range []*initServer{&i.In, &i.Out} {
		if filepath.Dir(s.PasswordFile) == filepath.Clean(dir) && s.PasswordFile != "" {
			s.PasswordFile = filepath.Base(s.PasswordFile)
		}
	}
	return made, nil
}

// writeSecret makes a file for the client secret.
func (i *initer) writeSecret(dir string) (made []string, err error) {
	file, err := newPassword(filepath.Join(dir, strings.ToLower(i.Key))+"-client-secret", string(i.OAuth.secret))
	if err != nil {
		return nil, err
	}
	i.OAuth.SecretFile = filepath.Base(file)
	return []string{file}, nil
}

// newPassword writes a file that only its owner can read, under a name that is free.
func newPassword(base, password string) (string, error) {
	for n := 1; ; n++ {
		path := base + ".txt"
		if n > 1 {
			path = fmt.Sprintf("%s-%d.txt", base, n)
		}
		err := copyNew(path, []byte(password+"\n"))
		if errors.Is(err, os.ErrExist) && n < 100 {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("writing the password: %w", err)
		}
		if err := control.OwnerOnly(path); err != nil {
			return "", errors.Join(fmt.Errorf("letting nobody else read the password: %w", err), os.Remove(path))
		}
		return path, nil
	}
}
