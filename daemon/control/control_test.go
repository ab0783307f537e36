package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMain makes the test binary the other process that the lock tests need.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HELPDESK_TEST_LOCK"); dir != "" {
		os.Exit(holdLock(dir))
	}
	os.Exit(m.Run())
}

// holdLock has the lock until its standard input ends, or it is killed.
func holdLock(dir string) int {
	if _, err := AcquireLock(dir); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("locked")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return 1
	}
	return 0 // without Release: the end of the process must do
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	lock, err := AcquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := AcquireLock(dir); !errors.As(err, &held) || held.PID != os.Getpid() || held.DataDir != dir {
		t.Fatalf("taken twice: %v", err)
	}
	want := fmt.Sprintf("%s is in use by helpdesk (process %d). Stop that first (helpdesk stop, if it is the service), or set another data_dir in the configuration.", dir, os.Getpid())
	if held.Error() != want {
		t.Errorf("got  %s\nwant %s", held, want)
	}
	if ja := held.Text("ja"); !strings.Contains(ja, "使用中です") || !strings.Contains(ja, fmt.Sprint(os.Getpid())) {
		t.Error(ja)
	}
	if got := (&HeldError{DataDir: "/d"}).Error(); !strings.HasPrefix(got, "/d is in use by another process. ") {
		t.Error(got)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	lock, err = AcquireLock(dir)
	if err != nil {
		t.Fatalf("not free after Release: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

// The lock of another process is seen and named, and ends with it.
func TestLockOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), "HELPDESK_TEST_LOCK="+dir)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("locked"))
	if _, err := io.ReadFull(stdout, answer); err != nil || string(answer) != "locked" {
		t.Fatalf("%q %v", answer, err)
	}
	var held *HeldError
	if _, err := AcquireLock(dir); !errors.As(err, &held) || held.PID != c.Process.Pid {
		t.Errorf("taken although process %d has it: %v", c.Process.Pid, err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("it was not killed")
	}
	lock, err := AcquireLock(dir)
	if err != nil {
		t.Fatalf("not free after the process was killed: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestLockLeavesTheFileToTheOwner(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	lock, err := AcquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	server, err := Serve(t.Context(), dir, echo())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, name := range []string{lockFile, controlFile} {
		out, err := exec.CommandContext(t.Context(), "stat", "-c", "%u %g %a", filepath.Join(dir, name)).Output()
		if err != nil || string(out) != "12345 23456 600\n" {
			t.Errorf("%s: %s %v", name, out, err)
		}
	}
}

// echo answers with what it was asked.
func echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			http.Error(w, "no such request: SUP-9", http.StatusNotFound)
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		answer, err := json.Marshal(map[string]string{"method": r.Method, "path": r.URL.Path, "body": string(b)})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(answer)
	})
}

func TestCall(t *testing.T) {
	dir := t.TempDir()
	server, err := Serve(t.Context(), dir, echo())
	if err != nil {
		t.Fatal(err)
	}
	client, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	if err := client.Call(t.Context(), "POST", "/retry", map[string]int{"id": 7}, &out); err != nil {
		t.Fatal(err)
	}
	if out["method"] != "POST" || out["path"] != "/retry" || out["body"] != `{"id":7}` {
		t.Errorf("%v", out)
	}
	var refusal *Error
	if err := client.Call(t.Context(), "GET", "/refuse", nil, nil); !errors.As(err, &refusal) || refusal.Status != 404 || refusal.Text != "no such request: SUP-9" {
		t.Errorf("a refusal: %v", err)
	}
	if err := client.Call(t.Context(), "POST", "/big", strings.Repeat("x", maxRequest), nil); !errors.As(err, &refusal) || refusal.Status != 413 {
		t.Errorf("a body without end: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "GET", "/", nil, nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := Dial(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after Close: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	entered := make(chan struct{})
	server, err := Serve(t.Context(), dir, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	if err := client.Call(ctx, "GET", "/", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The end of the daemon's context closes the port and removes the file, and
// requests under way see it.
func TestServerEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entered := make(chan struct{})
	server, err := Serve(ctx, dir, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	if err != nil {
		t.Fatal(err)
	}
	client, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- client.Call(context.WithoutCancel(ctx), "GET", "/", nil, nil) }()
	<-entered
	cancel()
	<-answered
	<-server.done
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, controlFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control file stays: %v", err)
	}
}

func TestControlFileIsForItsOwner(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, controlFile+".new"), nil, 0o666); err != nil { // a crash left it
		t.Fatal(err)
	}
	server, err := Serve(t.Context(), dir, echo())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	info, err := os.Stat(filepath.Join(dir, controlFile))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// Who does not know the token, or comes as a browser would, is sent away
// before the handler sees anything.
func TestGuard(t *testing.T) {
	reached := false
	w := where{Address: "127.0.0.1:4711", Token: "right"}
	handler := w.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	for _, test := range []struct {
		host, authorization, origin string
		want                        int
	}{
		{"127.0.0.1:4711", "Bearer right", "", 200},
		{"127.0.0.1:4711", "Bearer wrong", "", 401},
		{"127.0.0.1:4711", "Bearer right2", "", 401},
		{"127.0.0.1:4711", "right", "", 401},
		{"127.0.0.1:4711", "", "", 401},
		{"evil.example:4711", "Bearer right", "", 403},
		{"localhost:4711", "Bearer right", "", 403},
		{"127.0.0.1:4711", "Bearer right", "http://127.0.0.1:4711", 403},
	} {
		reached = false
		r := httptest.NewRequest("GET", "/status", nil)
		r.Host = test.host
		r.Header.Set("Authorization", test.authorization)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if answer.Code != test.want || reached != (test.want == 200) {
			t.Errorf("%+v: status %d, handler reached: %v", test, answer.Code, reached)
		}
	}
}

// A control file that a killed daemon left behind is no daemon, whoever has
// its port now.
func TestStaleControlFile(t *testing.T) {
	everywhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewEncoder(w).Encode(pong{r.Host}); err != nil { // answers like a daemon, but not on loopback
			t.Error(err)
		}
	}))
	defer everywhere.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(w, `{"address":"elsewhere"}`); err != nil {
			t.Error(err)
		}
	}))
	defer other.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{
		"", "{}", "garbage", `{"address":"localhost:80","token":"x"}`,
		fmt.Sprintf(`{"address":%q,"token":"x"}`, strings.Replace(everywhere.URL, "http://127.0.0.1", "0.0.0.0", 1)),
		fmt.Sprintf(`{"address":%q,"token":"x"}`, free.Addr()),
		fmt.Sprintf(`{"address":%q,"token":"x"}`, strings.TrimPrefix(other.URL, "http://")),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, controlFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Dial(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v", content, err)
		}
	}
	if _, err := Dial(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no data_dir: %v", err)
	}
}
