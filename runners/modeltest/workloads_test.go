package modeltest

import (
	"path/filepath"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/models/embedded"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// variety are variants that differ in budget, parameters and kind of policy.
const variety = "full;snapkv(cap=24,w=8,k=3);snapkv(cap=40,w=8,k=3,gqa=kv_head_mean);" +
	"snapkv(cap=48,w=16,k=5,pool=avg,gqa=kvpress);snapkv(cap=50%,w=8,k=1,gqa=kv_head_max);snapkv(cap=9000,w=32);" +
	"quest(cap=24,page=8,recent=4)"

// workloadOf makes prompts of these lengths, without a pattern, for a model.
func workloadOf(t *testing.T, model string, lengths ...int) workload {
	t.Helper()
	files := openModel(t, model)
	defer files.Close()
	w := workload{model: model, variants: parseAll(t, variety), steps: 10}
	for seed, n := range lengths {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32((i*i*31 + (i*17+7)*(seed+3)) % files.Config.Vocab)
		}
		w.prompts = append(w.prompts, ids)
	}
	return w
}

func parseAll(t *testing.T, s string) []compress.Variant {
	t.Helper()
	v, err := compress.ParseAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// each runs a test for a model with random weights, the embedded model, and the
// reference checkpoints, if they are there.
func each(t *testing.T, run func(t *testing.T, w workload)) {
	t.Run("tiny", func(t *testing.T) { run(t, workloadOf(t, "shape:tiny", 100, 61, 333)) })
	t.Run("embedded", func(t *testing.T) {
		dir, err := embedded.Extract(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		run(t, workloadOf(t, dir, 200, 90, 61))
	})
	t.Run("checkpoints", func(t *testing.T) {
		for _, dir := range goldens(t) {
			t.Run(filepath.Base(dir), func(t *testing.T) { run(t, workloadOf(t, dir, 100, 140)) })
		}
	})
}

// realWorkload is two chats of the real small model and, if long is set, a needle prompt
// of 1K.
func realWorkload(t *testing.T, long bool) workload {
	t.Helper()
	w := workload{model: sharedtest.SmolLM2(t), steps: 10}
	w.variants = parseAll(t, "full;snapkv(cap=24,w=8,k=5);snapkv(cap=50%,w=16,k=7,gqa=kv_head_mean);snapkv(cap=24,w=8,k=3,pool=avg,gqa=kvpress)")
	var chats []struct{ IDs []int32 }
	sharedtest.JSON(t, sharedtest.Path(t, "smollm2", "chat.json"), &chats)
	for _, c := range chats[:2] {
		w.prompts = append(w.prompts, c.IDs)
	}
	if !long {
		return w
	}
	var needles []struct{ Prompt string }
	sharedtest.JSON(t, sharedtest.Path(t, "smollm2", "needle.json"), &needles)
	files := openModel(t, w.model)
	defer files.Close()
	text, _, err := tokenizer.OpenGGUF(files.GGUF.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	ids, err := text.Encode(needles[0].Prompt, true)
	if err != nil {
		t.Fatal(err)
	}
	w.prompts = append(w.prompts, ids)
	return w
}
