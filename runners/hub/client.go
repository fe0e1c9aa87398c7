package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DefaultEndpoint is the public hub.
const DefaultEndpoint = "https://huggingface.co"

// Errors that callers may want to distinguish. Messages say more.
var (
	ErrNotFound  = errors.New("not found")
	ErrGated     = errors.New("access refused")
	ErrOffline   = errors.New("offline")
	ErrNotCached = errors.New("not in the cache")
)

// Client downloads from one endpoint into one cache. Its fields are set before
// the first call. It may be used from several goroutines, and several
// processes may share the cache.
type Client struct {
	Endpoint string // scheme and host, without a slash at the end
	Token    string // "" for none
	Cache    string // the folder that holds models--ORG--NAME
	Offline  bool   // ask no server

	// Progress, if set, is called as bytes arrive, by one goroutine at a time.
	Progress func(Progress)
	// Workers is how many files are downloaded at a time; 0 is 4.
	Workers int
	// Attempts is how often a request is tried, and how often a download may stop without
	// progress; 0 is 5.
	Attempts int
	// Transport carries the requests. The one for nil uses HTTPS_PROXY, and gives up on a
	// server that does not begin its answer within Stall.
	Transport http.RoundTripper
	// Stall is how long a server may take for the next Least bytes of an answer, unless the
	// answer ends before; 0 is one minute.
	Stall time.Duration
	// Least is how many bytes must arrive within Stall; 0 is 4096.
	Least int64
	// Answer is how long an answer may take in all that is not a download; 0 is ten
	// minutes.
	Answer time.Duration

	// sleep waits between attempts; tests replace it.
	sleep func(context.Context, time.Duration) error
}

// Progress is how far a download is.
type Progress struct {
	File    string // in the repository
	Done    int64  // bytes of File that are here
	Size    int64  // bytes of File
	Total   int64  // bytes of all files asked for
	AllDone int64  // bytes of them that are here
	Waiting bool   // another process has the lock of this file
}

// FromEnv makes a client as the environment describes it: HF_ENDPOINT,
// HF_TOKEN (else the file HF_TOKEN_PATH, HF_HOME/token by default), HF_HOME,
// HF_HUB_CACHE (HF_HOME/hub by default), HF_HUB_OFFLINE and
// HF_HUB_DISABLE_IMPLICIT_TOKEN, with their meaning for Python's huggingface_hub. getenv is
// os.Getenv, except in tests.
func FromEnv(getenv func(string) string) (*Client, error) {
	c := &Client{Endpoint: strings.TrimRight(getenv("HF_ENDPOINT"), "/")}
	if c.Endpoint == "" {
		c.Endpoint = DefaultEndpoint
	}
	if _, err := c.origin(); err != nil {
		return nil, fmt.Errorf("HF_ENDPOINT: %w", err)
	}
	expand := func(path string) string {
		// As in Python, a $ that names no variable is part of the path.
		path = variable.ReplaceAllStringFunc(path, func(s string) string {
			return cmp.Or(getenv(strings.Trim(s, "${}")), s)
		})
		if path == "~" || strings.HasPrefix(path, "~/") {
			path = filepath.Join(getenv("HOME"), path[1:])
		}
		return path
	}
	home := expand(getenv("HF_HOME"))
	if home == "" {
		base := expand(getenv("XDG_CACHE_HOME"))
		if base == "" {
			if getenv("HOME") == "" {
				return nil, errors.New("no place for the hub cache: none of HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME is set")
			}
			base = filepath.Join(getenv("HOME"), ".cache")
		}
		home = filepath.Join(base, "huggingface")
	}
	if c.Cache = expand(getenv("HF_HUB_CACHE")); c.Cache == "" {
		c.Cache = filepath.Join(home, "hub")
	}
	c.Offline = isTrue(getenv("HF_HUB_OFFLINE"))
	if c.Token = strings.TrimSpace(getenv("HF_TOKEN")); c.Token == "" && !isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		path := expand(getenv("HF_TOKEN_PATH"))
		if path == "" {
			path = filepath.Join(home, "token")
		}
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("hub token: %w", err)
		}
		c.Token = strings.TrimSpace(string(data))
	}
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the hub token has white space or other characters inside that no token has")
	}
	return c, nil
}

// variable is one in a path of the environment.
var variable = regexp.MustCompile(`\$(\w+|\{\w+\})`)

func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// origin is the endpoint as a URL, checked.
func (c *Client) origin() (*url.URL, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an endpoint: it should look like %s", c.Endpoint, DefaultEndpoint)
	}
	return u, nil
}

func (c *Client) attempts() int {
	if c.Attempts > 0 {
		return c.Attempts
	}
	return 5
}

func (c *Client) stall() time.Duration {
	if c.Stall > 0 {
		return c.Stall
	}
	return time.Minute
}

func (c *Client) least() int64 {
	if c.Least > 0 {
		return c.Least
	}
	return 4096
}

func (c *Client) answer() time.Duration {
	if c.Answer > 0 {
		return c.Answer
	}
	return 10 * time.Minute
}

// authorized adds the token to requests to the endpoint itself. It is below the http.Client,
// which never sees the token and so cannot send it along with a redirect, as it would to a
// subdomain of the endpoint.
type authorized struct {
	base   http.RoundTripper
	origin *url.URL
	token  string
}

func (a authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.token != "" && sameOrigin(req.URL, a.origin) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.base.RoundTrip(req)
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// session is what the requests of one call of Pull share.
type session struct {
	*Client
	http   *http.Client // follows redirects anywhere
	direct *http.Client // follows them on the endpoint only
}

func (c *Client) session() (*session, error) {
	origin, err := c.origin()
	if err != nil {
		return nil, err
	}
	base := c.Transport
	if base == nil {
		base = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: c.stall()}).DialContext,
			TLSHandshakeTimeout:   c.stall(),
			ResponseHeaderTimeout: c.stall(),
			ForceAttemptHTTP2:     true,
			IdleConnTimeout:       c.stall(),
		}
	}
	transport := authorized{patient{base, c.stall(), c.least()}, origin, c.Token}
	return &session{
		Client: c,
		http:   &http.Client{Transport: transport},
		direct: &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if !sameOrigin(req.URL, origin) || len(via) >= 10 {
				return http.ErrUseLastResponse
			}
			return nil
		}},
	}, nil
}

// do sends a request, and repeats it while the server is busy or the connection fails. It
// returns responses of every other status.
func (s *session) do(ctx context.Context, client *http.Client, method, path string, header http.Header) (*http.Response, error) {
	address := path
	if !strings.Contains(path, "://") {
		address = s.Endpoint + "/" + path
	}
	for attempt := 1; ; attempt++ {
		req, err := http.NewRequestWithContext(ctx, method, address, nil)
		if err != nil {
			return nil, err
		}
		for k, v := range header {
			req.Header[k] = v
		}
		req.Header.Set("User-Agent", "snapbench")
		req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file
		resp, err := client.Do(req)
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			if err == nil {
				resp.Body.Close()
			}
			return nil, context.Cause(ctx)
		case err != nil:
		case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
			err = fmt.Errorf("%s %s: %s", method, address, resp.Status)
			wait = retryAfter(resp.Header, time.Now())
			resp.Body.Close()
		default:
			return resp, nil
		}
		if attempt >= s.attempts() {
			return nil, fmt.Errorf("%w (tried %d times)", err, attempt)
		}
		if wait > maxWait {
			return nil, fmt.Errorf("%w; the server asks to come back in %s", err, wait)
		}
		if err := s.pause(ctx, attempt, wait); err != nil {
			return nil, err
		}
	}
}

// maxWait is the longest pause that a server's Retry-After may ask for.
const maxWait = 5 * time.Minute

// pause waits before the next attempt: as long as the server asked for, else from one second,
// doubled each time, to half a minute. Up to half of that is left out at random, so that many
// clients do not return at the same time.
func (s *session) pause(ctx context.Context, attempt int, asked time.Duration) error {
	wait := asked
	if wait == 0 {
		wait = min(time.Second<<min(attempt-1, 10), 30*time.Second)
		wait -= rand.N(wait / 2)
	}
	if s.sleep != nil {
		return s.sleep(ctx, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// retryAfter reads Retry-After, in seconds or as a date; 0 if it says nothing.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// refused makes an error of a response that is not a success, and says what to do about it.
func (s *session) refused(ctx context.Context, repo Repo, file string, resp *http.Response) error {
	message := resp.Header.Get("X-Error-Message")
	if message == "" {
		// Without the server's message, the status still says what is wrong.
		text, _ := readAnswer(resp, 200, s.stall())
		message = strings.TrimSpace(string(text))
	}
	code := resp.Header.Get("X-Error-Code")
	page := s.Endpoint + "/" + repo.page()
	switch {
	case code == "GatedRepo" || resp.StatusCode == http.StatusForbidden && code == "":
		hint := "then set HF_TOKEN to a token of that account"
		if s.Token != "" {
			hint = "with the account of the token that was sent (HF_TOKEN), and see that the token may read gated repositories"
		}
		return fmt.Errorf("%s %s is gated or private: accept its terms at %s, %s (%s: %.200q): %w",
			repo.Kind, repo, page, hint, resp.Status, message, ErrGated)
	case code == "RevisionNotFound":
		return fmt.Errorf("%s %s has no revision %q%s: %w", repo.Kind, repo.ID, repo.revision(), s.revisions(ctx, repo), ErrNotFound)
	case code == "EntryNotFound":
		return fmt.Errorf("%s %s has no file %q: %w", repo.Kind, repo, file, ErrNotFound)
	case resp.StatusCode == http.StatusUnauthorized && (s.Token != "" && code != "RepoNotFound"):
		return fmt.Errorf("%s refused the token that was sent (HF_TOKEN) for %s %s (%s: %.200q): %w",
			s.Endpoint, repo.Kind, repo, resp.Status, message, ErrGated)
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusNotFound:
		hint := "if it is private, set HF_TOKEN to a token that may read it"
		if s.Token != "" {
			hint = "if it is private, the token that was sent (HF_TOKEN) may not read it"
		}
		if other := s.otherKind(ctx, repo); other != "" {
			hint = other
		}
		return fmt.Errorf("no %s %q at %s; %s (%s): %w", repo.Kind, repo.ID, s.Endpoint, hint, resp.Status, ErrNotFound)
	case resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s %s may not be read: see %s (%s: %.200q): %w", repo.Kind, repo, page, resp.Status, message, ErrGated)
	}
	return fmt.Errorf("%s %s: %s answers %s: %.200q", repo.Kind, repo, resp.Request.URL.Host, resp.Status, message)
}
