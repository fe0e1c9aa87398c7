package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errSlow is wrapped when a server sends nothing, or almost nothing.
var errSlow = errors.New("too slow")

// patient ends answers that make no progress. It is below the http.Client, so that it also
// ends the bodies of redirects, which that reads by itself.
type patient struct {
	base  http.RoundTripper
	stall time.Duration
	least int64
}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := p.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, patient: p, host: req.URL.Host, ctx: ctx, cancel: cancel}
	return resp, nil
}

// body is the body of a response. Reading it fails when the server takes longer than the stall
// for the next bytes; only the time that is spent waiting counts.
type body struct {
	io.ReadCloser
	patient
	host   string
	ctx    context.Context
	cancel context.CancelCauseFunc
	waited time.Duration // for the bytes that came since so many were together
	got    int64
}

func (b *body) Read(p []byte) (int, error) {
	began := time.Now()
	late := time.AfterFunc(b.stall-b.waited, func() {
		b.cancel(fmt.Errorf("%s sends less than %d bytes in %s: %w", b.host, b.least, b.stall, errSlow))
	})
	n, err := b.ReadCloser.Read(p)
	late.Stop()
	b.waited += time.Since(began)
	if b.got += int64(n); b.got >= b.least {
		b.got, b.waited = 0, 0
	}
	if cause := context.Cause(b.ctx); err != nil && err != io.EOF && cause != nil {
		err = cause
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// readAnswer reads a response that is not a download, for at most so long. Of a response that
// is too long it returns one byte more than the limit.
func readAnswer(resp *http.Response, most int64, limit time.Duration) ([]byte, error) {
	if b, ok := resp.Body.(*body); ok {
		late := time.AfterFunc(limit, func() {
			b.cancel(fmt.Errorf("%s takes longer than %s over an answer: %w", b.host, limit, errSlow))
		})
		defer late.Stop()
	}
	return io.ReadAll(io.LimitReader(resp.Body, most+1))
}
