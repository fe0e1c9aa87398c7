package tokenizer

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// smolLM2 returns the vocabulary of the real file, or skips the test.
func smolLM2(t testing.TB) GGUFVocabulary {
	t.Helper()
	return vocabularyOf(t, sharedtest.SmolLM2(t))
}

func vocabularyOf(t testing.TB, path string) GGUFVocabulary {
	t.Helper()
	f, err := weights.OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := ReadGGUF(f.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSmolLM2Tokens(t *testing.T) {
	tok := sameTokens(t, smolLM2(t), "smollm2", true, "")
	if bos, ok := tok.BOS(); !ok || bos != 1 || !slices.Equal(tok.EOS(), []int32{2}) {
		t.Errorf("BOS %d %v, EOS %v", bos, ok, tok.EOS())
	}
}

// TestGemma3Tokens: the ids of SentencePiece itself, given this vocabulary.
func TestGemma3Tokens(t *testing.T) {
	tok := sameTokens(t, vocabularyOf(t, sharedtest.Gemma3(t)), "gemma3", false, "▁")
	if bos, ok := tok.BOS(); !ok || bos != 2 || !slices.Equal(tok.EOS(), []int32{1}) {
		t.Errorf("BOS %d %v, EOS %v", bos, ok, tok.EOS())
	}
	for text, want := range map[string][]int32{
		"  Hello": {2, 138, 9259}, "<bos>\u2581 x": {2, 2, 138, 236781}, "<s></s>": {2, 203, 212},
	} {
		if ids, err := tok.Encode(text, true); err != nil || !slices.Equal(ids, want) {
			t.Errorf("%q: %v (%v), want %v", text, ids, err, want)
		}
	}
}

// sameTokens compares the ids of the recorded texts of a folder of the reference data, and what they decode to. spaces is what
// a vocabulary has no other ids for than for a space.
func sameTokens(t *testing.T, v GGUFVocabulary, folder string, special bool, spaces string) *Native {
	t.Helper()
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	var texts []struct {
		Text string  `json:"text"`
		IDs  []int32 `json:"ids"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, folder, "tokens.json"), &texts)
	wrong := 0
	for _, x := range texts {
		ids, err := tok.Encode(x.Text, special)
		if err != nil || !slices.Equal(ids, x.IDs) {
			if wrong++; wrong <= 5 {
				t.Errorf("%q: %v (%v), want %v", x.Text, ids, err, x.IDs)
			}
			continue
		}
		want := x.Text
		if spaces != "" {
			want = strings.ReplaceAll(want, spaces, " ")
		}
		if got := tok.Decode(ids, false); got != want {
			t.Errorf("%q: decoded %q", x.Text, got)
		}
	}
	if wrong > 0 || len(texts) == 0 {
		t.Errorf("%d of %d texts wrong", wrong, len(texts))
	}
	t.Logf("%d texts, %d wrong", len(texts), wrong)
	return tok
}

func TestSmolLM2Chat(t *testing.T) {
	v := smolLM2(t)
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := v.Template()
	if err != nil {
		t.Fatal(err)
	}
	got, err := tmpl.Render([]Message{{"user", "Hi"}}, RenderOptions{AddGenerationPrompt: true})
	if err != nil {
		t.Fatal(err)
	}
	want := "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
		"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
	if got != want {
		t.Errorf("rendered %q, want %q", got, want)
	}
	ids, err := tok.Encode(got, true)
	if err != nil || ids[0] != 1 || !slices.Contains(ids, 2) {
		t.Errorf("ids %v (%v): the template's special tokens are missing", ids, err)
	}
}

// TestScores uses the vocabulary of a SentencePiece model as in GGUF files, with scores instead of merges.
func TestScores(t *testing.T) {
	tok := shared(t, "llama2")
	v := GGUFVocabulary{Model: "llama", Pre: "default", BOS: new(int32(1)), EOS: new(int32(2)), UNK: new(int32(0))}
	for id := range int32(tok.VocabSize()) {
		s, _ := tok.Token(id)
		typ := int32(TypeNormal)
		switch {
		case id == 0:
			typ = TypeUnknown
		case id < 3:
			typ = TypeControl
		case id < 259:
			typ = TypeByte
		}
		v.Tokens, v.Types = append(v.Tokens, s), append(v.Types, typ)
		v.Scores = append(v.Scores, -1e9)
	}
	// The file does not have the scores, but merges in their order.
	var file struct {
		Model struct {
			Merges []string `json:"merges"`
		} `json:"model"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tokenizers", "llama2", "tokenizer.json"), &file)
	for rank, m := range file.Model.Merges {
		id, ok := tok.TokenID(strings.Replace(m, " ", "", 1))
		if !ok {
			t.Fatalf("merge %q makes no token", m)
		}
		v.Scores[id] = max(v.Scores[id], -float32(rank))
	}
	byScores, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	sharedtest.JSON(t, sharedtest.Path(t, "tokenizers", "llama2", "vectors.json"), &vectors)
	for _, x := range vectors {
		if err := x.check(byScores); err != nil {
			t.Errorf("%s %q: %v", x.Name, x.Text, err)
		}
	}
	text, err := os.ReadFile(sharedtest.Path(t, "tokenizers", "long", "en_1m.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want, err1 := tok.Encode(string(text), true)
	got, err2 := byScores.Encode(string(text), true)
	if err1 != nil || err2 != nil || !slices.Equal(got, want) {
		t.Errorf("1 MB of English: %d ids (%v), by merges %d (%v)", len(got), err2, len(want), err1)
	}
}
