package server

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

// answer is what has come of an answer so far.
type answer struct {
	asked   runners.Request
	began   time.Time
	text    strings.Builder
	tokens  []int32
	known   bool // tokens are all of its tokens
	pieces  int
	thought bool
	finish  string // the server's word for why it ended
	stopped bool   // by a stop string that we found
	cut     bool   // the server cut the prompt, and says so
	usage   usage
	steps   []Step

	first, last time.Time // pieces
	gaps        []time.Duration
}

// receive reads an answer: a stream of events, or one piece of JSON where the server
// does not stream.
func (a *answer) receive(c *client, response *http.Response, heard func()) error {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "text/event-stream" {
		data, err := io.ReadAll(io.LimitReader(response.Body, mostLine))
		if err != nil {
			return err
		}
		r, err := c.read(data)
		if err != nil {
			return err
		}
		if _, err := a.add(r, time.Time{}); err != nil {
			return err
		}
		return a.whole()
	}
	err := events(response.Body, func(data []byte) (bool, error) {
		heard()
		if string(data) == "[DONE]" {
			return true, nil
		}
		r, err := c.read(data)
		if err != nil {
			return false, err
		}
		return a.add(r, time.Now())
	})
	if err != nil {
		return err
	}
	return a.whole()
}

// whole reports a stream that ended before its answer did.
func (a *answer) whole() error {
	if a.finish == "" && !a.stopped {
		return pass(fmt.Errorf("the server's answer breaks off after %d pieces", a.pieces))
	}
	return nil
}

// add takes a piece that came at a time, zero where the answer came in one. It says
// whether the rest is not needed.
func (a *answer) add(r reply, now time.Time) (enough bool, err error) {
	if r.Usage != nil {
		a.usage = *r.Usage
	}
	a.cut = a.cut || r.Truncated
	for _, c := range r.Choices {
		if c.Index != 0 {
			return false, fmt.Errorf("the server sends answer %d where one was asked for", c.Index+1)
		}
		a.cut = a.cut || c.Truncated
		piece, thought := c.own()
		a.thought = a.thought || thought
		if a.finish == "" {
			a.finish = c.FinishReason
		}
		steps, err := c.Logprobs.steps()
		if err != nil {
			return false, err
		}
		a.steps = append(a.steps, steps...)
		ids := c.TokenIDs
		if ids == nil {
			ids = idsOf(steps)
		}
		if a.known = (a.pieces == 0 || a.known) && (len(ids) > 0 || piece == "" && !thought); len(ids) > 0 {
			a.tokens = append(a.tokens, ids...)
		}
		if piece == "" && !thought && len(ids) == 0 {
			continue
		}
		a.time(now, max(1, len(ids)))
		a.pieces++
		before := a.text.Len()
		a.text.WriteString(string(piece))
		if a.stop(before) {
			return true, nil
		}
		if a.pieces > 2*a.asked.MaxNew+16 || a.text.Len() > 1<<16+1<<10*a.asked.MaxNew {
			return false, fmt.Errorf("the server's answer goes on after %d pieces, where at most %d tokens were asked for", a.pieces, a.asked.MaxNew)
		}
		if a.asked.Progress != nil {
			a.asked.Progress(runners.Progress{Prefill: 1, Decoded: min(max(a.pieces, len(a.tokens)), a.asked.MaxNew), Max: a.asked.MaxNew})
		}
	}
	return false, nil
}

// time notes when a piece of n tokens came.
func (a *answer) time(now time.Time, n int) {
	if now.IsZero() {
		return
	}
	if a.first.IsZero() {
		a.first = now
	} else {
		for range n {
			a.gaps = append(a.gaps, now.Sub(a.last)/time.Duration(n))
		}
	}
	a.last = now
}

// stop cuts the text before the first stop string in it, which may begin in a piece
// that came earlier.
func (a *answer) stop(before int) bool {
	longest := 0
	for _, s := range a.asked.Stop.Strings {
		longest = max(longest, len(s))
	}
	all := a.text.String()
	from := max(0, before-longest+1)
	at := -1
	for _, s := range a.asked.Stop.Strings {
		if i := strings.Index(all[from:], s); s != "" && i >= 0 && (at < 0 || from+i < at) {
			at = from + i
		}
	}
	if at < 0 {
		return false
	}
	a.text.Reset()
	a.text.WriteString(all[:at])
	a.stopped = true
	return true
}

// completion is the answer as the sentence takes it. Where it is not what was asked
// for, that is its error.
func (a *answer) completion() (c runners.Completion, notes []string) {
	c.Text = strings.ToValidUTF8(a.text.String(), "\uFFFD")
	if a.known {
		c.Tokens = a.tokens
	}
	c.Ended = a.stopped || a.finish != "length"
	n := max(a.usage.CompletionTokens, len(c.Tokens))
	c.Served = &runners.Served{PromptTokens: a.usage.PromptTokens, NewTokens: n}
	if !a.first.IsZero() {
		c.Served.FirstToken, c.Decode = a.first.Sub(a.began), a.last.Sub(a.first)
		c.Served.TokenP50, c.Served.TokenP95 = results.Percentile(a.gaps, 0.50), results.Percentile(a.gaps, 0.95)
	}
	q := a.asked
	switch end := slices.IndexFunc(c.Tokens, func(id int32) bool { return slices.Contains(q.Stop.Tokens, id) }); {
	case a.finish != "stop" && a.finish != "length" && !a.stopped:
		c.Err = fmt.Errorf("the server ended its answer for the reason %q, after %d tokens", a.finish, n)
	case n > q.MaxNew, n == 0 && a.pieces > q.MaxNew:
		n = max(n, a.pieces)
		c.Err = fmt.Errorf("the server answers %d tokens, where at most %d were asked for", n, q.MaxNew)
	case end >= 0 && end < len(c.Tokens)-1:
		c.Err = fmt.Errorf("the server's answer goes on for %d tokens after the stop token %d", len(c.Tokens)-1-end, c.Tokens[end])
	case a.finish == "length" && !a.stopped && n > 0 && n < q.MaxNew:
		notes = append(notes, "the server ended the answer before it was as long as allowed, for lack of room")
	}
	if a.thought {
		notes = append(notes, "new tokens include the model's thoughts, which are no part of the prediction")
	}
	return c, notes
}
