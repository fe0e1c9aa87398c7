// Package process starts a server by its command, waits until it answers, and ends it
// with everything that it has started. The server runs in a process group of its own,
// so that a Ctrl-C in a terminal does not reach it before its samples are written down,
// and a small watcher beside it ends the group if this program is killed or crashes.
// It is for Unix; elsewhere [Start] is an error.
package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say what is started, and how long it may take.
type Options struct {
	Template Template
	Settings map[string]string // by place
	// URL is where the server answers; empty: on this machine, at the path /v1 of a free
	// port, which takes the place {port}.
	URL string
	Log string // file that what it prints is appended to
	// Startup is how long it may take until it answers.
	Startup time.Duration
	// Grace is how long it may take to end; what is left then is killed. 0 means
	// [DefaultGrace].
	Grace time.Duration
}

// Defaults of [Options].
const (
	DefaultStartup = 30 * time.Minute // large weights from a network's disk
	DefaultGrace   = 20 * time.Second
)

// Process is a server that was started.
type Process struct {
	options Options
	url     string
	command string
	log     *log
	cmd     *exec.Cmd
	watcher *watcher
	gone    chan struct{} // closed when the command has ended
	status  error         // of the command; nil: status 0
}

// DiedError says that a server ended by itself.
type DiedError struct {
	Command string
	Status  string
	Log     string // its file
	End     string // of the log
	Before  bool   // it had not answered yet
}

func (e *DiedError) Error() string {
	when := ""
	if e.Before {
		when = " before it answered"
	}
	return fmt.Sprintf("the server ended%s (%s), its log %s ends with: %s", when, e.Status, e.Log, e.End)
}

// LateError says that a server did not answer in time.
type LateError struct {
	Command string
	Waited  time.Duration
	Last    string // what came instead of an answer
	Log     string
	End     string
}

func (e *LateError) Error() string {
	return fmt.Sprintf("the server did not answer within %s (%s), its log %s ends with: %s", e.Waited, e.Last, e.Log, e.End)
}

// Start starts a server and returns when it answers: a *DiedError or *LateError where
// it does not, after which nothing of it is left.
func Start(ctx context.Context, o Options) (*Process, error) {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Startup == 0 {
		o.Startup = DefaultStartup
	}
	p := &Process{options: o, url: o.URL, gone: make(chan struct{})}
	values := map[string]string{}
	for name, v := range o.Settings {
		values[name] = v
	}
	if p.url == "" {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		values[Port] = port
		p.url = "http://" + net.JoinHostPort("127.0.0.1", port) + "/v1"
	} else if err := silent(ctx, p.url); err != nil {
		return nil, err
	}
	words, environment, err := o.Template.fill(values)
	if err != nil {
		return nil, err
	}
	p.command = strings.Join(words, " ")
	p.cmd = exec.Command(words[environment], words[environment+1:]...)
	p.cmd.Env = append(os.Environ(), words[:environment]...)
	if err := supported(); err != nil {
		return nil, err
	}
	if p.log, err = openLog(o.Log, p.command); err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log.file, p.log.file
	OwnGroup(p.cmd)
	if p.watcher, err = watch(o.Grace); err != nil {
		p.log.file.Close()
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		p.watcher.dismiss()
		p.log.file.Close()
		return nil, fmt.Errorf("the server cannot be started: %w", err)
	}
	go func() {
		p.status = p.cmd.Wait()
		close(p.gone)
	}()
	if err := p.watcher.over(p.cmd.Process.Pid); err != nil {
		return nil, errors.Join(fmt.Errorf("what ends the server if snapbench is killed does not listen: %w", err), p.Stop())
	}
	if err := p.answers(ctx); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// URL is where the server answers.
func (p *Process) URL() string { return p.url }

// Command is what runs, with the settings in their places.
func (p *Process) Command() string { return p.command }

// Gone is closed when the server has ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// AtEnd calls f when the server has ended by itself, unless it is told to stop before.
func (p *Process) AtEnd(f func(*DiedError)) (stop func()) {
	stopped := make(chan struct{})
	go func() {
		select {
		case <-p.gone:
			select {
			case <-stopped: // by who ends it next
			default:
				f(p.Died())
			}
		case <-stopped:
		}
	}()
	return sync.OnceFunc(func() { close(stopped) })
}

// Died returns why the server ended; nil while it runs.
func (p *Process) Died() *DiedError {
	select {
	case <-p.gone:
	default:
		return nil
	}
	status := "exit status 0"
	if p.status != nil {
		status = p.status.Error()
	}
	return &DiedError{Command: p.command, Status: status, Log: filepath.Base(p.log.path), End: p.log.end()}
}

// Stop ends the server and everything of its group, and returns when nothing is left
// of it.
func (p *Process) Stop() error {
	defer p.log.file.Close()
	err := p.endGroup()
	p.watcher.dismiss()
	return err
}

// answers waits until the server lists its models.
func (p *Process) answers(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, p.options.Startup)
	defer cancel()
	pause, last := 50*time.Millisecond, "it could not be reached"
	for {
		ok, what := listsModels(limit, p.url)
		if died := p.Died(); died != nil {
			died.Before = true
			return died
		}
		if ok {
			return nil
		}
		if what != "" {
			last = what
		}
		select {
		case <-p.gone:
		case <-limit.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &LateError{p.command, p.options.Startup, last, filepath.Base(p.log.path), p.log.end()}
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		}
	}
}

// listsModels says whether a server is ready; one that wants a key is. What it is
// instead is empty where nobody listens yet.
func listsModels(ctx context.Context, url string) (ok bool, instead string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/models", nil)
	if err != nil {
		return false, err.Error()
	}
	resp, err := direct.Do(req)
	if err != nil {
		return false, ""
	}
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
		return true, ""
	}
	return false, fmt.Sprintf("%s says %s", req.URL, resp.Status)
}

// direct asks this machine, whatever proxies are set.
var direct = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Ports that a server is given. It may take minutes until it listens there, and meanwhile nobody
// holds the port: so it is none of those that systems give to whoever asks for any (on Linux
// 32768 to 60999) or Kubernetes to services (30000 to 32767).
const leastPort, mostPort = 20000, 29999

// FreePort returns a port of this machine on which nobody listens, and which the system gives to
// nobody who asks for any: whoever it is meant for has time to listen there.
func FreePort() (string, error) { return freePort(rand.IntN) }

// freePort is a port that nobody listens on. draw gives a number from 0 to below n.
func freePort(draw func(n int) int) (string, error) {
	var err error
	for range 100 {
		port := strconv.Itoa(leastPort + draw(mostPort-leastPort+1))
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, l.Close()
		}
	}
	return "", fmt.Errorf("no free port from %d to %d: %w", leastPort, mostPort, err)
}

// silent reports somebody else who answers where the server is going to.
func silent(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return ctx.Err() // else it is that nobody answers
	}
	c.Close()
	return fmt.Errorf("%s answers before the server is started: end what runs there, or leave the place {port} to snapbench", address)
}
