package ray

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// answerTime is how long an answer may take; a busy head node needs seconds.
	answerTime = 30 * time.Second
	// mostBytes bounds an answer. A part is two lines or three in the log of its job: of the
	// most parts that a run may have, these fill a third.
	mostBytes = 64 << 20
	// submitTries is how often a job is submitted to a cluster that cannot take it yet.
	submitTries = 4
)

// client speaks the REST interface of Ray's jobs.
type client struct {
	base string
	http *http.Client
	most int64 // bytes of an answer
	wait time.Duration
}

func newClient(address string) *client {
	return &client{
		base: address,
		http: &http.Client{
			Timeout: answerTime,
			// An interface that leads elsewhere, such as to a page for logging in, is none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		most: mostBytes,
		wait: time.Second,
	}
}

// statusError is an answer that is no success.
type statusError struct {
	what, status, text string
	code               int
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s: %s", e.what, e.status)
	if e.text != "" {
		text += ": " + e.text
	}
	return text
}

// call sends a request, and reads the answer's JSON into a value unless that is nil.
func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	what := method + " " + c.base + path
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, send)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var ours *url.Error // names method and address again
		if errors.As(err, &ours) {
			err = ours.Err
		}
		return fmt.Errorf("asking Ray: %s: %w", what, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, c.most+1))
	if err != nil {
		return fmt.Errorf("asking Ray: %s: the answer breaks off after %d bytes: %w", what, len(data), err)
	}
	if resp.StatusCode != http.StatusOK {
		return &statusError{"asking Ray: " + what, resp.Status, short(data), resp.StatusCode}
	}
	if int64(len(data)) > c.most {
		return fmt.Errorf("asking Ray: %s: the answer is longer than %d bytes", what, c.most)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("asking Ray: %s: not the answer of Ray's jobs (%w): %s", what, err, short(data))
	}
	return nil
}

// short is the end of what an answer says, which in Ray's tracebacks is what went wrong.
func short(data []byte) string {
	const most = 600
	text := strings.TrimSpace(strings.ToValidUTF8(string(data), "?"))
	if len(text) > most {
		text = "… " + tail(text, most)
	}
	return text
}

type versionInfo struct {
	API string `json:"version"`
	Ray string `json:"ray_version"`
}

// version returns what answers, and is an error where that is not Ray.
func (c *client) version(ctx context.Context) (v versionInfo, err error) {
	if err := c.call(ctx, http.MethodGet, "/api/version", nil, &v); err != nil {
		return v, err
	}
	if v.Ray == "" {
		return v, fmt.Errorf("%s/api/version names no version of Ray: give the address of its jobs' interface, http://HOST:8265", c.base)
	}
	return v, nil
}

// jobInfo is where a job is.
type jobInfo struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Statuses of jobs.
const (
	pending   = "PENDING"
	running   = "RUNNING"
	stopped   = "STOPPED"
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
)

// over says that the job does nothing any more.
func (j jobInfo) over() bool {
	return j.Status == stopped || j.Status == succeeded || j.Status == failed
}

func jobPath(id string) string { return "/api/jobs/" + url.PathEscape(id) }

// job returns where a job is; known is false where the cluster has no such job.
func (c *client) job(ctx context.Context, id string) (info jobInfo, known bool, err error) {
	err = c.call(ctx, http.MethodGet, jobPath(id), nil, &info)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return info, false, nil
	}
	if err == nil && info.Status != pending && info.Status != running && !info.over() {
		err = fmt.Errorf("job %s has the status %q, which is none that snapbench knows", id, info.Status)
	}
	return info, err == nil, err
}

// log returns what a job's driver has printed.
func (c *client) log(ctx context.Context, id string) (string, error) {
	var answer struct {
		Logs *string `json:"logs"`
	}
	if err := c.call(ctx, http.MethodGet, jobPath(id)+"/logs", nil, &answer); err != nil {
		return "", err
	}
	if answer.Logs == nil {
		return "", fmt.Errorf("the answer about the log of job %s has none", id)
	}
	return *answer.Logs, nil
}

func (c *client) stop(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodPost, jobPath(id)+"/stop", nil, nil)
}

// unsureError is a failure of which nobody knows whether the cluster has the job.
type unsureError struct {
	id  string
	err error
}

func (e *unsureError) Error() string {
	return fmt.Sprintf("job %s may have been submitted: %v", e.id, e.err)
}
func (e *unsureError) Unwrap() error { return e.err }

// submit gives the cluster a job. Its name is ours, so that a job whose answer was lost is
// found by it, and is not submitted twice.
func (c *client) submit(ctx context.Context, r request) error {
	for try := 1; ; try++ {
		err := c.call(ctx, http.MethodPost, "/api/jobs/", r, nil)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return &unsureError{r.ID, err}
		}
		var status *statusError
		if errors.As(err, &status) && status.code < 500 {
			return err // refused
		}
		if _, known, lost := c.job(ctx, r.ID); lost != nil {
			return &unsureError{r.ID, errors.Join(err, lost)}
		} else if known {
			return nil
		}
		if try == submitTries {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(c.wait << (try - 1)):
		}
	}
}
