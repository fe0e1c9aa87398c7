package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Answers that take an hour by the bubble's clock arrive at once; a wire that is closed connects nobody.
func TestWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New("far.test")
		s := w.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			fmt.Fprintf(w, "%s at %s", r.URL.Path, r.Host)
		}))
		transport := &http.Transport{DialContext: w.Dial}
		client := &http.Client{Transport: transport}
		began := time.Now()
		response, err := client.Get(s.URL + "/a")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if took := time.Since(began); string(text) != "/a at far.test" || err != nil || took != time.Hour {
			t.Errorf("%q, %v after %v", text, err, took)
		}
		transport.CloseIdleConnections()
		s.Close()
		var dial *net.OpError
		if _, err := client.Get(s.URL); !errors.As(err, &dial) || dial.Op != "dial" {
			t.Errorf("a wire that is closed: %v", err)
		}
	})
}

// A client that waits for a server that accepts nobody may give up.
func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := New("busy.test").Dial(ctx, "tcp", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
