package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// OpenGGUF makes the tokenizer and the chat template of a GGUF file. The template is nil if there is none.
func OpenGGUF(m GGUFMetadata) (*Native, *ChatTemplate, error) {
	v, err := ReadGGUF(m)
	if err != nil {
		return nil, nil, err
	}
	text, err := FromGGUF(v)
	if err != nil {
		return nil, nil, err
	}
	chat, err := v.Template()
	if err != nil && !errors.Is(err, ErrNoChatTemplate) {
		return nil, nil, err
	}
	return text, chat, nil
}

// FromGGUF makes the tokenizer of a GGUF file. An unknown value of [GGUFVocabulary].Pre is an error, because a guess
// could silently change the ids.
func FromGGUF(v GGUFVocabulary) (*Native, error) {
	t, err := fromGGUF(&v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer in GGUF metadata: %w", err)
	}
	return t, nil
}

func fromGGUF(v *GGUFVocabulary) (*Native, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	vocab := make(map[string]int32, len(v.Tokens))
	for i, s := range v.Tokens {
		vocab[s] = int32(i)
	}
	added := v.added(vocab)
	t := &Native{}
	addBOS := false
	switch v.Model {
	case "gpt2":
		pre, ok := ggufPres[v.Pre]
		if !ok {
			return nil, fmt.Errorf("unknown pre %q: have %s", v.Pre, strings.Join(slices.DeleteFunc(
				slices.Sorted(maps.Keys(ggufPres)), func(s string) bool { return s == "" }), ", "))
		}
		steps, err := pre.steps()
		if err != nil {
			return nil, err
		}
		t.pre = preTokenizer{steps: steps, byteLevel: true}
		t.normalizers = pre.normalizers
		addBOS = pre.addBOS
		merges, err := cutMerges(v.Merges)
		if err != nil {
			return nil, err
		}
		if err := t.model.init(vocab, true, false, nil, false); err != nil {
			return nil, err
		}
		if err := t.model.addMerges(vocab, merges); err != nil {
			return nil, err
		}
		if pre.ignoreMerges {
			t.model.keepWhole(vocab)
		}
		t.decoder = []decodeStep{func(next sink) sink { return &byteLevelSink{next: next} }}
	case "llama":
		if v.Pre != "" && v.Pre != "default" {
			return nil, fmt.Errorf("unknown pre %q for model \"llama\": have default", v.Pre)
		}
		addBOS = true
		if err := t.model.initScores(v, vocab); err != nil {
			return nil, err
		}
		addSpace := v.AddSpacePrefix == nil || *v.AddSpacePrefix
		if addSpace {
			t.normalizers = append(t.normalizers, prepend("▁"))
		}
		t.normalizers = append(t.normalizers, replaceLiteral(" ", "▁"))
		var d decoderReader
		d.add(func(next sink) sink {
			return &mapSink{next, func(s string) string { return strings.ReplaceAll(s, "▁", " ") }}
		})
		d.add(func(next sink) sink { return &byteFallbackSink{next: next} })
		if addSpace {
			d.steps = append(d.steps, func(next sink) sink { return &stripStartSink{next: next, char: ' ', n: 1} })
		}
		t.decoder = d.steps
	default:
		return nil, fmt.Errorf("unknown model %q: have gpt2, llama", v.Model)
	}
	if err := t.setVocabulary(vocab, added); err != nil {
		return nil, err
	}
	for i, s := range v.Tokens { // if two tokens have the same spelling, both ids decode to it
		if !t.tokens[i].known {
			t.tokens[i] = token{text: s, known: true, special: v.typeOf(int32(i)) == TypeControl}
		}
	}
	if err := t.setAdded(added); err != nil {
		return nil, err
	}
	t.bos = v.BOS
	for _, id := range []*int32{v.EOS, v.EOT} {
		if id != nil && !slices.Contains(t.eos, *id) {
			t.eos = append(t.eos, *id)
		}
	}
	if v.AddBOS != nil {
		addBOS = *v.AddBOS
	}
	if addBOS {
		if v.BOS == nil {
			return nil, fmt.Errorf("the file asks for a BOS token in front and names none (bos_token_id)")
		}
		t.prefix = []int32{*v.BOS}
	}
	if v.AddEOS != nil && *v.AddEOS {
		if v.EOS == nil {
			return nil, fmt.Errorf("the file asks for an EOS token at the end and names none (eos_token_id)")
		}
		t.suffix = []int32{*v.EOS}
	}
	return t, nil
}
