package tokenizer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// sharedVocabularies lists the folders with a tokenizer.json.
func sharedVocabularies(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, f := range sharedtest.Glob(t, "tokenizers", "*/tokenizer.json") {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
}

var loaded sync.Map // name → func() (*Native, error)

// shared loads a reference tokenizer, once for all tests.
func shared(t testing.TB, name string) *Native {
	t.Helper()
	dir := sharedtest.Path(t, "tokenizers", name)
	load, _ := loaded.LoadOrStore(name, sync.OnceValues(func() (*Native, error) { return Open(dir) }))
	tok, err := load.(func() (*Native, error))()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// vector is one text with the results of the reference library.
type vector struct {
	Name               string  `json:"name"`
	Text               string  `json:"text"`
	IDs                []int32 `json:"ids"`
	IDsWithoutSpecial  []int32 `json:"ids_without_special"`
	Decoded            string  `json:"decoded"`
	DecodedSkipSpecial string  `json:"decoded_skip_special"`
}

// check compares everything a tokenizer does with one text and returns the first difference.
func (v *vector) check(tok Tokenizer) error {
	ids, err := tok.Encode(v.Text, true)
	if err != nil {
		return err
	}
	plain, err := tok.Encode(v.Text, false)
	if err != nil {
		return err
	}
	switch {
	case !slices.Equal(ids, v.IDs):
		return fmt.Errorf("with specials %v, want %v", ids, v.IDs)
	case !slices.Equal(plain, v.IDsWithoutSpecial):
		return fmt.Errorf("without specials %v, want %v", plain, v.IDsWithoutSpecial)
	}
	// The library decoded the ids without the special tokens of the template.
	for _, d := range []struct {
		skip bool
		want string
	}{{false, v.Decoded}, {true, v.DecodedSkipSpecial}} {
		if got := tok.Decode(v.IDsWithoutSpecial, d.skip); got != d.want {
			return fmt.Errorf("decoded (skip %v) %q, want %q", d.skip, got, d.want)
		}
		s := NewStream(tok, d.skip)
		var b strings.Builder
		for _, id := range v.IDsWithoutSpecial {
			b.WriteString(s.Push(id))
		}
		b.WriteString(s.Flush())
		if b.String() != d.want {
			return fmt.Errorf("streamed (skip %v) %q, want %q", d.skip, b.String(), d.want)
		}
	}
	return nil
}

func TestReferenceVectors(t *testing.T) {
	for _, name := range sharedVocabularies(t) {
		t.Run(name, func(t *testing.T) {
			tok := shared(t, name)
			var vectors []vector
			sharedtest.JSON(t, sharedtest.Path(t, "tokenizers", name, "vectors.json"), &vectors)
			wrong := 0
			for _, v := range vectors {
				if err := v.check(tok); err != nil {
					if wrong++; wrong <= 5 {
						t.Errorf("%s %q: %v", v.Name, v.Text, err)
					}
				}
			}
			if wrong > 0 || len(vectors) == 0 {
				t.Errorf("%d of %d texts wrong", wrong, len(vectors))
			}
		})
	}
}

func TestLongTexts(t *testing.T) {
	var want map[string]map[string]struct {
		IDs    int    `json:"ids"`
		SHA256 string `json:"sha256"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tokenizers", "long", "ids.json"), &want)
	for text, by := range want {
		data, err := os.ReadFile(sharedtest.Path(t, "tokenizers", "long", text+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for name, w := range by {
			t.Run(text+"/"+name, func(t *testing.T) {
				ids, err := shared(t, name).Encode(string(data), false)
				if err != nil {
					t.Fatal(err)
				}
				if sum := hashIDs(ids); len(ids) != w.IDs || sum != w.SHA256 {
					t.Errorf("%d ids, sha256 %s; want %d, %s", len(ids), sum, w.IDs, w.SHA256)
				}
			})
		}
	}
}

// hashIDs is the sha256 of the ids as little-endian int32.
func hashIDs(ids []int32) string {
	h := sha256.New()
	if err := binary.Write(h, binary.LittleEndian, ids); err != nil {
		panic(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func BenchmarkEncode(b *testing.B) {
	for _, text := range []string{"en_1m", "code_1m", "zh_1m", "base64_100k", "aaaa_100k", "nospace_100k", "sp_100k"} {
		data, err := os.ReadFile(sharedtest.Path(b, "tokenizers", "long", text+".txt"))
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range sharedVocabularies(b) {
			b.Run(text+"/"+name, func(b *testing.B) {
				tok := shared(b, name)
				b.SetBytes(int64(len(data)))
				n := 0
				for b.Loop() {
					ids, err := tok.Encode(string(data), false)
					if err != nil {
						b.Fatal(err)
					}
					n += len(ids)
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}

// BenchmarkEncodeLength shows that time is proportional to the length of the text: MB/s is the same for all lengths.
func BenchmarkEncodeLength(b *testing.B) {
	data, err := os.ReadFile(sharedtest.Path(b, "tokenizers", "long", "en_1m.txt"))
	if err != nil {
		b.Fatal(err)
	}
	all := strings.Repeat(string(data), 5)
	for _, name := range sharedVocabularies(b) {
		for n := 1 << 16; n <= len(all); n *= 4 {
			b.Run(fmt.Sprintf("%s/%dKiB", name, n>>10), func(b *testing.B) {
				tok := shared(b, name)
				b.SetBytes(int64(n))
				for b.Loop() {
					if _, err := tok.Encode(all[:n], false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range sharedVocabularies(b) {
		dir := sharedtest.Path(b, "tokenizers", name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Open(dir); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
