package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/snapbench/snapbench/inputs"
)

const (
	loadFile = "load.jsonl"
	mostLoad = 1 << 20 // bytes of it that are read: a line is a start of a server, and has some 300
)

// Load is how the server of a variant bore what it was asked: a line of load.jsonl, one for each time that it was started
// and asked, or the sum of several.
type Load struct {
	Variant      string  `json:"variant"`
	Concurrency  int     `json:"concurrency"` // requests at the same time
	Requests     int64   `json:"requests"`    // failed ones included; each retry is part of its request
	Failed       int64   `json:"failed"`
	PromptTokens int64   `json:"prompt_tokens"` // by the server's own count
	NewTokens    int64   `json:"new_tokens"`
	BusySeconds  float64 `json:"busy_seconds"` // from the first request to the end of the last
	// The highest of each that the server's /metrics told while it was asked; null where they tell nothing.
	CacheUse *float64 `json:"peak_cache_use"` // share of the cache
	Running  *float64 `json:"peak_running"`   // requests
	Waiting  *float64 `json:"peak_waiting"`
}

// RequestsPerSecond is NaN where no time has passed, as are the other rates.
func (l Load) RequestsPerSecond() float64 { return rate(float64(l.Requests), l.BusySeconds) }

// PromptTokensPerSecond are of all requests together.
func (l Load) PromptTokensPerSecond() float64 { return rate(float64(l.PromptTokens), l.BusySeconds) }

// NewTokensPerSecond are of all answers together.
func (l Load) NewTokensPerSecond() float64 { return rate(float64(l.NewTokens), l.BusySeconds) }

// check reports what cannot have been seen.
func (l Load) check() error {
	const most = 1 << 50 // so that sums fit
	switch {
	case l.Variant == "":
		return errors.New("no variant")
	case l.Concurrency < 1 || l.Concurrency > most:
		return fmt.Errorf("concurrency %d: want 1 or more", l.Concurrency)
	case l.Requests < 1 || l.Requests > most || l.Failed < 0 || l.Failed > l.Requests:
		return fmt.Errorf("%d requests, %d failed: want one at least, and no more failed than asked", l.Requests, l.Failed)
	case l.PromptTokens < 0 || l.PromptTokens > most || l.NewTokens < 0 || l.NewTokens > most:
		return fmt.Errorf("%d and %d tokens: want numbers from 0 to 2^50", l.PromptTokens, l.NewTokens)
	case !(l.BusySeconds >= 0 && l.BusySeconds <= most):
		return fmt.Errorf("busy_seconds %v: want a time of 0 or more", l.BusySeconds)
	}
	for _, v := range []*float64{l.CacheUse, l.Running, l.Waiting} {
		if v != nil && !(*v >= 0 && *v <= most) {
			return fmt.Errorf("a peak of %v: want 0 or more", *v)
		}
	}
	return nil
}

// AppendLoad adds a line to the load.jsonl of a run's folder, whole or not at all: what a crash has torn at its end is cut
// off.
func AppendLoad(dir string, l Load) error {
	path := filepath.Join(dir, loadFile)
	if err := l.check(); err != nil {
		return fmt.Errorf("%s: %s: %w", path, l.Variant, err)
	}
	line, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", path, l.Variant, err)
	}
	had, err := inputs.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Explain(path, err)
	}
	whole := had[:bytes.LastIndexByte(had, '\n')+1]
	return WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(slices.Concat(whole, line, []byte("\n")))
		return err
	})
}

// readLoads reads the load.jsonl of a run's folder; nothing where there is none.
func readLoads(dir string) ([]Load, error) {
	path := filepath.Join(dir, loadFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > mostLoad {
		return nil, fmt.Errorf("%s: %d bytes, and no more than %d are read: it only says how fast servers were, and may be moved away", path, info.Size(), mostLoad)
	}
	var text []byte
	if err == nil {
		text, err = inputs.ReadFile(path)
	}
	if err != nil {
		return nil, Explain(path, err)
	}
	list, err := parseLoads(text)
	if err != nil {
		return nil, fmt.Errorf("%s%w (it only says how fast servers were, and may be moved away)", path, err)
	}
	return list, nil
}

// parseLoads reads the text of load.jsonl, and sums up the lines of each variant. A torn line at the end is left out.
// Errors begin with ":LINE: ", to follow a file name.
func parseLoads(text []byte) ([]Load, error) {
	var list []Load
	for n := 1; ; n++ {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return sumLoads(list), nil
		}
		var l Load
		dec := json.NewDecoder(bytes.NewReader(text[:end]))
		dec.DisallowUnknownFields()
		err := dec.Decode(&l)
		if err == nil {
			if _, more := dec.Token(); more != io.EOF {
				err = errors.New("more than one JSON value")
			}
		}
		if err == nil {
			err = l.check()
		}
		if err != nil {
			return nil, fmt.Errorf(":%d: %w", n, err)
		}
		list, text = append(list, l), text[end+1:]
	}
}

// sumLoads puts the loads of each variant together, in the order in which variants first occur: requests, tokens and busy
// times add up, so that rates are those of the whole time in which it was asked, and of peaks the highest counts.
func sumLoads(list []Load) []Load {
	var sums []Load
	for _, l := range list {
		i := slices.IndexFunc(sums, func(s Load) bool { return s.Variant == l.Variant })
		if i < 0 {
			sums = append(sums, l)
			continue
		}
		s := &sums[i]
		s.Concurrency = max(s.Concurrency, l.Concurrency)
		s.Requests, s.Failed = s.Requests+l.Requests, s.Failed+l.Failed
		s.PromptTokens, s.NewTokens, s.BusySeconds = s.PromptTokens+l.PromptTokens, s.NewTokens+l.NewTokens, s.BusySeconds+l.BusySeconds
		s.CacheUse, s.Running, s.Waiting = highest(s.CacheUse, l.CacheUse), highest(s.Running, l.Running), highest(s.Waiting, l.Waiting)
	}
	return sums
}

// mergeLoads sums up the loads of several sets. One that stands in two of them word by word is one: the same run was named
// twice.
func mergeLoads(sets []Set) []Load {
	var list []Load
	for _, s := range sets {
		for _, l := range s.Loads {
			if !slices.ContainsFunc(list, func(had Load) bool { return reflect.DeepEqual(had, l) }) {
				list = append(list, l)
			}
		}
	}
	return sumLoads(list)
}

func highest(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// LoadOf returns how the server of a variant bore its run; ok is false where that was not seen.
func (s Set) LoadOf(variant string) (l Load, ok bool) {
	i := slices.IndexFunc(s.Loads, func(l Load) bool { return l.Variant == variant })
	if i < 0 {
		return Load{}, false
	}
	return s.Loads[i], true
}

// LoadGrid lays out what the servers of some rows bore; ok is false where that of none was seen.
func (s Set) LoadGrid(rows []Row) (g Grid, ok bool) {
	var loads []Load
	for _, v := range names(rows, func(r *Row) string { return r.Variant }, s.Run.Variants) {
		if l, seen := s.LoadOf(v); seen {
			loads = append(loads, l)
		}
	}
	peaks := slices.ContainsFunc(loads, func(l Load) bool { return l.CacheUse != nil || l.Running != nil || l.Waiting != nil })
	g.Head = []string{"variant", "at once", "requests", "requests/s", "prompt tokens/s", "new tokens/s"}
	g.Notes = []string{"of all requests together, from the first to the end of the last, over all times that the server was asked; tokens by its own count"}
	if peaks {
		g.Head = append(g.Head, "cache", "running", "waiting")
		g.Notes[0] += "; cache in use, running and waiting requests: the most that its /metrics told while it was asked"
	}
	if slices.ContainsFunc(rows, func(r Row) bool { return r.Top1Agreement != nil }) {
		g.Notes = append(g.Notes, "the servers behind the first were led along its answers meanwhile, for fidelity, which took time of theirs: compare rates of a run without it")
	}
	labels := Labels(rows)
	for _, l := range loads {
		row := []string{labels[l.Variant], fmt.Sprint(l.Concurrency), fmt.Sprint(l.Requests)}
		if l.Failed > 0 {
			row[2] += fmt.Sprintf(" (%d failed)", l.Failed)
		}
		for _, v := range []float64{l.RequestsPerSecond(), l.PromptTokensPerSecond(), l.NewTokensPerSecond()} {
			if math.IsNaN(v) {
				row = append(row, "n/a")
			} else {
				row = append(row, Significant(v, 4))
			}
		}
		if peaks {
			row = append(row, peak(l.CacheUse, 100, " %"), peak(l.Running, 1, ""), peak(l.Waiting, 1, ""))
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	return g, len(g.Rows) > 0
}

// peak writes an amount in a unit.
func peak(v *float64, unit float64, after string) string {
	if v == nil {
		return "n/a"
	}
	return Significant(unit**v, 3) + after
}
