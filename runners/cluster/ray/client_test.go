package ray

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/cluster"
)

// stub answers as the jobs' interface of Ray's does, as far as an engine asks it. It is for
// faults, which the real one makes seldom; that the two agree is the real one's test.
type stub struct {
	mu      sync.Mutex
	jobs    map[string]*stubJob
	posts   int
	fault   func(w http.ResponseWriter, r *http.Request) bool // answers itself
	started func(r request) stubJob
}

type stubJob struct{ status, message, logs string }

func newStub(t *testing.T) (*stub, *client) {
	t.Helper()
	s := &stub{jobs: map[string]*stubJob{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := newClient(server.URL)
	c.wait = time.Millisecond
	return s, c
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil && s.fault(w, r) {
		return
	}
	answer := func(v any) { json.NewEncoder(w).Encode(v) }
	if r.URL.Path == "/api/version" {
		answer(map[string]string{"version": "4", "ray_version": "2.60.0"})
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/api/jobs/" {
		s.posts++
		var asked request
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		job := stubJob{status: pending}
		if s.started != nil {
			job = s.started(asked)
		}
		s.jobs[asked.ID] = &job
		answer(map[string]string{"submission_id": asked.ID})
		return
	}
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/jobs/"), "/")
	job := s.jobs[id]
	switch {
	case job == nil:
		http.Error(w, "Job "+id+" does not exist", http.StatusNotFound)
	case what == "logs":
		answer(map[string]string{"logs": job.logs})
	case what == "stop":
		job.status = stopped
		answer(map[string]bool{"stopped": true})
	default:
		answer(map[string]any{"status": job.status, "message": job.message, "driver_info": nil})
	}
}

// Each way in which an answer can be wrong is an error that names what was asked and says
// what came.
func TestWrongAnswers(t *testing.T) {
	say := func(code int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			io.WriteString(w, text)
			return true
		}
	}
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		want  []string
	}{
		"not JSON":      {say(200, "<html>log in</html>"), []string{"GET http://", "/api/jobs/x", "not the answer of Ray's jobs", "<html>log in</html>"}},
		"another shape": {say(200, `{"status": 3}`), []string{"not the answer of Ray's jobs"}},
		"no status":     {say(200, `{}`), []string{`job x has the status ""`}},
		"5xx":           {say(500, "Traceback\nlast line"), []string{"500 Internal Server Error: Traceback\nlast line"}},
		"401":           {say(401, "token wanted"), []string{"401 Unauthorized: token wanted"}},
		"long error":    {say(500, strings.Repeat("a", 900)+"the cause"), []string{"500 Internal Server Error: … a", "the cause"}},
		"redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/login", http.StatusFound)
			return true
		}, []string{"302 Found"}},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"status"`)
			return true
		}, []string{"breaks off after 9 bytes"}},
		"too long": {say(200, `{"status": "`+strings.Repeat("a", 2000)+`"}`), []string{"longer than 1000 bytes"}},
		"silence": {func(w http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, []string{"GET http://", "Client.Timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := newStub(t)
			s.fault, client.most = c.fault, 1000
			if name == "silence" {
				client.http.Timeout = 200 * time.Millisecond
			}
			_, known, err := client.job(t.Context(), "x")
			if err == nil || known {
				t.Fatalf("known %v, error %v", known, err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want one with %q", err, want)
				}
			}
			if len(err.Error()) > 1200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	_, client := newStub(t)
	if _, known, err := client.job(t.Context(), "x"); err != nil || known {
		t.Errorf("a job that is not there: known %v, %v", known, err)
	}
}

// A job is submitted once, whatever becomes of the answer.
func TestSubmitOnce(t *testing.T) {
	r := request{ID: "a-job", Entrypoint: "true"}
	t.Run("the answer is lost", func(t *testing.T) {
		s, client := newStub(t)
		s.fault = func(w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodPost {
				return false
			}
			s.posts++
			s.jobs["a-job"] = &stubJob{status: pending}
			http.Error(w, "lost", http.StatusBadGateway)
			return true
		}
		if err := client.submit(t.Context(), r); err != nil || s.posts != 1 {
			t.Errorf("%v, submitted %d times", err, s.posts)
		}
	})
	t.Run("not ready at first", func(t *testing.T) {
		s, client := newStub(t)
		refusals := submitTries - 1
		s.fault = func(w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodPost || refusals == 0 {
				return false
			}
			refusals--
			http.Error(w, "No available agent to submit job, please try again later.", http.StatusInternalServerError)
			return true
		}
		if err := client.submit(t.Context(), r); err != nil || s.jobs["a-job"] == nil {
			t.Errorf("%v", err)
		}
	})
	t.Run("never ready", func(t *testing.T) {
		s, client := newStub(t)
		posts := 0
		s.fault = func(w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodPost {
				return false
			}
			posts++
			http.Error(w, "No available agent", http.StatusInternalServerError)
			return true
		}
		if err := client.submit(t.Context(), r); err == nil || posts != submitTries || !strings.Contains(err.Error(), "No available agent") {
			t.Errorf("%v, after %d tries", err, posts)
		}
	})
	t.Run("refused", func(t *testing.T) {
		s, client := newStub(t)
		posts := 0
		s.fault = func(w http.ResponseWriter, req *http.Request) bool {
			posts++
			http.Error(w, "runtime_env must be a dict", http.StatusBadRequest)
			return true
		}
		if err := client.submit(t.Context(), r); err == nil || posts != 1 || !strings.Contains(err.Error(), "must be a dict") {
			t.Errorf("%v, after %d requests", err, posts)
		}
	})
	t.Run("in doubt, and not", func(t *testing.T) {
		s, client := newStub(t)
		w := testWork()
		w.EngineArgs = []string{"--address", client.base}
		for status, want := range map[int]bool{http.StatusBadGateway: true, http.StatusBadRequest: false} {
			s.fault = func(w http.ResponseWriter, req *http.Request) bool { http.Error(w, "no", status); return true }
			if id, err := (&engine{env: noEnvironment}).Submit(t.Context(), w); err == nil || (id != "") != want || strings.Contains(err.Error(), "may have been submitted") != want {
				t.Errorf("%d: %q, %v; in doubt: %t", status, id, err, want)
			}
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		client := newClient("http://127.0.0.1:1")
		if err := client.submit(t.Context(), r); err == nil || !strings.Contains(err.Error(), "job a-job may have been submitted") {
			t.Errorf("%v", err)
		}
	})
}

func TestStates(t *testing.T) {
	s, client := newStub(t)
	w := cluster.Work{Out: t.TempDir(), Parts: []int{0, 1, 2, 3}, Count: 5, EngineArgs: []string{"--address", client.base}}
	e := &engine{env: noEnvironment}
	for _, c := range []struct {
		status string
		want   map[int]cluster.State
	}{
		{"", map[int]cluster.State{}},
		{pending, map[int]cluster.State{0: cluster.Waiting, 1: cluster.Waiting, 2: cluster.Waiting, 3: cluster.Waiting}},
		{running, map[int]cluster.State{0: cluster.Ended, 1: cluster.Waiting, 2: cluster.Failed, 3: cluster.Waiting}},
		{stopped, map[int]cluster.State{0: cluster.Ended, 1: cluster.Failed, 2: cluster.Failed, 3: cluster.Failed}},
		{failed, map[int]cluster.State{0: cluster.Ended, 1: cluster.Failed, 2: cluster.Failed, 3: cluster.Failed}},
	} {
		if c.status != "" {
			s.jobs["j"] = &stubJob{status: c.status, logs: sampleLog, message: "the driver's end"}
		}
		got, err := e.States(t.Context(), "j", w)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q: %v, %v; want %v", c.status, got, err, c.want)
		}
	}
	if log := e.Log(t.Context(), "j", w, 2); log != "exit status 1" {
		t.Errorf("the log of part 2: %q", log)
	}
	if log := e.Log(t.Context(), "j", w, 3); !strings.Contains(log, "job j is FAILED: the driver's end") || !strings.Contains(log, "Connecting") || strings.Contains(log, partMark) {
		t.Errorf("the log of part 3: %q", log)
	}
	if err := os.MkdirAll(logDir(w, "j"), 0o755); err != nil {
		t.Fatal(err)
	}
	output := strings.Repeat("x", 2*logEnd) + "the end"
	if err := os.WriteFile(filepath.Join(logDir(w, "j"), "0-of-5.0a.log"), []byte(output), 0o644); err != nil {
		t.Fatal(err)
	}
	if log := e.Log(t.Context(), "j", w, 0); len(log) != logEnd || !strings.HasSuffix(log, "the end") {
		t.Errorf("the log of part 0: %d bytes", len(log))
	}
}

// What nodes say decides: each that does not see the folder is named.
func TestCheck(t *testing.T) {
	line := func(id, rest string) string {
		return nodeMark + `{"id": "` + id + `", "host": "h-` + id + `", "address": "10.0.0.1", ` + rest + "}\n"
	}
	good := `"token": "token", "program": true, "dir": true`
	for name, c := range map[string]struct {
		job    stubJob
		remark string
		err    string
	}{
		"all see it":     {stubJob{succeeded, "", line("a", good) + line("b", good)}, "2 nodes have 1 CPU, 1 GPU and see /shared/lb", ""},
		"another folder": {stubJob{succeeded, "", line("a", good) + line("b", `"token": "other", "program": true`)}, "", `h-b (10.0.0.1, node b): "other" in its folder, want "token"`},
		"no folder":      {stubJob{succeeded, "", line("b", `"error": "No such file", "program": true`)}, "", "1 of 1 nodes"},
		"no program":     {stubJob{succeeded, "", line("b", `"token": "token", "program": false`)}, "", "no program /opt/snapbench"},
		"a silent node":  {stubJob{succeeded, "", line("a", good) + line("b", `"silent": true`)}, "1 nodes did not say", ""},
		"no cwd":         {stubJob{succeeded, "", line("a", `"token": "token", "program": true, "dir": false`)}, "1 nodes have no folder /home/me", ""},
		"no such node":   {stubJob{succeeded, "", ""}, "no node of http", ""},
		"it failed":      {stubJob{failed, "no python3", "sh: python3: not found\n"}, "", "is FAILED: no python3\nsh: python3: not found"},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := newStub(t)
			s.started = func(r request) stubJob { return c.job }
			w := testWork()
			w.EngineArgs = []string{"--address", client.base}
			remarks, err := (&engine{env: noEnvironment}).Check(t.Context(), w)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
			} else if err != nil || !strings.Contains(strings.Join(remarks, "\n"), c.remark) {
				t.Errorf("%q, %v; want %q", remarks, err, c.remark)
			}
		})
	}
	// Wherever it breaks off, the job that asks does not stay.
	status := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path != "/api/version" }
	for name, end := range map[string]func(s *stub, cancel func()){
		"ended while it submits": func(s *stub, cancel func()) {
			s.started = func(request) stubJob { cancel(); return stubJob{status: running} }
		},
		"ended while it asks": func(s *stub, cancel func()) {
			s.fault = func(_ http.ResponseWriter, r *http.Request) bool {
				if status(r) {
					cancel()
				}
				return false
			}
		},
		"not answered": func(s *stub, _ func()) {
			s.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if status(r) {
					http.Error(w, "the head node is gone", http.StatusInternalServerError)
				}
				return status(r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := newStub(t)
			s.started = func(request) stubJob { return stubJob{status: running} }
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end(s, cancel)
			w := testWork()
			w.EngineArgs = []string{"--address", client.base}
			if _, err := (&engine{env: noEnvironment}).Check(ctx, w); err == nil {
				t.Error("no error")
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.jobs) != 1 {
				t.Errorf("%d jobs, want one", len(s.jobs))
			}
			for id, job := range s.jobs {
				if job.status != stopped {
					t.Errorf("job %s, which asked, is %s", id, job.status)
				}
			}
		})
	}
	t.Run("not Ray", func(t *testing.T) {
		s, client := newStub(t)
		s.fault = func(w http.ResponseWriter, r *http.Request) bool { io.WriteString(w, "{}"); return true }
		w := testWork()
		w.EngineArgs = []string{"--address", client.base}
		if _, err := (&engine{env: noEnvironment}).Check(t.Context(), w); err == nil || !strings.Contains(err.Error(), "names no version of Ray") {
			t.Errorf("%v", err)
		}
	})
}
