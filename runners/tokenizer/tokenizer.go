// Package tokenizer turns text into token ids and back, as specified by the model files. Start with [Tokenizer].
//
// [Open] reads a Hugging Face directory and [FromGGUF] the metadata of a GGUF file. Both return a [Native], this
// package's own byte-pair encoder, whose ids are tested against those of the Rust library "tokenizers". A [ChatTemplate]
// turns messages into the prompt that a chat model was trained on.
//
// If the native encoder does not support a part of a file (WordPiece, Unigram, unusual pipeline steps), the error names
// the part. Another backend is used only if [OpenWith] asks for it by name.
package tokenizer

import (
	"fmt"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Tokenizer maps text to token ids and ids to text. Implementations are safe for concurrent use.
type Tokenizer interface {
	// Encode returns the ids of text. With addSpecial it adds the special tokens of the model's post-processing
	// template (typically BOS in front). Special tokens that are written in the text always become their ids. Invalid
	// UTF-8 becomes U+FFFD, one for each maximal ill-formed part. If the vocabulary has neither a character nor its
	// bytes nor an unknown token, the character is dropped, as in Hugging Face's tokenizers.
	Encode(text string, addSpecial bool) ([]int32, error)
	// Decode returns the text of ids. With skipSpecial it leaves out special tokens. It always leaves out ids outside
	// the vocabulary. Bytes that are not UTF-8 become U+FFFD.
	Decode(ids []int32, skipSpecial bool) string
	// VocabSize is one more than the largest id, added tokens included.
	VocabSize() int
	// TokenID returns the id of a token, given in the vocabulary's spelling ("Ġthe", "▁the", "<|im_end|>").
	TokenID(token string) (id int32, ok bool)
	// Token returns the vocabulary's spelling of id.
	Token(id int32) (token string, ok bool)
	// BOS is the token that begins a text, if the model files name one. Encode adds it only if the template does.
	BOS() (id int32, ok bool)
	// EOS lists the ids that end a generation, in the order of the model files. It is empty if they name none.
	EOS() []int32
}

// Opener reads the tokenizer of a Hugging Face directory.
type Opener func(dir string) (Tokenizer, error)

var (
	backendsMu sync.Mutex
	backends   = map[string]Opener{
		"native": func(dir string) (Tokenizer, error) { return Open(dir) },
	}
)

// Register adds a backend under a name for [OpenWith]. It panics if the name is taken.
func Register(name string, open Opener) {
	backendsMu.Lock()
	defer backendsMu.Unlock()
	if _, ok := backends[name]; ok {
		panic(fmt.Sprintf("tokenizer: backend %q registered twice", name))
	}
	backends[name] = open
}

// Names lists the registered backends, sorted.
func Names() []string {
	backendsMu.Lock()
	defer backendsMu.Unlock()
	names := make([]string, 0, len(backends))
	for n := range backends {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// OpenWith reads the tokenizer of a Hugging Face directory with the backend of that name.
func OpenWith(name, dir string) (Tokenizer, error) {
	backendsMu.Lock()
	open, ok := backends[name]
	backendsMu.Unlock()
	if !ok {
		return nil, lookup.Unknown("tokenizer", name, Names()...)
	}
	return open(dir)
}

// unsupported is the error for a part of a tokenizer.json that the native encoder does not implement.
func unsupported(part, what string) error {
	return fmt.Errorf("%s %s is not supported by the native tokenizer; --tokenizer sugarme may read it", part, what)
}
