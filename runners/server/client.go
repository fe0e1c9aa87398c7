package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners"
)

// client speaks to one host.
type client struct {
	base    *url.URL // of the interface, path included
	key     Key
	silence time.Duration
	http    *http.Client
}

func newClient(base *url.URL, o Options) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = o.Concurrency + 1
	transport.DisableCompression = true // what is packed arrives late
	if o.dial != nil {
		transport.DialContext, transport.Proxy = o.dial, nil
	}
	return &client{base: base, key: o.Key, silence: o.Silence, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// StatusError is what a server said instead of an answer.
type StatusError struct {
	Status int
	Text   string        // shortened, without the key
	after  time.Duration // it asks to be left alone for so long
}

func (e *StatusError) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("the server says %d %s: %s", e.Status, http.StatusText(e.Status), e.Text), ": ")
}

// FitError is a request that is too large for the server.
type FitError struct{ Err error }

func (e *FitError) Error() string { return "does not fit: " + e.Err.Error() }

// Unwrap returns what the server said.
func (e *FitError) Unwrap() error { return e.Err }

// GoneError is a server that cannot be reached, or refuses everybody: no request can
// be answered.
type GoneError struct{ Err error }

func (e *GoneError) Error() string { return e.Err.Error() }

// Is says that prompts cannot be made without it: [runners.ErrGone].
func (e *GoneError) Is(target error) bool { return target == runners.ErrGone }

// Unwrap returns what happened.
func (e *GoneError) Unwrap() error { return e.Err }

// passing is a failure that may be over when it is asked again.
type passing struct {
	err   error
	after time.Duration
}

func (e *passing) Error() string { return e.err.Error() }
func (e *passing) Unwrap() error { return e.err }

func pass(err error) error { return &passing{err: err} }

// errSilence ends a request whose server has nothing to say.
var errSilence = errors.New("silence")

// post asks at a path below the interface, or below its root where the path begins
// with a slash; nil bodies are asked by GET. heard must be called whenever the server
// has said something; closing the response's body ends the request.
func (c *client) post(ctx context.Context, path string, body any) (response *http.Response, heard func(), err error) {
	u := *c.base
	if strings.HasPrefix(path, "/") {
		u.Path = strings.TrimSuffix(u.Path, "/v1") + path
	} else {
		u.Path += "/" + path
	}
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		method, content = http.MethodPost, bytes.NewReader(data)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.silence, func() { cancel(errSilence) })
	end := func() {
		timer.Stop()
		cancel(nil)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		end()
		return nil, nil, err
	}
	request.Header.Set("User-Agent", "snapbench")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key.secret != "" {
		request.Header.Set("Authorization", "Bearer "+c.key.secret)
	}
	response, err = c.http.Do(request)
	if err != nil {
		err = c.broken(ctx, err)
		end()
		return nil, nil, err
	}
	response.Body = &heardBody{response.Body, c, ctx, end}
	if response.StatusCode == http.StatusOK {
		return response, func() { timer.Reset(c.silence) }, nil
	}
	defer response.Body.Close()
	return nil, nil, c.refused(response)
}

// heardBody names what ends a body, and ends its request.
type heardBody struct {
	io.ReadCloser
	client *client
	ctx    context.Context
	end    func()
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.client.broken(b.ctx, err)
	}
	return n, err
}

func (b *heardBody) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

// broken says what a failed connection means.
func (c *client) broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilence) {
		return pass(fmt.Errorf("the server says nothing for %v", c.silence))
	} else if cause != nil {
		return cause
	}
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return pass(&GoneError{fmt.Errorf("it cannot be reached: %w", err)})
	}
	return pass(fmt.Errorf("the connection to the server broke: %w", err))
}

// mostSaid is how much of an error's text is read, and shown.
const (
	mostSaid  = 64 << 10
	mostShown = 400
)

// refused says what a status other than 200 means.
func (c *client) refused(response *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(response.Body, mostSaid))
	if err != nil && len(data) == 0 {
		return err
	}
	status := response.StatusCode
	said := &StatusError{Status: status, Text: c.shown(saidIn(data)), after: retryAfter(response.Header.Get("Retry-After"), time.Now())}
	switch {
	case status >= 300 && status < 400:
		to := "elsewhere"
		if u, err := response.Location(); err == nil {
			to = "to " + u.Scheme + "://" + u.Host
		}
		said.Text = "it sends on " + c.shown(to) + ", where neither prompts nor the key are taken: ask that server by its own address"
		return &GoneError{said}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if c.key.secret == "" {
			said.Text += "; no key was sent: " + KeyVariable + " or a file may hold one"
		}
		return &GoneError{said}
	case status == http.StatusRequestEntityTooLarge || (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status >= 500) && tooLong(data):
		return &FitError{said}
	case busy(status) || status >= 500 && status != http.StatusNotImplemented:
		return &passing{said, said.after}
	}
	return said
}

// shown makes a server's words fit for a line of ours: short, and without the key.
func (c *client) shown(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(c.key.hide(text), "\uFFFD")), " ")
	for i := range text {
		if i > mostShown {
			return text[:i] + "…"
		}
	}
	return text
}

// saidIn finds the message in an error's body: {"error": {"message": …}}, {"message": …},
// {"detail": …} or {"error": …}; else it is the whole body.
func saidIn(data []byte) string {
	var body struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(data, &body) != nil {
		return string(data)
	}
	for _, raw := range []json.RawMessage{body.Error, body.Detail} {
		var inner struct {
			Message string `json:"message"`
		}
		var text string
		switch {
		case json.Unmarshal(raw, &inner) == nil && inner.Message != "":
			return inner.Message
		case json.Unmarshal(raw, &text) == nil && text != "":
			return text
		}
	}
	if body.Message != "" {
		return body.Message
	}
	return string(data)
}

// tooLong says whether an error is about the length of the prompt: the codes of OpenAI
// and llama.cpp, and the words of vLLM, SGLang and TensorRT-LLM.
func tooLong(data []byte) bool {
	text := strings.ToLower(string(data))
	for _, words := range []string{
		"context_length_exceeded", "exceed_context_size", "maximum context length", "available context size", "longer than the maximum model length",
		"longer than the model's context length", "exceeds the maximum length", "should not exceed max_num_tokens", "maximum allowed length",
	} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// retryAfter reads the header: seconds, or a date. 0 where there is none.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if n, err := strconv.ParseFloat(header, 64); err == nil && n >= 0 && n < 1e8 {
		return time.Duration(n * float64(time.Second))
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// ask asks once for one JSON value.
func (c *client) ask(ctx context.Context, path string, body, into any) error {
	response, _, err := c.post(ctx, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, mostJSON+1))
	if err != nil {
		return err
	}
	if len(data) > mostJSON {
		return fmt.Errorf("the server's answer at %s is longer than %d MiB", path, mostJSON>>20)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &otherError{fmt.Errorf("the server's answer at %s is no such JSON as was expected: %w: %q", path, err, c.shown(string(data[:min(len(data), mostShown)])))}
	}
	return nil
}

const mostJSON = 256 << 20

// otherError is an answer that is something else, such as a page for people.
type otherError struct{ error }
