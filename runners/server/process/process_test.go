//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// asServer makes the test binary a server, or a program that starts one and waits.
const asServer = "SNAPBENCH_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	switch os.Getenv(asServer) {
	case "server":
		serve(os.Args[1:])
	case "starter":
		p, err := Start(context.Background(), Options{Template: template("starter's", "stubborn"), Log: os.Args[1], Grace: time.Second})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.cmd.Process.Pid)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

// serve listens, and behaves as it is told: it starts a worker that outlives it,
// never answers, ends before it answers or when it is asked to die, does not end when asked to.
func serve(args []string) {
	how, port := args[0], args[1]
	fmt.Println("loading", how, os.Getenv("COLOUR"))
	worker := exec.Command("sleep", "1000")
	if how != "early" {
		worker.Start()
		fmt.Println("worker", worker.Process.Pid)
	}
	var asked atomic.Int32
	switch how {
	case "early":
		fmt.Fprintln(os.Stderr, "CUDA out of memory")
		os.Exit(7)
	case "late":
		time.Sleep(time.Hour)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/die" {
			fmt.Println("Aborted")
			os.Exit(9)
		}
		if asked.Add(1) == 1 {
			http.Error(w, "loading", http.StatusServiceUnavailable)
		}
	}))
	os.Exit(1) // somebody else has the port
}

func template(colour, how string) Template {
	t, err := ParseTemplate(fmt.Sprintf("%s=server COLOUR=%q '%s' %s {port}", asServer, colour, os.Args[0], how))
	if err != nil {
		panic(err)
	}
	return t
}

func start(t *testing.T, how string, change func(*Options)) (*Process, string, error) {
	t.Helper()
	o := Options{Template: template("deep blue", how), Log: filepath.Join(t.TempDir(), "server.log"), Startup: 5 * time.Minute, Grace: time.Minute}
	if change != nil {
		change(&o)
	}
	p, err := Start(t.Context(), o)
	return p, o.Log, err
}

// alive says whether a process runs. One that has ended may wait to be asked how.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // on Linux
	return !strings.Contains(string(text), ") Z ") && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func workerOf(t *testing.T, log string) int {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "worker ")
	word, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(word)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return pid
}

// A server answers until it is stopped, and its workers end with it.
func TestStartAndStop(t *testing.T) {
	p, log, err := start(t, "plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(p.URL() + "/models"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
	worker := workerOf(t, log)
	if p.Died() != nil || !alive(t, worker) {
		t.Error("it should run")
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if alive(t, worker) || p.Died() == nil {
		t.Error("it still runs")
	}
	if text, _ := os.ReadFile(log); !strings.Contains(string(text), "loading plain deep blue") || !strings.Contains(string(text), "# ") {
		t.Errorf("log: %s", text)
	}
}

// One that does not end when asked is killed after its grace.
func TestStopStubborn(t *testing.T) {
	p, log, err := start(t, "stubborn", func(o *Options) { o.Grace = 200 * time.Millisecond })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if alive(t, workerOf(t, log)) {
		t.Error("its worker still runs")
	}
}

// What a server said last is in the error of its end.
func TestDied(t *testing.T) {
	_, _, err := start(t, "early", nil)
	var died *DiedError
	if !errors.As(err, &died) || !died.Before || died.Status != "exit status 7" || !strings.HasSuffix(died.End, "CUDA out of memory") {
		t.Errorf("%v", err)
	}

	p, log, err := start(t, "plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(p.URL() + "/die"); err == nil {
		t.Errorf("it answers %s", resp.Status)
	}
	<-p.Gone()
	if died := p.Died(); died == nil || died.Before || died.Status != "exit status 9" || !strings.HasSuffix(died.End, "Aborted") {
		t.Errorf("%v", died)
	}
	if err := p.Stop(); err != nil || alive(t, workerOf(t, log)) {
		t.Errorf("%v, or its worker still runs", err)
	}
}

// The log quotes the last start alone.
func TestLogOfSeveral(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	if err := os.WriteFile(path, []byte("an earlier server\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := start(t, "early", func(o *Options) { o.Log = path })
	if err == nil || strings.Contains(err.Error(), "earlier") {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(path); !strings.HasPrefix(string(text), "an earlier server\n# ") {
		t.Errorf("%s", text)
	}
}

// hasWorker says whether a server has started its worker, which is the last that it does before it listens.
func hasWorker(log string) bool {
	text, err := os.ReadFile(log)
	_, rest, found := strings.Cut(string(text), "worker ")
	return err == nil && found && strings.Contains(rest, "\n")
}

// One that does not answer in time is ended, and so is one that nobody waits for any more.
func TestLate(t *testing.T) {
	var late *LateError
	log := ""
	for limit := 250 * time.Millisecond; !hasWorker(log); limit *= 2 { // it must get so far
		var err error
		if _, log, err = start(t, "late", func(o *Options) { o.Startup = limit }); !errors.As(err, &late) || late.Waited != limit {
			t.Fatalf("%v", err)
		}
	}
	if !strings.Contains(late.End, "loading late") {
		t.Errorf("%v", late)
	}
	if alive(t, workerOf(t, log)) {
		t.Error("its worker still runs")
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log = filepath.Join(t.TempDir(), "server.log")
	go func() {
		for ctx.Err() == nil && !hasWorker(log) {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	_, err := Start(ctx, Options{Template: template("", "late"), Log: log})
	if !errors.Is(err, context.Canceled) || alive(t, workerOf(t, log)) {
		t.Errorf("%v, or its worker still runs", err)
	}
}

// Who is told to stop before a server's end, its own or ours, hears nothing of it.
func TestAtEnd(t *testing.T) {
	l, err := openLog(filepath.Join(t.TempDir(), "log"), "a server")
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for _, stops := range []bool{false, true} {
		for range 100 { // what is ready at the same time is taken in any order
			synctest.Test(t, func(t *testing.T) {
				p := &Process{gone: make(chan struct{}), log: l}
				heard := 0
				stop := p.AtEnd(func(*DiedError) { heard++ })
				if stops {
					stop()
				}
				close(p.gone)
				synctest.Wait()
				if heard > 1 || (heard == 0) != stops {
					t.Fatalf("told to stop: %t, heard %d times", stops, heard)
				}
				stop()
			})
		}
	}
}

// A port is one that nobody listens on, and that the system gives to nobody who asks for any.
func TestFreePort(t *testing.T) {
	first, err := freePort(rand.IntN)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+first)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port - leastPort
	var draws []int
	second, err := freePort(func(n int) int {
		next := (taken + len(draws)) % n
		draws = append(draws, next)
		return next
	})
	if err != nil || second == first || len(draws) < 2 {
		t.Errorf("%s after %s, drawn %v, %v", second, first, draws, err)
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		var low, high int
		if fmt.Sscan(string(text), &low, &high); low == 32768 && mostPort >= low { // as it is unless somebody has set it
			t.Errorf("ports up to %d, and the system gives those from %d to %d", mostPort, low, high)
		}
	}
	if _, err := freePort(func(int) int { return taken }); err == nil || !strings.Contains(err.Error(), "no free port from 20000 to 29999") {
		t.Errorf("all are taken: %v", err)
	}
}

// Somebody else at the address would answer in the server's place.
func TestAddressIsTaken(t *testing.T) {
	p, _, err := start(t, "plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	_, log, err := start(t, "plain", func(o *Options) { o.URL = p.URL() })
	if err == nil || !strings.Contains(err.Error(), "answers before") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("it was started")
	}
}

func TestCannotStart(t *testing.T) {
	missing, err := ParseTemplate("there-is-no-such-program {port}")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := start(t, "", func(o *Options) { o.Template = missing }); err == nil || !strings.Contains(err.Error(), "there-is-no-such-program") {
		t.Errorf("%v", err)
	}
}

// Whatever ends the program that started a server ends the server and its workers,
// also those that do not end when asked.
func TestStarterIsKilled(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV} {
		log := filepath.Join(t.TempDir(), "server.log")
		starter := exec.Command(os.Args[0], log)
		starter.Env = append(os.Environ(), asServer+"=starter")
		out, err := starter.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := starter.Start(); err != nil {
			t.Fatal(err)
		}
		var leader int
		if _, err := fmt.Fscan(out, &leader); err != nil {
			t.Fatal(err)
		}
		worker := workerOf(t, log)
		if !alive(t, leader) || !alive(t, worker) {
			t.Fatal("it does not run")
		}
		starter.Process.Signal(s)
		starter.Wait()
		for end := time.Now().Add(2 * time.Minute); alive(t, leader) || alive(t, worker); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%v: server %d or its worker %d still runs", s, leader, worker)
			}
		}
	}
}
