package cuda_test

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/observe"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestEmulatedObserve has an emulated card observe a prompt: every count and share is the reference device's.
func TestEmulatedObserve(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	q := observe.Question{Tokens: 8, Spans: map[string]observe.Span{"value": {40, 47}}, AnswerRows: 3}
	for i := range 110 {
		q.Prompt = append(q.Prompt, int32((i*i*7+3*i)%256))
	}
	var err error
	if q.Variants, err = compress.ParseAll("snapkv(cap=48,w=16,k=5,gqa=query_head);ada(cap=40,snapkv(w=8))"); err != nil {
		t.Fatal(err)
	}
	s := observe.Settings{Window: 16, Windows: 4, Share: 10, Important: 0.01, Summed: 0.005, Content: 0.01, Sink: 0.02}
	var seen []any
	for _, d := range []engine.Device{ref.New(), d} {
		files, err := models.OpenShape("tiny")
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close()
		m, err := models.Load(d, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		o, err := observe.Run(context.Background(), m, s, q)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, v)
	}
	numbers := 0
	hold(t, "", seen[0], seen[1], &numbers)
	t.Logf("%d numbers", numbers)
	if numbers < 200 {
		t.Errorf("%d numbers were compared", numbers)
	}
}

// hold compares what JSON holds: numbers within 1e-5, so that counts are equal.
func hold(t *testing.T, path string, want, got any, numbers *int) {
	switch want := want.(type) {
	case map[string]any:
		for name, w := range want {
			hold(t, path+"/"+name, w, got.(map[string]any)[name], numbers)
		}
	case []any:
		for i, w := range want {
			hold(t, path, w, got.([]any)[i], numbers)
		}
	case float64:
		*numbers++
		if g, ok := got.(float64); !ok || !(math.Abs(g-want) <= 1e-5) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	default:
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
