package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzTokenizerJSON loads arbitrary files. If one loads, encoding and decoding must not panic.
func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(tiny))
	// Every part once, in small files, so that the fuzzer's changes have an effect.
	for _, parts := range []string{
		`"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Prepend", "prepend": "_"},
			{"type": "Replace", "pattern": {"String": " "}, "content": "_"}]}`,
		`"normalizer": {"type": "Replace", "pattern": {"Regex": "\\s+|[^a-z\\p{N}]"}, "content": "b"}`,
		`"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true}, "decoder": {"type": "ByteLevel"}`,
		`"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false},
			{"type": "Split", "pattern": {"Regex": "(?i:'s)|a{1,2}(?!b)"}, "behavior": "MergedWithNext", "invert": false}]}`,
		`"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": true},
			"decoder": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always"}`,
		`"post_processor": {"type": "Sequence", "processors": [{"type": "TemplateProcessing",
			"single": [{"SpecialToken": {"id": "a"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"a": {"ids": [0, 1]}}}]}`,
		`"decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"}, "content": " "},
			{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}`,
		`"added_tokens": [{"id": 5, "content": " 1", "lstrip": true, "rstrip": true, "normalized": true},
			{"id": 6, "content": "The", "single_word": true}, {"id": 1, "content": "b", "special": true}]`,
	} {
		f.Add([]byte("{" + parts + `, "model": {"unk_token": "a", "byte_fallback": true, "ignore_merges": true,
			"vocab": {"a": 0, "b": 1, "ab": 2, "<0xC3>": 3, "_": 4}, "merges": [["a", "b"]]}}`))
	}
	f.Add([]byte(`{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+b"}, "behavior": "Removed", "invert": true},
		"decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 9, "stop": 9}]},
		"model": {"vocab": {"a": 0}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := FromJSON(data)
		if err != nil {
			return
		}
		ids, err := tok.Encode("The 12 wörd\n\n世 <s>\xff ab", true)
		if err != nil {
			return
		}
		checkStream(t, tok, ids)
		checkStream(t, tok, []int32{-1, 0, 1, 2, 3, int32(tok.VocabSize()) - 1, int32(tok.VocabSize())})
	})
}

// checkStream compares decoding by a Stream with Decode.
func checkStream(t *testing.T, tok Tokenizer, ids []int32) {
	t.Helper()
	for _, skip := range []bool{false, true} {
		s := NewStream(tok, skip)
		var b strings.Builder
		for _, id := range ids {
			piece := s.Push(id)
			if !utf8.ValidString(piece) {
				t.Fatalf("the stream gives %q, which is not UTF-8", piece)
			}
			b.WriteString(piece)
		}
		b.WriteString(s.Flush())
		if want := tok.Decode(ids, skip); b.String() != want {
			t.Fatalf("%v streams as %q, decodes as %q", ids, b.String(), want)
		}
	}
}

// FuzzEncode encodes any bytes with every kind of pipeline. Two calls must agree (the second uses the cache), and
// byte-level vocabularies without a normalizer must decode to the same text if it is valid.
func FuzzEncode(f *testing.F) {
	var toks []*Native
	exact := map[*Native]bool{}
	for _, p := range pipelines(f) {
		tok, err := FromJSON(p.Tokenizer)
		if err != nil {
			f.Fatal(err)
		}
		toks = append(toks, tok)
		exact[tok] = slices.Contains([]string{"gpt2", "digits", "digit runs", "o200k", "split isolated False", "split literal"}, p.Name)
	}
	scores, err := FromGGUF(scoresGGUF())
	if err != nil {
		f.Fatal(err)
	}
	toks = append(toks, scores)
	for _, p := range pipelines(f)[:2] {
		for _, v := range p.Cases {
			f.Add(v.Text)
		}
	}
	f.Add("\xff\xc3 a\xe4\xb8")
	f.Fuzz(func(t *testing.T, text string) {
		valid := strings.ToValidUTF8(text, "")
		for i, tok := range toks {
			ids, err := tok.Encode(text, true)
			again, err2 := tok.Encode(text, true)
			if (err == nil) != (err2 == nil) || !slices.Equal(ids, again) {
				t.Fatalf("pipeline %d: %q becomes %v (%v), then %v (%v)", i, text, ids, err, again, err2)
			}
			if err != nil {
				continue
			}
			for _, id := range ids {
				if _, ok := tok.Token(id); !ok {
					t.Fatalf("pipeline %d: %q becomes %v: %d is no token", i, text, ids, id)
				}
			}
			checkStream(t, tok, ids)
			if !exact[tok] {
				continue
			}
			if ids, err = tok.Encode(valid, false); err != nil {
				t.Fatalf("pipeline %d: %q: %v", i, valid, err)
			}
			if got := tok.Decode(ids, false); got != valid {
				t.Fatalf("pipeline %d: %q comes back as %q", i, valid, got)
			}
		}
	})
}

// FuzzScanners compares the hand-written scanners with the expressions.
func FuzzScanners(f *testing.F) {
	slow := map[string]func(string) []string{}
	for expr := range scanners {
		slow[expr] = splitAt(f, expr)
	}
	for _, s := range fragments {
		f.Add(s + "a " + s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = validUTF8(text)
		for expr, scan := range scanners {
			got, _ := scanSplitter(scan).split(nil, text, true)
			if want := slow[expr](text); !slices.Equal(got, want) {
				t.Fatalf("%q by %s: cut into %q, want %q", text, expr, got, want)
			}
		}
	})
}

// FuzzPattern compiles arbitrary expressions and runs them.
func FuzzPattern(f *testing.F) {
	for expr := range scanners {
		f.Add(expr, "it's 12 Texts\n\n ")
	}
	f.Add(`(?>a+)b|[^\x41-\x{5A}]{2,3}?(?=c)`, "aab")
	f.Fuzz(func(t *testing.T, expr, text string) {
		p, err := compilePattern(expr)
		if err != nil {
			return
		}
		text = validUTF8(text)
		pieces, err := (&delimiterSplitter{expr: p, how: isolated}).split(nil, text, true)
		if err != nil {
			return
		}
		if got := strings.Join(pieces, ""); got != text {
			t.Fatalf("%q cut by %q into %q", text, expr, pieces)
		}
	})
}

// FuzzGGUF changes a SentencePiece vocabulary: tokens, types and scores.
func FuzzGGUF(f *testing.F) {
	f.Add("ab\x00bc\x00ca\x00ax", []byte{1, 1, 1, 1}, []byte{2, 2, 1, 3}, "abcax")
	f.Add("<0x41>\x00a\x00a\x00<s>", []byte{6, 1, 4, 3}, []byte{0, 0, 0, 0}, "A<s>aa")
	f.Fuzz(func(t *testing.T, tokens string, types, scores []byte, text string) {
		v := GGUFVocabulary{Model: "llama", UNK: new(int32(0)), AddBOS: new(false)}
		for i, s := range strings.Split(tokens, "\x00") {
			v.Tokens = append(v.Tokens, s)
			typ, score := int32(TypeNormal), float32(0)
			if i < len(types) {
				typ = int32(types[i])
			}
			if i < len(scores) {
				score = -float32(scores[i])
			}
			v.Types, v.Scores = append(v.Types, typ), append(v.Scores, score)
		}
		tok, err := FromGGUF(v)
		if err != nil {
			return
		}
		ids, err := tok.Encode(text, true)
		if err != nil {
			return
		}
		for _, id := range ids {
			if _, ok := tok.Token(id); !ok {
				t.Fatalf("%q becomes %v: %d is no token", text, ids, id)
			}
		}
		checkStream(t, tok, ids)
	})
}
