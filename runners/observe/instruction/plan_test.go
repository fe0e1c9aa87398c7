package instruction_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/observe"
	"github.com/snapbench/snapbench/runners/observe/instruction"
	"github.com/snapbench/snapbench/runners/ref"
)

func tiny(t *testing.T, d engine.Device) *models.Model {
	t.Helper()
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func ids(n, seed int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32((i*i*7 + seed*i + 3) % 200)
	}
	return list
}

// small are settings for a context of some hundred tokens.
var small = instruction.Settings{Response: 6, Windows: []int{40, 12, 500}, Own: 24, Share: 10, Important: 0.01, Sinks: 4}

func questions(text []int32) []instruction.Asked {
	same, other := ids(9, 5), ids(14, 11)
	return []instruction.Asked{
		{ID: "c/1", Question: same, Before: slices.Concat(same, text)},
		{ID: "c/2", Question: other, Why: os.ErrNotExist},
		{ID: "c/3", Question: same, Before: slices.Concat(same, text)},
	}
}

// The judge and the fast device count the same. A question has all in common with itself, and nothing is more than its whole.
func TestObserve(t *testing.T) {
	fast, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	defer fast.Close()
	variants, err := compress.ParseAll("snapkv(cap=48,w=8,k=5,gqa=query_head);ada(cap=40,snapkv(w=8));keydiff(cap=32)")
	if err != nil {
		t.Fatal(err)
	}
	text := ids(150, 2)
	var first instruction.Context
	for _, d := range []engine.Device{ref.New(), fast} {
		m := tiny(t, d)
		for _, block := range []int{512, 7} { // blocks of the prefill decide nothing
			m.SetBlock(block)
			held := d.Memory().InUse
			c, err := instruction.Observe(context.Background(), m, small, "c", text, questions(text), variants)
			if err != nil {
				t.Fatal(err)
			}
			if now := d.Memory().InUse; now != held {
				t.Errorf("%s: %d bytes are held afterwards, %d before", d.Name(), now, held)
			}
			if first.ID == "" {
				first = c
			}
			check(t, m, c)
			near(t, d.Name(), reflect.ValueOf(c), reflect.ValueOf(first))
		}
	}
}

// check holds a context's counts to what must be true of any.
func check(t *testing.T, m *models.Model, c instruction.Context) {
	t.Helper()
	if want := m.Heads.Query * 15; c.Vote != want || c.Own != 24 || len(c.Questions) != 3 || len(c.Pairs) != 3 {
		t.Fatalf("%d votes, want %d; %d rows of its own; %d questions, %d pairs", c.Vote, want, c.Own, len(c.Questions), len(c.Pairs))
	}
	for i, p := range c.Pairs {
		if want := [][2]int{{0, 1}, {0, 2}, {1, 2}}[i]; [2]int{p.A, p.B} != want {
			t.Errorf("pair %d is of %d and %d, want %v", i, p.A, p.B, want)
		}
		equal := p.A == 0 && p.B == 2
		for layer, votes := range p.Votes {
			if beyond := c.Questions[p.A].Beyond[layer]; votes > c.Vote || p.NoSink[layer] > min(votes, beyond) || beyond < c.Vote-4*m.Heads.Query || equal && (votes != c.Vote || p.NoSink[layer] != beyond) {
				t.Errorf("questions %d and %d, layer %d: %d votes in common of %d, %d of %d without sinks", p.A, p.B, layer, votes, c.Vote, p.NoSink[layer], beyond)
			}
			for v, kept := range p.Kept {
				if size := c.Questions[p.A].Kept[v][layer]; kept[layer] > size || size == 0 || equal && kept[layer] != size {
					t.Errorf("questions %d and %d, layer %d, %s: %d kept for both of %d", p.A, p.B, layer, v, kept[layer], size)
				}
			}
		}
	}
	for k, q := range c.Questions {
		if (q.Before == nil) != (k == 1) || (q.Why == "") != (k != 1) || len(q.Response) != 6 {
			t.Errorf("question %d: before %v (%s), response %v", k, q.Before, q.Why, q.Response)
		}
		for _, hits := range slices.Concat(q.After, q.Before) {
			for i, h := range hits {
				if short := i == 2; short != (h == instruction.Hit{Hits: -1, Important: -1}) || h.Hits > h.Important || !short && h.Important == 0 {
					t.Errorf("question %d, window of %d: %+v", k, small.Windows[i], h)
				}
			}
		}
	}
}

// near holds counts to those of another device: within 2 or 1 %.
func near(t *testing.T, what string, got, want reflect.Value) {
	t.Helper()
	switch got.Kind() {
	case reflect.Int:
		if off := math.Abs(float64(got.Int() - want.Int())); off > max(2, 0.01*float64(want.Int())) {
			t.Errorf("%s: %d, want %d", what, got.Int(), want.Int())
		}
	case reflect.Slice:
		if got.Len() != want.Len() {
			t.Errorf("%s: %d of them, want %d", what, got.Len(), want.Len())
			return
		}
		for i := range got.Len() {
			near(t, what, got.Index(i), want.Index(i))
		}
	case reflect.Map:
		for _, key := range want.MapKeys() {
			near(t, what+", "+key.String(), got.MapIndex(key), want.MapIndex(key))
		}
	case reflect.Struct:
		for i := range got.NumField() {
			if f := got.Type().Field(i); f.IsExported() {
				near(t, what+", "+f.Name, got.Field(i), want.Field(i))
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	m := tiny(t, ref.New())
	text := ids(150, 2)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for want, of := range map[string]func() error{
		"it takes two of one context": func() error {
			_, err := instruction.Observe(context.Background(), m, small, "c", text, questions(text)[:1], nil)
			return err
		},
		"a context of 9 tokens has no vote of 1/10": func() error {
			_, err := instruction.Observe(context.Background(), m, small, "c", text[:9], questions(text), nil)
			return err
		},
		"question c/1": func() error {
			asked := questions(text)
			asked[0].Question = []int32{1 << 30}
			_, err := instruction.Observe(context.Background(), m, small, "c", text, asked, nil)
			return err
		},
		"context canceled": func() error {
			_, err := instruction.Observe(ctx, m, small, "c", text, questions(text), nil)
			return err
		},
		"each must be at least 1": func() error {
			_, err := instruction.Plan{Settings: instruction.Settings{Response: 0, Windows: []int{3}, Own: 1, Share: 1}}.Observe(ctx, nil, t.Logf)
			return err
		},
	} {
		if err := of(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A share is a ratio of sums in a context, then the mean over contexts; layers with few attentions are blank, and what
// was not observed is named.
func TestTable(t *testing.T) {
	of := func(votes, hits int) instruction.Context {
		q := instruction.Question{ID: "k/1", OwnVotes: []int{votes / 2, 1}, Beyond: []int{5, 5}, Kept: map[string][]int{"snapkv(cap=64,w=16)": {20, 20}},
			After: [][]instruction.Hit{{{Hits: hits, Important: 40}}, {{Hits: 3, Important: 10}}}, Before: [][]instruction.Hit{{{Hits: 10, Important: 40}}, {{Hits: -1, Important: -1}}}}
		other := q
		other.Before, other.Why, other.ID = nil, "no place", "k/2"
		return instruction.Context{ID: "k", Tokens: 200, Vote: 20, Questions: []instruction.Question{q, other},
			Pairs: []instruction.Pair{{A: 0, B: 1, Votes: []int{votes, 20}, NoSink: []int{1, 5}, Kept: map[string][]int{"snapkv(cap=64,w=16)": {15, 5}}}}}
	}
	s := instruction.Paper
	s.Windows = []int{128}
	r := &instruction.Report{Origin: observe.Origin{Model: "m", About: "cpu"}, Settings: s, Variants: []string{"snapkv(cap=64,w=16)"},
		Contexts: []instruction.Context{of(10, 20), of(14, 40), {ID: "lost", Error: "too short"}}}
	var b bytes.Buffer
	if err := r.Table(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"contexts: 2 with 4 questions, 2 pairs", "80.0 [", "60.0 [", "50.0 [", "would have 5.0 % in common", "75.0", "not observed: context lost: too short", "not before its context: k/2: no place"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	_, hits, _ := strings.Cut(text, "Fig. 5)")
	second := 0
	for _, line := range strings.Split(hits, "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "1" {
			if second++; fields[1] != "30.0" || fields[2] != "–" {
				t.Errorf("the second layer: %q", line)
			}
		}
	}
	if second != 1 {
		t.Errorf("%d lines for the second layer of the hit rates", second)
	}
	dir := filepath.Join(t.TempDir(), "seen")
	pictures, err := observe.Save(dir, r)
	if err != nil || len(pictures) != 4 {
		t.Fatalf("%q, %v", pictures, err)
	}
	for _, p := range append(pictures, filepath.Join(dir, "observe.json")) {
		if info, err := os.Stat(p); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", p, err)
		}
	}
}
