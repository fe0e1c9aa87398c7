package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// ownTokens are tokens that tokenizer_config.json and special_tokens_map.json name. transformers adds to those of tokenizer.json
// what that lacks, and replaces what is there with other settings.
type ownTokens struct {
	Decoder map[int32]fileToken `json:"added_tokens_decoder"`

	BOS  *namedToken `json:"bos_token"`
	EOS  *namedToken `json:"eos_token"`
	Unk  *namedToken `json:"unk_token"`
	Sep  *namedToken `json:"sep_token"`
	Pad  *namedToken `json:"pad_token"`
	Cls  *namedToken `json:"cls_token"`
	Mask *namedToken `json:"mask_token"`

	Additional []namedToken `json:"additional_special_tokens"`
	Extra      extraTokens  `json:"extra_special_tokens"`
}

// named are the tokens besides BOS and EOS that have a name, which chat templates know them by.
func (o *ownTokens) named() map[string]string {
	names := maps.Clone(o.Extra.names)
	if names == nil {
		names = map[string]string{}
	}
	for name, n := range map[string]*namedToken{"unk_token": o.Unk, "sep_token": o.Sep, "pad_token": o.Pad, "cls_token": o.Cls, "mask_token": o.Mask} {
		if n != nil && n.Content != "" {
			names[name] = n.Content
		}
	}
	return names
}

// namedToken is a special token: a string, or an object with settings.
type namedToken struct{ fileToken }

func (n *namedToken) UnmarshalJSON(data []byte) error {
	var plain string
	err := json.Unmarshal(data, &plain)
	if n.Content = plain; err != nil {
		err = json.Unmarshal(data, &n.fileToken)
	}
	n.Special = true
	return err
}

// extraTokens are a list of tokens, or named ones.
type extraTokens struct {
	list, named []namedToken
	names       map[string]string // of named, their contents
}

func (e *extraTokens) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '{' {
		var named map[string]namedToken
		err := json.Unmarshal(data, &named)
		e.names = map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(named)) {
			e.named = append(e.named, named[name])
			e.names[name] = named[name].Content
		}
		return err
	}
	return json.Unmarshal(data, &e.list)
}

func readOwnTokens(dir string) (*ownTokens, error) {
	var o ownTokens // the second file's keys replace the first's
	for _, name := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		if err := readOptional(filepath.Join(dir, name), &o); err != nil {
			return nil, err
		}
	}
	return &o, nil
}

// join adds the tokens to those of tokenizer.json. vocab is the model's.
func (o *ownTokens) join(f *file, vocab map[string]int32) error {
	if o == nil {
		return nil
	}
	have := map[string]int{} // by content, its place in f.AddedTokens
	for i, a := range f.AddedTokens {
		have[a.Content] = i
	}
	place := func(a fileToken) { // where the token is, or the next free id
		if i, ok := have[a.Content]; ok {
			a.ID, a.Special = f.AddedTokens[i].ID, a.Special || f.AddedTokens[i].Special
			f.AddedTokens[i] = a
			return
		}
		id, ok := vocab[a.Content]
		if !ok {
			id = int32(len(vocab))
			for _, b := range f.AddedTokens {
				id = max(id, b.ID+1)
			}
		}
		a.ID = id
		have[a.Content] = len(f.AddedTokens)
		f.AddedTokens = append(f.AddedTokens, a)
	}
	for _, id := range slices.Sorted(maps.Keys(o.Decoder)) {
		a := o.Decoder[id]
		if a.Content == "" {
			continue
		}
		if place(a); f.AddedTokens[have[a.Content]].ID != id {
			return fmt.Errorf("added_tokens_decoder of tokenizer_config.json: token %.40q has id %d, and %d in tokenizer.json or as the next free one",
				a.Content, id, f.AddedTokens[have[a.Content]].ID)
		}
	}
	absent := func(n namedToken) {
		if _, ok := have[n.Content]; !ok && n.Content != "" {
			place(n.fileToken)
		}
	}
	for _, n := range []*namedToken{o.BOS, o.EOS, o.Unk, o.Sep, o.Pad, o.Cls, o.Mask} {
		if n != nil {
			absent(*n)
		}
	}
	for _, n := range slices.Concat(o.Additional, o.Extra.list) {
		absent(n)
	}
	for _, n := range o.Extra.named {
		if n.Content != "" {
			place(n.fileToken)
		}
	}
	return nil
}
