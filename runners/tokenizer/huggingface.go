package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/snapbench/snapbench/inputs"
)

// Open reads the tokenizer of a Hugging Face directory with the native encoder: tokenizer.json with the tokens that
// tokenizer_config.json and special_tokens_map.json add, and for BOS and EOS also generation_config.json, if they exist.
func Open(dir string) (*Native, error) {
	more, err := readOwnTokens(dir)
	if err != nil {
		return nil, err
	}
	t, err := readJSON(filepath.Join(dir, "tokenizer.json"), more)
	if errors.Is(err, fs.ErrNotExist) {
		for _, other := range []string{"tokenizer.model", "vocab.json", "vocab.txt"} {
			if _, e := os.Stat(filepath.Join(dir, other)); e == nil {
				return nil, fmt.Errorf("%w (%s alone is not read: make a tokenizer.json with save_pretrained of transformers' AutoTokenizer)", err, other)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if t.bos, t.eos, err = ReadEnds(dir, t.TokenID); err != nil {
		return nil, err
	}
	return t, nil
}

// ReadEnds reads BOS and EOS from the small files of a Hugging Face directory; tokenID looks up the id of a spelling. The
// ids in eos are in the order that generation uses: eos_token_id of generation_config.json, then eos_token.
func ReadEnds(dir string, tokenID func(string) (int32, bool)) (bos *int32, eos []int32, err error) {
	config, err := readTokenizerConfig(dir)
	if err != nil {
		return nil, nil, err
	}
	if config.BOS != "" {
		if id, ok := tokenID(string(config.BOS)); ok {
			bos = &id
		}
	}
	var generation struct {
		EOS idList `json:"eos_token_id"`
	}
	if err := readOptional(filepath.Join(dir, "generation_config.json"), &generation); err != nil {
		return nil, nil, err
	}
	eos = generation.EOS
	if config.EOS != "" {
		if id, ok := tokenID(string(config.EOS)); ok && !slices.Contains(eos, id) {
			eos = append(eos, id)
		}
	}
	return bos, eos, nil
}

// tokenizerConfig has the fields of tokenizer_config.json that are used.
type tokenizerConfig struct {
	BOS          spelling        `json:"bos_token"`
	EOS          spelling        `json:"eos_token"`
	ChatTemplate json.RawMessage `json:"chat_template"`
}

func readTokenizerConfig(dir string) (tokenizerConfig, error) {
	var specials, c tokenizerConfig
	if err := readOptional(filepath.Join(dir, "special_tokens_map.json"), &specials); err != nil {
		return c, err
	}
	if err := readOptional(filepath.Join(dir, "tokenizer_config.json"), &c); err != nil {
		return c, err
	}
	if c.BOS == "" {
		c.BOS = specials.BOS
	}
	if c.EOS == "" {
		c.EOS = specials.EOS
	}
	return c, nil
}

// readOptional reads a JSON file, or nothing if it does not exist.
func readOptional(path string, into any) error {
	data, err := inputs.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, jsonError(err))
	}
	return nil
}

// spelling is a token's text. In JSON it is a string, an object with the field content, or null.
type spelling string

func (s *spelling) UnmarshalJSON(data []byte) error {
	var plain *string
	if err := json.Unmarshal(data, &plain); err == nil {
		if plain != nil {
			*s = spelling(*plain)
		}
		return nil
	}
	var object struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return fmt.Errorf("a token was expected, a string or an object with its content: %w", err)
	}
	*s = spelling(object.Content)
	return nil
}

// idList is a list of ids. In JSON it is an id, a list of ids or null.
type idList []int32

func (l *idList) UnmarshalJSON(data []byte) error {
	var one *int32
	if err := json.Unmarshal(data, &one); err == nil {
		if one != nil {
			*l = idList{*one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]int32)(l))
}
