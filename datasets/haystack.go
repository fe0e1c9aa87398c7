package datasets

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/snapbench/snapbench/inputs"
)

//go:embed haystack/austen.txt.gz
var austenGz []byte

// haystack is the text that needles are hidden in, cut into sentences. It is endless: after
// the last sentence comes the first one again.
type haystack struct {
	name string
	text string
	// ends[i] is where sentence i ends in text. The white space before a sentence belongs
	// to it, because most vocabularies join a space to the word that follows.
	ends []int
}

// austen is the embedded haystack.
var austen = sync.OnceValues(func() (*haystack, error) {
	z, err := gzip.NewReader(bytes.NewReader(austenGz))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return newHaystack("austen", string(b))
})

// openHaystack returns the embedded text for "", else the *.txt files of a folder in the order
// of their names, with a blank line between them.
func openHaystack(dir string) (*haystack, error) {
	if dir == "" {
		return austen()
	}
	var all strings.Builder
	err := eachText(dir, func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			if all.Len() > 0 {
				all.WriteString("\n\n")
			}
			all.WriteString(text)
		}
	})
	if err != nil {
		return nil, err
	}
	if all.Len() == 0 {
		return nil, fmt.Errorf("haystack %q has no text in *.txt files", dir)
	}
	return newHaystack(dir, all.String())
}

// eachText calls text with each *.txt file of a folder, in the order of their names.
func eachText(dir string, text func(string)) error {
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("haystack: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("haystack %q is not a folder", dir)
	}
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return fmt.Errorf("haystack: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".txt") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		b, err := inputs.ReadFile(path)
		if err != nil {
			return fmt.Errorf("haystack: %w", err)
		}
		if i := invalidUTF8(b); i >= 0 {
			return fmt.Errorf("haystack %s: invalid UTF-8 at byte %d", path, i)
		}
		text(string(b))
	}
	return nil
}

func newHaystack(name, text string) (*haystack, error) {
	text = "\n" + strings.TrimSpace(text)
	h := &haystack{name: name, text: text, ends: sentenceEnds(text)}
	if len(h.ends) == 0 {
		return nil, errors.New("haystack: no text")
	}
	return h, nil
}

// sentence returns sentence i of the endless text, i >= 0.
func (h *haystack) sentence(i int) string { return h.sentences(i, i+1) }

// sentences returns the text of sentences from to to-1 of the endless text.
func (h *haystack) sentences(from, to int) string {
	n := len(h.ends)
	start := func(i int) int { // of sentence i, 0 <= i <= n
		if i == 0 {
			return 0
		}
		return h.ends[i-1]
	}
	if from >= to {
		return ""
	}
	first, last := from/n, (to-1)/n
	if first == last { // no copy where the text does not start over
		return h.text[start(from-first*n):h.ends[to-1-last*n]]
	}
	var b strings.Builder
	b.WriteString(h.text[start(from-first*n):])
	for range last - first - 1 {
		b.WriteString(h.text)
	}
	b.WriteString(h.text[:h.ends[to-1-last*n]])
	return b.String()
}

// maxSentence is the length in bytes beyond which a stretch without the end of a sentence is
// cut at white space: a needle is only put between sentences, and in code, tables and lists
// the next end may be far from its depth.
const maxSentence = 1200

// abbreviations end in a period that ends no sentence.
var abbreviations = []string{"Mr", "Mrs", "Ms", "Messrs", "Dr", "St", "Rev", "Hon", "Capt", "Col", "Gen", "Prof", "Sr", "Jr", "No", "vs", "e.g", "i.e", "cf"}

// sentenceEnds finds the ends of the sentences of a text. A sentence ends after a period,
// question or exclamation mark and the quotes and brackets that close there, if white space
// follows and then no lower-case letter; at a blank line; and after the full stops of
// Chinese and Japanese. The last end is len(text).
func sentenceEnds(text string) []int {
	var ends []int
	last := 0 // end of the sentence before
	end := func(i int) {
		if strings.TrimSpace(text[last:i]) != "" {
			ends = append(ends, i)
			last = i
		}
	}
	space := -1 // where the latest white space begins
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if i-last >= maxSentence {
			if space > last {
				end(space)
			} else {
				end(i)
			}
		}
		switch {
		case r == '.' || r == '!' || r == '?':
			if r == '.' && abbreviated(text[last:i]) {
				break
			}
			j := i + 1
			for j < len(text) && strings.IndexByte(".!?\"')]", text[j]) >= 0 {
				j++
			}
			for strings.HasPrefix(text[j:], "”") || strings.HasPrefix(text[j:], "’") {
				j += len("”")
			}
			if rest := strings.TrimLeftFunc(text[j:], unicode.IsSpace); len(rest) < len(text)-j && !startsLower(rest) {
				end(j)
			}
			size = j - i
		case r == '。' || r == '！' || r == '？':
			j := i + size
			for strings.HasPrefix(text[j:], "”") || strings.HasPrefix(text[j:], "」") {
				j += len("”")
			}
			end(j)
			size = j - i
		case unicode.IsSpace(r):
			if i == 0 || space < 0 || strings.TrimSpace(text[space:i]) != "" {
				space = i
			}
			if r == '\n' && strings.Contains(text[space:i], "\n") {
				end(space)
			}
		}
		i += size
	}
	if strings.TrimSpace(text[last:]) != "" {
		ends = append(ends, len(text))
	} else if len(ends) > 0 {
		ends[len(ends)-1] = len(text)
	}
	return ends
}

// abbreviated says whether sentence, which a period follows, ends in an
// abbreviation or an initial.
func abbreviated(sentence string) bool {
	word := sentence[strings.LastIndexFunc(sentence, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '(' || r == '\'' })+1:]
	if len(word) == 1 && word[0] >= 'A' && word[0] <= 'Z' && word != "I" {
		return true
	}
	return slices.Contains(abbreviations, word)
}

func startsLower(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(r)
}

// invalidUTF8 returns the offset of the first byte that is not part of valid
// UTF-8, or -1.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
