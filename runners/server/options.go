package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners/tokenizer"
)

// Options say which server is asked, and how.
type Options struct {
	URL      string            // of its interface, "http://localhost:8000/v1"
	Model    string            // as the server names it; empty: the only one that it serves
	Label    string            // names the variant
	Settings map[string]string // what the server was started with
	Key      Key
	// PlainKey allows the key over http to another machine.
	PlainKey bool
	// Concurrency is how many requests wait for answers at the same time; 0 means 1.
	Concurrency int
	// Silence is how long a server may say nothing while it is asked; 0 means
	// [DefaultSilence].
	Silence time.Duration
	// Retries is how often a request is repeated after a failure that may pass: too
	// many requests, a fault of the server, a stream that ends too soon. Below 0:
	// never; 0 means [DefaultRetries].
	Retries int
	// Wait is the time before the first retry, doubled for each further one unless the
	// server names a time; 0 means [DefaultWait].
	Wait time.Duration
	// Tokenizer is the model's own. Nil: the server's /tokenize, where it has one; where
	// it has none prompts are text, and their lengths unknown before they are asked.
	Tokenizer tokenizer.Tokenizer
	// Chat is the model's own chat template. Nil: the server's, where it shows it.
	Chat *tokenizer.ChatTemplate
	// Today is the day that Chat sees.
	Today time.Time
	// Repeat asks everything twice: how two answers differ is the server's own noise.
	Repeat bool
	// Seed goes with every request; answers are greedy all the same.
	Seed int
	// Trail keeps the baseline's answers with their distributions, for fidelity; nil: it
	// is not measured. Baseline says that this server is the baseline.
	Trail    *Trail
	Baseline bool

	// dial connects in place of the network; tests set it.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Defaults of [Options].
const (
	DefaultSilence = 10 * time.Minute
	DefaultRetries = 5
	DefaultWait    = time.Second
)

// Check says what is wrong with the options. An address that holds a password is not
// quoted.
func (o Options) Check() error {
	_, _, err := o.checked()
	return err
}

// checked returns the options with their defaults, and the server's address.
func (o Options) checked() (Options, *url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case o.URL == "":
		return o, nil, errors.New("no server: want an address such as http://localhost:8000/v1")
	case err != nil: // url.Error quotes the address, which may hold a password
		return o, nil, errors.New("the server's address cannot be read: want one such as http://localhost:8000/v1")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return o, nil, fmt.Errorf("server %s://%s%s: an address with a user, a password or a query would stand in results: a key goes into %s or a file", u.Scheme, u.Host, u.Path, KeyVariable)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return o, nil, fmt.Errorf("server %q: want http:// or https://, a host, and a path such as /v1", o.URL)
	case o.Concurrency < 0:
		return o, nil, fmt.Errorf("concurrency %d is negative", o.Concurrency)
	case o.Silence < 0 || o.Wait < 0:
		return o, nil, fmt.Errorf("silence %v, wait %v: neither may be negative", o.Silence, o.Wait)
	}
	if err := o.Key.allowed(u, o.PlainKey); err != nil {
		return o, nil, fmt.Errorf("server %s: %w", o.URL, err)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if u.Path == "" {
		u.Path = "/v1"
	}
	o.Concurrency = max(1, o.Concurrency)
	if o.Silence == 0 {
		o.Silence = DefaultSilence
	}
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	if o.Retries == 0 {
		o.Retries = DefaultRetries
	}
	o.Retries = max(0, o.Retries)
	return o, u, nil
}
